#include "source_support.hpp"
#include "statistics_support.hpp"

#include <algorithm>
#include <array>

// The acceptance test of unbiasedness: parameters are fixed, scores are stale; the weighted gradients of a
// plan have the full gradient as their expectation where a selector says so, and elsewhere they do not.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t points = 120;
constexpr std::size_t batch = 16;
constexpr int plans = 10000;
constexpr std::size_t dimensions = 4;
using gradient = std::array<double, dimensions>;

/// Gradients of the points, and scores that once were their lengths.
struct problem {
  problem() : table(points) {
    rng random(21, 3);
    for (std::uint32_t id = 0; id < points; ++id) {
      const double length = std::exp(random.normal());
      double square = 0.0;
      for (double& g : gradients.at(id)) {
        // Large gradients lean to one side: whoever prefers them, sees it in the mean.
        g = length * (0.5 + random.normal());
        square += g * g;
      }
      table.record(id, static_cast<float>(std::sqrt(square) * std::exp(0.7 * random.normal())), 1);
    }
    for (std::size_t d = 0; d < dimensions; ++d)
      for (const auto& g : gradients)
        sum.at(d) += g.at(d);
  }
  std::array<gradient, points> gradients{};
  gradient sum{};
  priority_table table;
};

struct outcome {
  std::array<running_mean, dimensions> full;     ///< estimates of the sum of all gradients
  std::array<running_mean, dimensions> residual; ///< of what is left after the mean is taken out of it
};

/// What a plan's weighted sum is multiplied with to estimate the sum over all points.
double scale_of(std::string_view description, const selector& chosen, const selection_plan& plan) {
  if (description.find("infobatch") != std::string_view::npos)
    return 1.0; // its steps are longer by as much as the pass is shorter
  if (description.find("pps_epoch") ==
      std::string_view::npos) // draws: the mean over the batch, times the points
    return static_cast<double>(points) / static_cast<double>(plan.ids.size());
  // A plan's step is declared to be that of uniform sampling times min(1 / kappa, gain, step_gain_max).
  const auto f = chosen.figures();
  return 1.0 / (*f.kappa * std::min({1.0 / *f.kappa, *f.predicted_gain, 1.0}));
}

outcome many_plans(std::string_view description, const problem& p) {
  auto chosen = selector_of(description, points);
  for (std::uint32_t id = 0; id < points; ++id)
    chosen->priority_changed(id, p.table.value(id));
  const priority_view view(p.table, 1);
  const std::size_t wanted = chosen->candidates(batch, points);
  rng random(5, 5);
  auto ids = numbers_below(points);
  outcome out;
  for (int k = 0; k < plans; ++k) {
    shuffle(ids, random);
    selection_plan plan;
    chosen->plan({std::span(ids).first(wanted), view, {0.0, 0.0}, batch}, random, plan);
    gradient weighted{};
    double weights = 0.0;
    for (std::size_t i = 0; i < plan.ids.size(); ++i) {
      const auto w = static_cast<double>(plan.weights[i]);
      weights += w;
      for (std::size_t d = 0; d < dimensions; ++d)
        weighted.at(d) += w * p.gradients.at(plan.ids[i]).at(d);
    }
    const double scale = plan.ids.empty() ? 0.0 : scale_of(description, *chosen, plan);
    for (std::size_t d = 0; d < dimensions; ++d) {
      out.full.at(d).add(scale * weighted.at(d));
      out.residual.at(d).add(weighted.at(d) - weights * p.sum.at(d) / static_cast<double>(points));
    }
  }
  return out;
}

} // namespace

TEST_CASE("unbiasedness: the mean over 10^4 plans of the weighted gradients is the full gradient, within 3 "
          "standard errors") {
  const problem p;
  for (const char* description : {
           R"({"type": "pps_epoch", "blocks_per_pass": 1})",
           R"({"type": "pps_epoch", "blocks_per_pass": 1, "kappa": 0.3, "pi_max": 2, "weight_clip": 100})",
           R"({"type": "infobatch"})",
           R"({"type": "multinomial", "uniform_share": 0.1})",
           R"({"type": "multinomial", "alpha": 0.5, "smoothing": 0.3, "uniform_share": 0})",
           R"({"type": "multinomial", "candidates": 3, "uniform_share": 0})",
           R"({"type": "rank_exp", "weights": "full", "pressure": 20, "pressure_end": 20})",
           R"({"type": "rank_inv", "weights": "full", "alpha": 0.5})",
       }) {
    CAPTURE(std::string(description));
    REQUIRE(describe_sampling(description).selector->unbiased());
    const auto seen = many_plans(description, p);
    for (std::size_t d = 0; d < dimensions; ++d) {
      CAPTURE(d);
      CHECK(seen.full.at(d).misses(p.sum.at(d)) < 3.0);
      CHECK(seen.residual.at(d).misses(0.0) < 3.0);
    }
  }
}

TEST_CASE("unbiasedness, negative control: without full weights the same test fails, whatever the scale") {
  const problem p;
  for (const char* description : {
           R"({"type": "topk_shard", "share": 0.2})",
           R"({"type": "cdf_beta", "beta": 1})",
           R"({"type": "presample_topb", "candidates": 4})",
           R"({"type": "rank_exp"})",
           R"({"type": "rank_inv"})",
           R"({"type": "multinomial", "weights": "none"})",
           R"({"type": "multinomial", "weights": {"type": "ht", "beta": 0.5}})",
           R"({"type": "multinomial", "weights": "biased_k"})",
           R"({"type": "pps_epoch", "blocks_per_pass": 1, "weights": "none", "gate": {"mode": "off"}})",
       }) {
    CAPTURE(std::string(description));
    REQUIRE(!describe_sampling(description).selector->unbiased());
    const auto seen = many_plans(description, p);
    double worst = 0.0;
    for (const auto& r : seen.residual)
      worst = std::max(worst, r.misses(0.0));
    CHECK(worst > 6.0);
  }
}

TEST_CASE("unbiasedness: a clipped weight is a bias, and one that is as large as the weights need is none") {
  const problem p;
  const auto worst_of = [&](const char* description) {
    const auto seen = many_plans(description, p);
    double worst = 0.0;
    for (const auto& r : seen.residual)
      worst = std::max(worst, r.misses(0.0));
    return worst;
  };
  CHECK(worst_of(R"({"type": "pps_epoch", "blocks_per_pass": 1, "kappa": 0.3, "weight_clip": 1.5})") > 6.0);
  CHECK(worst_of(R"({"type": "pps_epoch", "blocks_per_pass": 1, "kappa": 0.3, "weight_clip": 10})") < 3.0);
}

TEST_CASE(
    "unbiasedness: the step of a plan is 1/kappa times the uniform one, but never longer than the noise "
    "or the limit allow") {
  const problem p;
  const auto step_of = [&](const char* description) {
    auto chosen = selector_of(description, points);
    const priority_view view(p.table, 1);
    const auto ids = numbers_below(points);
    rng random(1, 1);
    selection_plan plan;
    chosen->plan({ids, view, {}, batch}, random, plan);
    // Of one point: weight times inclusion probability is the step's scale, the same for all.
    std::vector<double> scales;
    for (std::size_t i = 0; i < plan.ids.size(); ++i)
      scales.push_back(static_cast<double>(plan.weights[i]) * static_cast<double>(plan.frequencies[i]));
    for (const double s : scales)
      CHECK(s == doctest::Approx(scales[0]).epsilon(1e-5));
    struct {
      double longer, kappa, gain;
    } out{scales[0] / *chosen->figures().kappa, *chosen->figures().kappa, *chosen->figures().predicted_gain};
    return out;
  };
  const auto plain = step_of(R"({"type": "pps_epoch", "blocks_per_pass": 1, "kappa": 0.4})");
  CHECK(plain.longer == doctest::Approx(1.0).epsilon(1e-4));
  const auto limited =
      step_of(R"({"type": "pps_epoch", "blocks_per_pass": 1, "kappa": 0.4, "step_gain_max": 1.3})");
  REQUIRE(limited.gain > 1.3);
  CHECK(limited.longer == doctest::Approx(1.3).epsilon(1e-4));
  const auto by_noise =
      step_of(R"({"type": "pps_epoch", "blocks_per_pass": 1, "kappa": 0.4, "step_gain_max": 50})");
  CHECK(by_noise.longer == doctest::Approx(std::min(1.0 / by_noise.kappa, by_noise.gain)).epsilon(1e-4));
}
