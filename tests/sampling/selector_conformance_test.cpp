#include "source_support.hpp"

#include "sampling/predictor.hpp"
#include "sampling/presets.hpp"
#include "sampling/weights.hpp"

#include <algorithm>
#include <limits>
#include <optional>

// What holds for every selector of the table with every estimator, predictor and weight policy of theirs: a
// new entry of any table is tested here without being named.

using namespace triage;
using namespace triage::test;

namespace {

using options = std::vector<std::pair<std::string, json_value>>;

json_value description_of(std::string_view selector, const options& more) {
  json_value out;
  out.set("type", json_value(selector));
  out.set("warm_epochs", json_value(0));
  out.set("tail_uniform_fraction", json_value(0));
  for (const auto& [name, value] : more)
    out.set(name, value);
  return out;
}

bool has_option(std::string_view selector, std::string_view name) {
  const auto entry = find_entry(selectors(), "sampling", selector);
  const auto made = (*entry)->make();
  const auto rows = describe_options([&](option_visitor& v) { made->visit(v); });
  return std::any_of(rows.begin(), rows.end(), [&](const auto& r) { return r.name == name; });
}

/// Every selector with every part it can be combined with, one axis at a time.
std::vector<json_value> combinations() {
  std::vector<json_value> out;
  for (const auto& s : selectors()) {
    for (const auto& e : refresh_policies())
      out.push_back(description_of(s.name, {{"estimator", json_value(e.name)}}));
    for (const auto& p : predictors())
      out.push_back(description_of(s.name, {{"predictor", json_value(p.name)}}));
    if (has_option(s.name, "weights"))
      for (const auto& w : weight_policies())
        out.push_back(description_of(s.name, {{"weights", json_value(w.name)}}));
    if (has_option(s.name, "alpha"))
      for (const double alpha : {0.0, 10.0})
        out.push_back(description_of(s.name, {{"alpha", json_value(alpha)}}));
  }
  out.push_back(description_of("multinomial", {{"candidates", json_value(3)}, {"estimator", "presample"}}));
  out.push_back(description_of("multinomial", {{"candidates", json_value(3)}, {"alpha", json_value(10)}}));
  out.push_back(description_of("multinomial", {{"alpha", json_value(10)}, {"uniform_share", json_value(0)}}));
  return out;
}

/// Whether the parts go together; when not, the refusal must say where and what to do.
std::optional<sampling_description> make_if_allowed(const json_value& description) {
  auto made = make_sampling(description, {"run.json", "/sampling"});
  if (made.ok())
    return made.take();
  CHECK(made.error().kind == error_kind::configuration);
  const bool says_where =
      std::ranges::any_of(std::array{"estimator", "gate", "predictor"}, [&](const char* o) {
        return made.error().message.find(std::string("/sampling/") + o) != std::string::npos;
      });
  CHECK_MESSAGE(says_where, made.error().message);
  const bool says_what = made.error().message.find("use ") != std::string::npos;
  CHECK_MESSAGE(says_what, made.error().message);
  return std::nullopt;
}

struct priorities_case {
  const char* name;
  float (*score)(std::uint32_t id);
};
constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinite = std::numeric_limits<float>::infinity();
constexpr float huge = 3e38F;

constexpr priorities_case cases[] = {
    {"equal", [](std::uint32_t) { return 0.5F; }},
    {"zero", [](std::uint32_t) { return 0.0F; }},
    {"negative", [](std::uint32_t id) { return -1.0F - static_cast<float>(id % 7); }},
    {"never finite", [](std::uint32_t id) { return id % 2 == 0 ? nan : infinite; }},
    {"now and then not finite", [](std::uint32_t id) { return id % 3 == 0 ? nan : static_cast<float>(id); }},
    {"huge and tiny", [](std::uint32_t id) { return id % 5 == 0 ? huge : 1e-38F; }},
    {"one of all", [](std::uint32_t id) { return id == 0 ? 100.0F : 0.0F; }},
};

struct sizes {
  std::size_t points;
  std::size_t batch;
};
constexpr sizes shapes[] = {{1, 1}, {1, 64}, {5, 64}, {90, 16}};

/// Lets estimators answer until a batch comes.
void draw_with_estimators(sampling_source& source, drawn_batch& b, std::uint64_t version,
                          float (*score)(std::uint32_t)) {
  for (int tries = 0; !source.draw(0.0, version, b); ++tries) {
    REQUIRE(tries < 10000);
    const auto order = source.next_order(16, version, 10.0);
    REQUIRE(!order.ids.empty()); // who waits must give something to wait for
    std::vector<float> scores;
    for (const auto id : order.ids)
      scores.push_back(score(id));
    source.order_measured(order.ticket, scores, version);
  }
}

} // namespace

TEST_CASE(
    "selectors: whatever the priorities, the parts and the sizes, batches are filled with valid points and "
    "usable weights") {
  int tried = 0;
  for (const auto& description : combinations()) {
    const auto text = dump_json(description);
    CAPTURE(std::string(text));
    if (!make_if_allowed(description))
      continue;
    for (const auto& c : cases) {
      CAPTURE(std::string(c.name));
      for (const auto& shape : shapes) {
        CAPTURE(shape.points);
        CAPTURE(shape.batch);
        auto source = source_of(description, shape.points, shape.batch);
        source.set_estimators(2);
        ++tried;
        drawn_batch b;
        for (std::uint64_t step = 1; step < 12; ++step) {
          draw_with_estimators(source, b, step, c.score);
          REQUIRE(!b.ids.empty());
          REQUIRE(b.ids.size() <= shape.batch);
          REQUIRE(b.weights.size() == b.ids.size());
          REQUIRE((b.frequencies.empty() || b.frequencies.size() == b.ids.size()));
          for (std::size_t i = 0; i < b.ids.size(); ++i) {
            REQUIRE(b.ids[i] < shape.points);
            REQUIRE(std::isfinite(b.weights[i]));
            REQUIRE(b.weights[i] > 0.0F);
          }
          for (const float f : b.frequencies) {
            REQUIRE(std::isfinite(f));
            REQUIRE(f > 0.0F);
          }
          std::vector<float> scores;
          for (const auto id : b.ids)
            scores.push_back(c.score(id));
          source.record_byproducts(b, scores, step);
        }
        const auto figures = source.figures(12);
        CHECK(std::isfinite(figures.effective_sample_share));
        CHECK(figures.samples_drawn == source.samples_drawn());
        CHECK(figures.samples_prioritized <= figures.samples_drawn);
      }
    }
  }
  CHECK(tried > 1000);
}

TEST_CASE("selectors: every resolved description reads as itself, and says what every option is") {
  for (const auto& description : combinations()) {
    const auto made = make_if_allowed(description);
    if (!made)
      continue;
    CAPTURE(dump_json(description));
    for (const auto& [name, value] : description.as_object()) {
      CAPTURE(name);
      REQUIRE(made->resolved.find(name) != nullptr);
    }
    const auto again = describe_sampling(made->resolved);
    CHECK(dump_json(again.resolved) == dump_json(made->resolved));
    CHECK((made->score == nullptr) == !made->selector->uses_priorities());
  }
}

TEST_CASE("selectors: one seed, one sequence; another seed, another sequence") {
  for (const auto& entry : selectors()) {
    CAPTURE(entry.name);
    const auto description = description_of(entry.name, {});
    constexpr std::size_t points = 1000;
    const auto sequence = [&](std::uint64_t seed) {
      auto source = source_of(description, points, 32, seed);
      record_all(source, heavy_scores(points, 1));
      std::vector<std::uint32_t> out;
      drawn_batch b;
      for (int i = 0; i < 30; ++i) {
        REQUIRE(source.draw(0.0, 1, b));
        out.insert(out.end(), b.ids.begin(), b.ids.end());
      }
      return out;
    };
    CHECK(sequence(1) == sequence(1));
    // The largest scores are the largest scores, whatever the seed: but for the order of a shuffle.
    if (entry.name != "topk_shard")
      CHECK(sequence(1) != sequence(2));
  }
}

TEST_CASE("selectors: a candidate is never invented: plans choose among what they are given") {
  constexpr std::size_t points = 400;
  constexpr std::size_t batch = 20;
  priority_table table(points);
  const auto scores = heavy_scores(points, 1);
  for (std::uint32_t id = 0; id < points; ++id)
    table.record(id, scores[id], 1);
  const priority_view view(table, 1);
  for (const auto& description : combinations()) {
    auto made = make_if_allowed(description);
    if (!made)
      continue;
    CAPTURE(dump_json(description));
    made->selector->start(points);
    const auto wanted = made->selector->candidates(batch, points);
    CHECK(wanted <= points);
    CHECK(wanted == made->selector->candidates(batch, points));
    if (wanted == 0)
      continue;
    rng random(4, 1);
    auto ids = numbers_below(points);
    for (int round = 0; round < 20; ++round) {
      shuffle(ids, random);
      // The last stretch of a pass is shorter.
      const std::size_t given = round % 2 == 0 ? wanted : 1 + random.below(wanted);
      const auto candidates = std::span<const std::uint32_t>(ids).first(given);
      selection_plan plan;
      made->selector->plan({candidates, view, {0.5, 0.5}, batch}, random, plan);
      REQUIRE(plan.weights.size() == plan.ids.size());
      for (const auto id : plan.ids)
        REQUIRE(std::find(candidates.begin(), candidates.end(), id) != candidates.end());
    }
  }
}
