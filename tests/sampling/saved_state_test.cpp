#include "source_support.hpp"

#include "sampling/presets.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>

// A sampling_source that is saved and loaded in the middle of anything goes on as if nothing had happened.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t points = 150;
constexpr std::size_t batch = 12;

/// Bit for bit: NaN stands for "absent" in some states.
bool same_state(const saved_state& a, const saved_state& b) {
  if (a.entries().size() != b.entries().size())
    return false;
  for (const auto& entry : a.entries()) {
    const auto* other = b.find(entry.name);
    if (other == nullptr || other->index() != entry.data.index())
      return false;
    const bool equal = std::visit(
        [&](const auto& values) {
          const auto& others = std::get<std::decay_t<decltype(values)>>(*other);
          return values.size() == others.size() &&
                 (values.empty() ||
                  std::memcmp(values.data(), others.data(), values.size() * sizeof(values[0])) == 0);
        },
        entry.data);
    if (!equal)
      return false;
  }
  return true;
}

/// All presets, and combinations that they leave out.
std::vector<json_value> descriptions(const irreducible_file& irreducible) {
  std::vector<json_value> out;
  for (const auto& preset : sampling_presets()) {
    json_value d;
    d.set("type", json_value(std::string(preset.name)));
    if (preset.name == "rho_loss") {
      json_value score;
      score.set("type", json_value("rho"));
      score.set("irreducible_losses", json_value(irreducible.path()));
      d.set("score", score);
    }
    out.push_back(d);
  }
  for (const char* text : {
           R"({"type": "uniform"})",
           R"({"type": "multinomial", "predictor": "exp_quadratic", "uniform_share": 0.3})",
           R"({"type": "multinomial", "candidates": 2, "predictor": "ema", "gate": {"mode": "measured"}})",
           R"({"type": "rank_inv", "predictor": "exp_linear", "anneal_fraction": 0.5})",
           R"({"type": "cdf_beta", "history": 20, "beta": 2})",
           R"({"type": "pps", "warm_epochs": 0.3, "gate": {"looks_per_epoch": 40}, "blocks_per_pass": 3})",
           R"({"type": "zhou_gao", "score": "projection_last", "mean_gradient": "fab_compat"})",
       })
    out.push_back(json_text(text));
  return out;
}

/// A run in small: draws, by-products, orders that are answered late, in any order, or lost.
class small_run {
public:
  small_run(sampling_source source, std::size_t estimators)
      : source_(std::move(source)), estimators_(estimators) {
    source_.set_estimators(estimators);
  }

  /// One event. What it did is added to the record.
  void step(rng& random, std::string& record) {
    ++time_;
    const auto kind = random.below(6);
    if (kind < 3) {
      drawn_batch b;
      const double fraction = std::min(static_cast<double>(source_.samples_drawn()) / (20.0 * points), 1.0);
      if (!source_.draw(fraction, time_, b)) {
        record += "wait;";
        answer(random, record);
        return;
      }
      for (std::size_t i = 0; i < b.ids.size(); ++i)
        record += std::to_string(b.ids[i]) + "*" + std::to_string(b.weights[i]) + ",";
      record += source_.take_remark() + source_.figures(time_).selector.phase + ";";
      drawn_.push_back(std::move(b));
    } else if (kind == 3 && !drawn_.empty()) {
      const drawn_batch b = std::move(drawn_.front());
      drawn_.pop_front();
      source_.record_byproducts(b, scores_of(b.ids), time_);
      if (random.below(4) == 0)
        source_.observe_speed(0.8 + 0.3 * random.uniform());
    } else {
      answer(random, record);
    }
  }
  /// Everything that is out comes back.
  void settle() {
    for (const auto& order : open_)
      source_.order_measured(order.ticket, scores_of(order.ids), time_, gradient_of(order.ids));
    open_.clear();
  }
  /// As when the process dies: batches and orders that are out are gone.
  [[nodiscard]] saved_state save() const { return source_.save(); }
  [[nodiscard]] result<void> load(const saved_state& state, const small_run& before) {
    time_ = before.time_;
    drawn_ = before.drawn_; // the coordinator's, who keeps them
    return source_.load(state);
  }
  [[nodiscard]] const sampling_source& source() const { return source_; }

private:
  void answer(rng& random, std::string& record) {
    if (estimators_ == 0)
      return;
    if (open_.size() < estimators_) {
      auto order = source_.next_order(1 + random.below(40), time_, 12.0);
      record += "order " + std::to_string(order.ids.size()) + ";";
      if (!order.ids.empty())
        open_.push_back(std::move(order));
    }
    if (open_.empty())
      return;
    const auto k = random.below(open_.size());
    const auto order = std::move(open_[k]);
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(k));
    if (random.below(8) == 0)
      source_.order_lost(order.ticket);
    else
      source_.order_measured(order.ticket, scores_of(order.ids), time_, gradient_of(order.ids));
  }
  /// Falls with time, each point at its own rate.
  [[nodiscard]] std::vector<float> scores_of(const std::vector<std::uint32_t>& ids) const {
    std::vector<float> out;
    for (const auto id : ids)
      out.push_back(5.0F * std::exp(-0.002F * static_cast<float>(time_ * (1 + id % 9))) +
                    0.01F * static_cast<float>(id % 13));
    return out;
  }
  [[nodiscard]] static std::vector<float> gradient_of(const std::vector<std::uint32_t>& ids) {
    float sum = 0.0F;
    for (const auto id : ids)
      sum += static_cast<float>(id);
    return {sum / static_cast<float>(ids.size()), 1.0F};
  }

  sampling_source source_;
  std::size_t estimators_;
  std::uint64_t time_ = 0;
  std::vector<refresh_order> open_;
  std::deque<drawn_batch> drawn_;
};

} // namespace

TEST_CASE("saved state: whatever was saved and loaded saves as the same again") {
  const irreducible_file irreducible(points);
  for (const auto& d : descriptions(irreducible)) {
    CAPTURE(dump_json(d));
    for (std::uint64_t moment = 0; moment < 12; ++moment) {
      small_run run(source_of(d, points, batch), 2);
      rng random(moment, 1);
      std::string record;
      for (std::uint64_t i = 0; i < moment * 40; ++i)
        run.step(random, record);
      run.settle();
      const auto state = run.save();
      auto copy = source_of(d, points, batch, 99);
      const auto loaded = copy.load(state);
      REQUIRE_MESSAGE(loaded.ok(), (loaded.ok() ? "" : loaded.error().message));
      CHECK(same_state(copy.save(), state));
    }
  }
}

TEST_CASE(
    "saved state: without estimators the run goes on identically from any moment: draws, weights, gate") {
  const irreducible_file irreducible(points);
  for (const auto& d : descriptions(irreducible)) {
    CAPTURE(dump_json(d));
    for (const int moment : {1, 17, 150, 400, 900}) {
      CAPTURE(moment);
      small_run run(source_of(d, points, batch), 0);
      rng random(5, 1);
      std::string before;
      for (int i = 0; i < moment; ++i)
        run.step(random, before);
      small_run copy(source_of(d, points, batch, 99), 0);
      REQUIRE(copy.load(run.save(), run).ok());
      rng again = random;
      std::string one;
      std::string other;
      for (int i = 0; i < 300; ++i) {
        run.step(random, one);
        copy.step(again, other);
      }
      CHECK(one == other);
      CHECK(same_state(run.save(), copy.save()));
    }
  }
}

TEST_CASE(
    "saved state: with estimators, two that were loaded from one state go on alike, orders and mean gradient "
    "included") {
  const irreducible_file irreducible(points);
  for (const auto& d : descriptions(irreducible)) {
    CAPTURE(dump_json(d));
    small_run run(source_of(d, points, batch), 3);
    rng random(6, 1);
    std::string before;
    for (int i = 0; i < 500; ++i)
      run.step(random, before); // orders are out
    small_run one(source_of(d, points, batch, 98), 3);
    small_run other(source_of(d, points, batch, 99), 3);
    REQUIRE(one.load(run.save(), run).ok());
    REQUIRE(other.load(run.save(), run).ok());
    rng again = random;
    std::string a;
    std::string b;
    for (int i = 0; i < 300; ++i) {
      one.step(random, a);
      other.step(again, b);
    }
    CHECK(a == b);
    CHECK(same_state(one.save(), other.save()));
  }
}

TEST_CASE(
    "saved state: policies that go round in turn continue exactly where they were, when nothing is out") {
  for (
      const char* text :
      {R"({"type": "zhou_gao"})", R"({"type": "alain"})",
       R"({"type": "rank_exp", "score": "loss", "estimator": {"type": "exact_sweep", "every_epochs": 0.3}})"}) {
    CAPTURE(std::string(text));
    small_run run(source_of(text, points, batch), 2);
    rng random(7, 1);
    std::string before;
    for (int i = 0; i < 333; ++i)
      run.step(random, before);
    run.settle();
    small_run copy(source_of(text, points, batch, 99), 2);
    REQUIRE(copy.load(run.save(), run).ok());
    rng again = random;
    std::string one;
    std::string other;
    for (int i = 0; i < 300; ++i) {
      run.step(random, one);
      copy.step(again, other);
    }
    CHECK(one == other);
  }
}

TEST_CASE("saved state: any entry that is missing is named, and so is one of the wrong kind") {
  for (const char* text :
       {R"({"type": "auto"})", R"({"type": "zhou_gao"})", R"({"type": "cdf_beta"})",
        R"({"type": "multinomial", "predictor": "exp_quadratic"})", R"({"type": "rank_exp"})"}) {
    CAPTURE(std::string(text));
    auto source = source_of(text, points, batch);
    record_all(source, heavy_scores(points, 3));
    const auto state = source.save();
    for (const auto& entry : state.entries()) {
      CAPTURE(entry.name);
      saved_state without;
      saved_state wrong;
      for (const auto& e : state.entries()) {
        if (e.name != entry.name)
          without.put(e.name, e.data);
        wrong.put(e.name,
                  e.name == entry.name ? saved_state::values(std::vector<std::int32_t>{1, 2, 3}) : e.data);
      }
      const auto last_name = entry.name.substr(entry.name.rfind('/') + 1);
      for (const auto* damaged : {&without, &wrong}) {
        auto fresh = source_of(text, points, batch);
        const auto loaded = fresh.load(*damaged);
        REQUIRE(!loaded.ok());
        CHECK(loaded.error().kind == error_kind::data);
        CHECK_MESSAGE(loaded.error().message.find(last_name) != std::string::npos, loaded.error().message);
      }
    }
  }
}

TEST_CASE("saved state: numbers of points that are not there never get in") {
  auto source =
      source_of(R"({"type": "presample_topb", "candidates": 3, "score": "loss", "estimator": "presample"})",
                points, batch);
  source.set_estimators(1);
  drawn_batch b;
  CHECK(!source.draw(0.0, 1, b)); // a pool waits
  const auto state = source.save();
  for (const auto& entry : state.entries()) {
    const auto* ids = std::get_if<std::vector<std::uint32_t>>(&entry.data);
    if (ids == nullptr || ids->empty() || entry.name.find("version") != std::string::npos)
      continue;
    CAPTURE(entry.name);
    auto damaged = state;
    auto values = *ids;
    values.back() = points;
    damaged.put(entry.name, values);
    auto fresh =
        source_of(R"({"type": "presample_topb", "candidates": 3, "score": "loss", "estimator": "presample"})",
                  points, batch);
    CHECK(!fresh.load(damaged).ok());
  }
}

TEST_CASE("saved state: what an estimator had not brought back is measured again after a load") {
  for (const char* text : {R"({"type": "zhou_gao"})",
                           R"({"type": "rank_exp", "score": "loss",
                               "estimator": {"type": "exact_sweep", "every_epochs": 100}})"}) {
    CAPTURE(std::string(text));
    auto source = source_of(text, points, batch);
    source.set_estimators(1);
    const auto answered = source.next_order(20, 0, 10.0);
    const auto lost = source.next_order(30, 0, 10.0);
    const auto out = source.next_order(25, 0, 10.0);
    source.order_measured(answered.ticket, std::vector<float>(20, 1.0F), 0, std::vector<float>{1.0F, 0.0F});
    source.order_lost(lost.ticket);
    auto copy = source_of(text, points, batch);
    copy.set_estimators(1);
    REQUIRE(copy.load(source.save()).ok());
    // The old tickets mean nothing any more.
    copy.order_measured(out.ticket + 1000, std::vector<float>(25, 1.0F), 0);
    std::map<std::uint32_t, int> handed;
    while (true) {
      const auto order = copy.next_order(40, 0, 10.0);
      if (order.ids.empty())
        break;
      for (const auto id : order.ids)
        ++handed[id];
      copy.order_measured(order.ticket, std::vector<float>(order.ids.size(), 1.0F), 0,
                          std::vector<float>{0.0F, 1.0F});
    }
    CHECK(handed.size() == points - 20);
    for (const auto id : answered.ids)
      CHECK(handed.count(id) == 0);
    drawn_batch b;
    CHECK(copy.draw(0.0, 0, b)); // the whole sweep is there
    if (text == std::string_view(R"({"type": "zhou_gao"})")) {
      // And the gradient of the part that was measured before the save is in the mean.
      const double x = 20.0 / points;
      CHECK(b.direction.view()[0] == doctest::Approx(x / std::hypot(x, 1.0 - x)));
    }
  }
}
