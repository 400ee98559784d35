#include "sampling/noise_guard.hpp"

#include "core/rng.hpp"
#include "sampling/sampling_source.hpp"
#include "source_support.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <functional>
#include <numeric>
#include <set>

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t points = 4000;
constexpr std::size_t classes = 10;
const float chance = std::log(10.0F);

std::vector<std::int32_t> even_labels() {
  std::vector<std::int32_t> labels(points);
  for (std::size_t i = 0; i < points; ++i)
    labels[i] = static_cast<std::int32_t>(i % classes);
  return labels;
}

noise_guard make_guard(const point_classes& known, const char* json = R"({"mode": "pass_over"})",
                       std::size_t size = points) {
  noise_guard g;
  auto document = parse_json(json, "guard");
  REQUIRE(document.ok());
  REQUIRE(read_options(*document, {"guard", ""}, [&](option_visitor& v) { g.visit(v); }).ok());
  REQUIRE(g.prepare({"run.json", "/sampling/guard"}).ok());
  g.start(size, known);
  return g;
}

void visit(noise_guard& g, std::uint32_t from, std::uint32_t to,
           const std::function<float(std::uint32_t)>& loss) {
  std::vector<std::uint32_t> ids(to - from);
  std::iota(ids.begin(), ids.end(), from);
  std::vector<float> losses(ids.size());
  std::transform(ids.begin(), ids.end(), losses.begin(), loss);
  g.observe(ids, losses);
}

bool wrong_label(std::uint32_t id) {
  return id % 5 == 3; // 20 %
}
float noisy_loss(std::uint32_t id) {
  return wrong_label(id) ? 3.5F : 0.4F;
}

} // namespace

TEST_CASE("noise guard: doubts that come back are wrong labels, and exactly these are suspects") {
  const auto labels = even_labels();
  auto g = make_guard({labels, classes});
  CHECK(!g.due(0.99));
  visit(g, 0, points, noisy_loss);
  REQUIRE(g.due(1.0));
  g.look(1.0); // one visit each: hard or wrong cannot be told yet
  CHECK(g.closes());
  CHECK(!g.passes_over());
  CHECK(g.take_reason().find("20.0 %") != std::string::npos);
  CHECK(*g.suspect_share() == doctest::Approx(0.2));
  CHECK(!g.due(1.2));
  visit(g, 0, points / 2, noisy_loss);
  g.look(1.25);
  CHECK(!g.closes());
  CHECK(g.passes_over());
  CHECK(g.take_reason().find("passes over the suspects at epoch 1.25") != std::string::npos);
  CHECK(g.take_reason().empty());
  for (std::uint32_t id = 0; id < points; ++id)
    REQUIRE(g.suspect(id) == wrong_label(id));
}

TEST_CASE("noise guard: points that are hard but learned are left alone") {
  const auto labels = even_labels();
  auto g = make_guard({labels, classes});
  visit(g, 0, points, [](auto id) { return id % 10 < 3 ? 3.5F : 0.4F; });
  g.look(1.0);
  CHECK(g.closes());
  visit(g, 0, points, [](auto id) { return id % 10 == 0 ? 3.5F : 0.4F; }); // a third is still hard
  g.look(2.0);
  CHECK(*g.persistence() == doctest::Approx(1.0 / 3.0).epsilon(0.05));
  CHECK(!g.closes());
  CHECK(!g.passes_over());
}

TEST_CASE("noise guard: a few doubtful points are no noise") {
  const auto labels = even_labels();
  auto g = make_guard({labels, classes});
  for (const double epoch : {1.0, 2.0, 3.0}) {
    visit(g, 0, points, [](auto id) { return id % 20 == 0 ? 3.5F : 0.4F; });
    g.look(epoch);
    CHECK(!g.closes());
    CHECK(!g.passes_over());
    CHECK(g.take_reason().empty());
  }
}

TEST_CASE("noise guard: where nothing was learned nothing is passed over, but nothing preferred either") {
  const auto labels = even_labels();
  auto g = make_guard({labels, classes});
  const auto loss = [](std::uint32_t id) { return chance + (id % 2 == 0 ? 0.05F : -0.05F); };
  visit(g, 0, points, loss);
  g.look(1.0);
  visit(g, 0, points, loss);
  g.look(2.0);
  CHECK(g.closes());
  CHECK(!g.passes_over());
  CHECK(g.take_reason().find("turns prioritization off") != std::string::npos);
}

TEST_CASE("noise guard: mode close never passes over; mode off and data without classes never act") {
  const auto labels = even_labels();
  const auto verdict = [&](const point_classes& known, const char* json) {
    auto g = make_guard(known, json);
    for (const double epoch : {1.0, 2.0}) {
      visit(g, 0, points, noisy_loss);
      if (g.due(epoch))
        g.look(epoch);
    }
    return std::pair(g.closes(), g.passes_over());
  };
  CHECK(verdict({labels, classes}, R"({"mode": "close"})") == std::pair(true, false));
  CHECK(verdict({labels, classes}, R"({"mode": "off"})") == std::pair(false, false));
  CHECK(verdict({}, R"({"mode": "pass_over"})") == std::pair(false, false));
}

TEST_CASE("noise guard: acts until the share has fallen well below, and suspects can prove themselves") {
  const auto labels = even_labels();
  auto g = make_guard({labels, classes});
  for (const double epoch : {1.0, 2.0}) {
    visit(g, 0, points, noisy_loss);
    g.look(epoch);
  }
  REQUIRE(g.passes_over());
  const auto learned_below = [](std::uint32_t until) {
    return [until](std::uint32_t id) { return id < until ? 0.4F : noisy_loss(id); };
  };
  for (int i = 0; i < 2; ++i)
    visit(g, 0, points, learned_below(points * 6 / 10)); // 8 % left: below the share, within the hysteresis
  CHECK(!g.suspect(3));
  g.look(3.0);
  CHECK(g.passes_over());
  for (int i = 0; i < 2; ++i)
    visit(g, 0, points, learned_below(points * 7 / 10)); // 6 %
  g.look(4.0);
  CHECK(!g.passes_over());
  CHECK(!g.closes());
}

TEST_CASE("noise guard: suspects that keep clearing themselves end the suspicion") {
  const auto labels = even_labels();
  auto g = make_guard({labels, classes});
  for (const double epoch : {1.0, 2.0}) {
    visit(g, 0, points, noisy_loss);
    g.look(epoch);
  }
  REQUIRE(g.passes_over());
  // Every other visit of a suspect is fine: its average stays high.
  for (int i = 0; i < 12; ++i)
    visit(g, 0, points, [&](auto id) { return wrong_label(id) ? (i % 2 == 0 ? 0.4F : 6.0F) : 0.4F; });
  g.look(3.0);
  REQUIRE(*g.suspect_share() > 0.1);
  CHECK(*g.persistence() < 0.1);
  CHECK(!g.passes_over());
  CHECK(!g.closes());
}

TEST_CASE("noise guard: a rare class is expected to have larger losses") {
  std::vector<std::int32_t> labels(points, 0);
  for (std::size_t i = 0; i < points / 5; ++i)
    labels[i] = 1;
  for (std::size_t i = 0; i < 10; ++i)
    labels[i] = 2; // ln(400) = 6
  auto g = make_guard({labels, 3});
  visit(g, 0, points, [](auto id) { return id < 10 ? 4.0F : 1.3F; }); // above ln(3), below ln(5)
  CHECK(!g.suspect(0));
  CHECK(!g.suspect(100));
  CHECK(g.suspect(points - 1)); // of the large class
}

TEST_CASE("noise guard: a saved one goes on as it was, and one for other data is refused") {
  const auto labels = even_labels();
  auto g = make_guard({labels, classes});
  visit(g, 0, points, noisy_loss);
  g.look(1.0);
  auto copy = make_guard({labels, classes});
  REQUIRE(copy.load(g.save()).ok());
  for (auto* one : {&g, &copy}) {
    CHECK(!one->due(1.2));
    visit(*one, 0, points / 2, noisy_loss);
    one->look(1.25);
    CHECK(one->passes_over());
  }
  CHECK(*g.persistence() == *copy.persistence());
  CHECK(!make_guard({labels, classes}, R"({"mode": "close"})", points / 2).load(g.save()).ok());
}

TEST_CASE("noise guard: losses that are not finite do not count") {
  const auto labels = even_labels();
  auto g = make_guard({labels, classes});
  visit(g, 0, points, [](auto) { return std::nanf(""); });
  g.look(1.0);
  CHECK(!g.suspect_share());
  CHECK(!g.closes());
}

namespace {

struct labelled_source {
  std::vector<std::int32_t> labels = even_labels();
  sampling_source source;
  explicit labelled_source(const char* json)
      : source(
            [&] {
              auto made = make_sampling(*parse_json(json, "s"), {"s", ""});
              REQUIRE_MESSAGE(made.ok(), made.error().message);
              return made.take();
            }(),
            points, 50, 7, {labels, classes}) {}
  /// Trains a batch whose losses and scores are those of noisy labels.
  drawn_batch step() {
    drawn_batch b;
    REQUIRE(source.draw(0.1, ++version, b));
    std::vector<float> losses(b.ids.size());
    std::transform(b.ids.begin(), b.ids.end(), losses.begin(), noisy_loss);
    source.record_byproducts(b, losses, version);
    source.observe_losses(b, losses);
    return b;
  }
  std::uint64_t version = 0;
};

constexpr const char* guarded = R"({"type": "pps_epoch", "guard": {"mode": "MODE"}})";

std::string with_mode(const char* mode) {
  std::string text = guarded;
  return text.replace(text.find("MODE"), 4, mode);
}

} // namespace

TEST_CASE("a source with a closing guard keeps the uniform order, bit for bit") {
  labelled_source guarded_source(with_mode("close").c_str());
  labelled_source unguarded(with_mode("off").c_str());
  labelled_source uniform(R"({"type": "uniform"})");
  bool differed = false;
  for (std::size_t i = 0; i < 4 * points / 50; ++i) {
    const auto a = guarded_source.step();
    const auto b = uniform.step();
    REQUIRE(a.ids == b.ids);
    REQUIRE(a.weights == b.weights);
    differed = differed || unguarded.step().ids != b.ids;
  }
  CHECK(differed);
  CHECK(guarded_source.source.figures(1).selector.phase == "guarded");
}

TEST_CASE("a source with a guard passes over suspects but for some visits, and over nobody else") {
  labelled_source s(with_mode("pass_over").c_str());
  for (std::size_t i = 0; i < 2 * points / 50; ++i)
    s.step();
  std::vector<int> visits(points, 0);
  double wrong = 0.0;
  double all = 0.0;
  for (std::size_t i = 0; i < 6 * points / 50; ++i)
    for (const auto id : s.step().ids) {
      ++visits[id];
      all += 1.0;
      wrong += wrong_label(id) ? 1.0 : 0.0;
    }
  // A tenth of one fifth against four fifths, and as many of both where plans prefer large scores.
  CHECK(wrong / all < 0.25 * 0.2);
  CHECK(wrong > 0.0);
  for (std::uint32_t id = 0; id < points; ++id)
    if (!wrong_label(id))
      REQUIRE(visits[id] > 0);
}

TEST_CASE("a guard that takes points out of the order needs a selector with an order") {
  const auto made = make_sampling(
      *parse_json(R"({"type": "multinomial", "guard": {"mode": "pass_over"}})", "s"), {"s", ""});
  REQUIRE(!made.ok());
  CHECK(made.error().message.find("\"close\"") != std::string::npos);
}

TEST_CASE("pps_epoch: class_balance 1 trains every class as often, and none is forgotten") {
  std::vector<std::int32_t> labels(points, 0);
  for (std::size_t i = 0; i < points / 16; ++i)
    labels[i] = 1;
  auto made = make_sampling(
      *parse_json(R"({"type": "pps_epoch", "class_balance": 1, "pi_max": 16, "pi_min": 0.01, "alpha": 0,
                      "weights": "none", "kappa": 0.5, "warm_epochs": 0, "gate": {"mode": "off"}})",
                  "s"),
      {"s", ""});
  REQUIRE_MESSAGE(made.ok(), made.error().message);
  sampling_source source(made.take(), points, 50, 3, {labels, 2});
  std::vector<std::uint32_t> ids(points);
  std::iota(ids.begin(), ids.end(), 0U);
  source.record(ids, std::vector<float>(points, 1.0F), 1);
  double rare = 0.0;
  double all = 0.0;
  for (std::size_t i = 0; i < 4 * points / 50; ++i) {
    drawn_batch b;
    REQUIRE(source.draw(0.1, 1, b));
    for (const auto id : b.ids) {
      all += 1.0;
      rare += labels[id] == 1 ? 1.0 : 0.0;
    }
  }
  CHECK(rare / all == doctest::Approx(0.5).epsilon(0.05));
}

TEST_CASE("noise guard: with irreducible losses suspects are known from the start, whatever the run says") {
  const auto labels = even_labels();
  std::vector<float> losses(points);
  for (std::uint32_t id = 0; id < points; ++id)
    losses[id] = noisy_loss(id);
  const irreducible_file file(losses);
  const auto options = R"({"mode": "pass_over", "irreducible_losses": ")" + file.path() + "\"}";
  auto g = make_guard({labels, classes}, options.c_str());
  CHECK(g.passes_over());
  const auto reason = g.take_reason();
  CHECK(reason.find("models that have not seen them give 20.0 %") != std::string::npos);
  CHECK(!g.due(1e6));
  visit(g, 0, points, [](auto id) { return wrong_label(id) ? 0.1F : 5.0F; }); // memorised, and unlearned
  for (std::uint32_t id = 0; id < points; ++id)
    REQUIRE(g.suspect(id) == wrong_label(id));
}

TEST_CASE("noise guard: a resumed run that was given irreducible losses goes by them, one that lost them "
          "looks again") {
  const auto labels = even_labels();
  std::vector<float> losses(points);
  for (std::uint32_t id = 0; id < points; ++id)
    losses[id] = noisy_loss(id);
  const irreducible_file file(losses);
  const auto options = R"({"mode": "pass_over", "irreducible_losses": ")" + file.path() + "\"}";
  auto without = make_guard({labels, classes});
  visit(without, 0, points, [](auto) { return 0.1F; });
  without.look(1.0);
  REQUIRE(!without.passes_over());
  auto with = make_guard({labels, classes}, options.c_str());
  REQUIRE(with.load(without.save()).ok());
  CHECK(with.passes_over());
  CHECK(with.suspect(3));
  auto again = make_guard({labels, classes});
  REQUIRE(again.load(with.save()).ok());
  CHECK(again.passes_over());
  REQUIRE(again.due(1.0));
  visit(again, 0, points, [](auto) { return 0.1F; });
  visit(again, 0, points, [](auto) { return 0.1F; });
  again.look(1.0);
  CHECK(!again.passes_over());
}

TEST_CASE(
    "noise guard: irreducible losses of clean data, and of models that learned nothing, pass nothing over") {
  const auto labels = even_labels();
  const auto verdict = [&](const std::vector<float>& losses) {
    const irreducible_file file(losses);
    const auto options = R"({"mode": "pass_over", "irreducible_losses": ")" + file.path() + "\"}";
    const auto g = make_guard({labels, classes}, options.c_str());
    CHECK(!g.passes_over());
    return g.closes();
  };
  CHECK(!verdict(std::vector<float>(points, 0.2F)));
  CHECK(verdict(std::vector<float>(points, chance + 0.1F)));
}

TEST_CASE("noise guard: irreducible losses of other data, and for data without classes, are refused") {
  const irreducible_file file(points);
  noise_guard g;
  const auto document =
      parse_json(R"({"mode": "pass_over", "irreducible_losses": ")" + file.path() + "\"}", "guard");
  REQUIRE(read_options(*document, {"guard", ""}, [&](option_visitor& v) { g.visit(v); }).ok());
  REQUIRE(g.prepare({"run.json", "/sampling/guard"}).ok());
  CHECK(g.check(points, true, "data").ok());
  CHECK(g.check(points, true, "other").error().message.find("other data") != std::string::npos);
  CHECK(g.check(points + 1, true, "data").error().message.find("4001 points") != std::string::npos);
  CHECK(g.check(points, false, "data").error().message.find("no classes") != std::string::npos);
}

TEST_CASE("noise guard: irreducible losses for a guard that is off are refused with what to set") {
  const irreducible_file file(points);
  noise_guard g;
  const auto document = parse_json(R"({"irreducible_losses": ")" + file.path() + "\"}", "guard");
  REQUIRE(read_options(*document, {"guard", ""}, [&](option_visitor& v) { g.visit(v); }).ok());
  const auto refused = g.prepare({"run.json", "/sampling/guard"});
  REQUIRE(!refused.ok());
  CHECK(refused.error().message.find("run.json, /sampling/guard") != std::string::npos);
  CHECK(refused.error().message.find("pass_over") != std::string::npos);
}
