#include "sampling/inclusion.hpp"

#include "source_support.hpp"
#include "statistics_support.hpp"

#include <algorithm>
#include <map>
#include <set>

using namespace triage;
using namespace triage::test;

namespace {

std::vector<double> heavy_sizes(std::size_t n, std::uint64_t seed, double spread = 1.5) {
  const auto scores = heavy_scores(n, seed, spread);
  return {scores.begin(), scores.end()};
}

/// Mean probability and added noise for a factor c, by the definition.
struct by_definition {
  double kappa = 0.0;
  double noise = 0.0;
};
by_definition evaluate(const std::vector<double>& strengths, const std::vector<double>& sizes,
                       const inclusion_rule& rule, double c) {
  double sum = 0.0;
  double squares = 0.0;
  double weighted = 0.0;
  for (std::size_t i = 0; i < strengths.size(); ++i) {
    const double pi = strengths[i] < 0.0 ? 1.0 : std::clamp(c * strengths[i], rule.smallest, rule.largest);
    sum += pi;
    squares += sizes[i] * sizes[i];
    weighted += sizes[i] * sizes[i] / pi;
  }
  return {sum / static_cast<double>(strengths.size()), weighted / squares - 1.0};
}

/// The factor that a plan used, from a point that neither limit has touched.
double factor_of(const inclusion_plan& plan, const std::vector<double>& strengths,
                 const inclusion_rule& rule) {
  for (std::size_t i = 0; i < strengths.size(); ++i)
    if (strengths[i] > 0.0 && plan.probability[i] > rule.smallest && plan.probability[i] < rule.largest)
      return plan.probability[i] / strengths[i];
  return 0.0;
}

} // namespace

TEST_CASE("inclusion frequencies are the stated probabilities: chi-square over 10^4 plans, p above 0.01") {
  constexpr std::size_t points = 400;
  constexpr int plans = 10000;
  priority_table table(points);
  const auto scores = heavy_scores(points, 5);
  for (std::uint32_t id = 0; id < points; ++id)
    table.record(id, scores[id], 1);
  const priority_view view(table, 1);
  for (const char* description :
       {R"({"type": "pps_epoch", "blocks_per_pass": 1, "kappa": 0.3, "weight_clip": 100})",
        R"({"type": "infobatch", "prune_probability": 0.4})"}) {
    CAPTURE(std::string(description));
    auto chosen = selector_of(description, points);
    auto ids = numbers_below(points);
    rng random(11, 1);
    std::vector<double> counts(points, 0.0);
    std::vector<double> stated(points, 0.0);
    for (int k = 0; k < plans; ++k) {
      shuffle(ids, random);
      selection_plan plan;
      chosen->plan({ids, view, {}, 32}, random, plan);
      REQUIRE(plan.frequencies.size() == plan.ids.size());
      for (std::size_t i = 0; i < plan.ids.size(); ++i) {
        const auto id = plan.ids[i];
        counts[id] += 1.0;
        const auto pi = static_cast<double>(plan.frequencies[i]);
        REQUIRE((stated[id] == 0.0 || stated[id] == doctest::Approx(pi).epsilon(1e-6)));
        stated[id] = pi;
      }
    }
    double statistic = 0.0;
    std::size_t uncertain = 0;
    for (std::size_t id = 0; id < points; ++id) {
      REQUIRE(stated[id] > 0.0); // everybody was chosen at some time
      if (stated[id] >= 1.0) {
        CHECK(counts[id] == plans); // certain points are in every plan
        continue;
      }
      const double expected = plans * stated[id];
      statistic += (counts[id] - expected) * (counts[id] - expected) / (expected * (1.0 - stated[id]));
      ++uncertain;
    }
    REQUIRE(uncertain > points / 4);
    CHECK(statistic < chi_square_limit(uncertain));
    // As far below as above: a sample more regular than chance would not be what is stated either.
    CHECK(statistic > 2.0 * static_cast<double>(uncertain) - chi_square_limit(uncertain));
  }
}

TEST_CASE("inclusion: the chi-square of the negative control fails: probabilities that are a tenth off") {
  rng random(11, 2);
  const std::vector<double> p(200, 0.33);
  std::vector<double> counts(p.size(), 0.0);
  constexpr int rounds = 10000;
  for (int k = 0; k < rounds; ++k)
    systematic_sample(p, random, [&](std::size_t i, std::uint32_t copies) { counts[i] += copies; });
  const auto statistic = [&](double stated) {
    double sum = 0.0;
    for (const double c : counts)
      sum += std::pow(c - rounds * stated, 2.0) / (rounds * stated * (1.0 - stated));
    return sum;
  };
  CHECK(statistic(0.30) > chi_square_limit(p.size()));
}

TEST_CASE("inclusion: within a pass no point comes twice, and with pi_max 2 none three times") {
  constexpr std::size_t points = 200;
  for (const std::uint32_t most : {1U, 2U}) {
    CAPTURE(most);
    auto source =
        source_of(R"({"type": "pps_epoch", "warm_epochs": 0, "tail_uniform_fraction": 0, "kappa": 0.3,
                                "pi_max": )" +
                      std::to_string(most) + R"(, "gate": {"mode": "off"}})",
                  points, 16);
    const auto scores = heavy_scores(points, 8, 2.0);
    auto ids = numbers_below(points);
    ids.erase(ids.begin()); // number 0 is never measured: certain, and so it counts the passes
    std::vector<float> known(scores.begin() + 1, scores.end());
    source.record(ids, known, 1);
    std::vector<std::uint32_t> visits(points, 0);
    std::uint32_t repeated = 0;
    drawn_batch b;
    while (visits[0] < 60) {
      REQUIRE(source.draw(0.0, 1, b));
      for (const auto id : b.ids)
        ++visits[id];
      for (const auto v : visits) {
        REQUIRE(v <= most * (visits[0] + 1));
        repeated = std::max(repeated, v > visits[0] + 1 ? v - visits[0] : 0);
      }
    }
    CHECK((repeated > 0) == (most > 1));
  }
}

TEST_CASE("inclusion: the plan is the smallest one that meets its rule") {
  rng random(2, 2);
  for (int round = 0; round < 60; ++round) {
    CAPTURE(round);
    const std::size_t n = 20 + random.below(400);
    const auto sizes = heavy_sizes(n, static_cast<std::uint64_t>(round), 0.2 + 2.0 * random.uniform());
    auto strengths = sizes;
    const double alpha = 2.0 * random.uniform();
    for (double& s : strengths)
      s = random.uniform() < 0.05 ? -1.0 : std::pow(s, alpha);
    inclusion_rule rule;
    rule.smallest = 0.01 + 0.2 * random.uniform();
    rule.largest = random.uniform() < 0.5 ? 1.0 : 1.0 + 3.0 * random.uniform();
    rule.noise_budget = random.uniform();
    rule.least_share = 0.05 + 0.9 * random.uniform();
    rule.fixed_share = random.uniform() < 0.3 ? 0.05 + 0.9 * random.uniform() : 0.0;
    inclusion_plan plan;
    plan_inclusion(strengths, sizes, rule, plan);
    const double c = factor_of(plan, strengths, rule);
    const auto meets = [&](const by_definition& d, double tolerance) {
      return rule.fixed_share > 0.0
                 ? d.kappa >= rule.fixed_share - tolerance
                 : d.kappa >= rule.least_share - tolerance && d.noise <= rule.noise_budget + tolerance;
    };
    const auto reached = evaluate(strengths, sizes, rule, c);
    if (c > 0.0) {
      CHECK(meets(reached, 1e-9));
      const double strongest = *std::max_element(strengths.begin(), strengths.end());
      const bool all_at_the_floor = c * strongest <= rule.smallest * (1.0 + 1e-6);
      CHECK((all_at_the_floor || !meets(evaluate(strengths, sizes, rule, c * (1.0 - 1e-5)), 0.0)));
      CHECK(plan.kappa == doctest::Approx(reached.kappa));
      CHECK(plan.noise == doctest::Approx(reached.noise).epsilon(1e-6).scale(1.0));
    }
    CHECK(plan.gain == doctest::Approx(1.0 / (plan.kappa * (1.0 + plan.noise))));
    for (std::size_t i = 0; i < n; ++i) {
      if (strengths[i] < 0.0)
        CHECK(plan.probability[i] == 1.0);
      else
        REQUIRE(plan.probability[i] ==
                doctest::Approx(std::clamp(c * strengths[i], rule.smallest, rule.largest))
                    .epsilon(c > 0.0 ? 1e-9 : 1e9));
    }
  }
}

TEST_CASE("inclusion: equal strengths get the share that the rule asks for, each the same") {
  const std::vector<double> ones(1000, 2.5);
  inclusion_plan plan;
  plan_inclusion(ones, ones, {0.1, 1.0, 0.25, 0.3, 0.0}, plan);
  for (const double p : plan.probability)
    REQUIRE(p == doctest::Approx(0.8).epsilon(1e-5)); // 1 / (1 + the noise budget)
  CHECK(plan.gain == doctest::Approx(1.0));
  plan_inclusion(ones, ones, {0.1, 1.0, 100.0, 0.3, 0.0}, plan);
  CHECK(plan.probability[7] == doctest::Approx(0.3).epsilon(1e-5)); // the smallest share
}

TEST_CASE(
    "inclusion: of very many points every k-th is searched, and the share is the asked one to a percent") {
  const auto sizes = heavy_sizes(70000, 4, 1.2);
  inclusion_plan plan;
  plan_inclusion(sizes, sizes, {0.05, 1.0, 0.25, 0.3, 0.4}, plan);
  CHECK(plan.kappa == doctest::Approx(0.4).epsilon(0.01));
  double sum = 0.0;
  for (const double p : plan.probability)
    sum += p;
  CHECK(plan.kappa == doctest::Approx(sum / 70000.0)); // the figure is that of all points
}

TEST_CASE("inclusion: nothing but certain points is everything, once") {
  const std::vector<double> certain(10, -1.0);
  const std::vector<double> sizes(10, 1.0);
  inclusion_plan plan;
  plan_inclusion(certain, sizes, {0.1, 2.0, 0.25, 0.3, 0.0}, plan);
  CHECK(plan.probability == std::vector<double>(10, 1.0));
  CHECK(plan.kappa == 1.0);
  CHECK(plan.gain == 1.0);
}

TEST_CASE("systematic sampling: at every point of the walk the number taken is the sum so far, rounded up or "
          "down") {
  rng random(6, 1);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> p(1 + random.below(300));
    for (double& v : p)
      v = random.uniform() < 0.2 ? 0.0 : (random.uniform() < 0.2 ? 1.0 : 2.5 * random.uniform());
    std::vector<std::uint32_t> taken(p.size(), 0);
    systematic_sample(p, random, [&](std::size_t i, std::uint32_t copies) {
      REQUIRE(copies > 0);
      taken[i] = copies;
    });
    double sum = 0.0;
    double total = 0.0;
    for (std::size_t i = 0; i < p.size(); ++i) {
      sum += p[i];
      total += taken[i];
      REQUIRE(std::abs(total - sum) < 1.0 + 1e-9);
      REQUIRE(static_cast<double>(taken[i]) >= std::floor(p[i]));
      REQUIRE(static_cast<double>(taken[i]) <= std::floor(p[i]) + 1.0);
      if (p[i] == 0.0)
        REQUIRE(taken[i] == 0);
    }
  }
}

TEST_CASE("systematic sampling: probabilities of 1 take every point once, also at the end of a long walk") {
  constexpr std::size_t n = 200'000;
  const std::vector<double> ones(n, 1.0);
  rng random(6, 2);
  std::size_t taken = 0;
  systematic_sample(ones, random, [&](std::size_t i, std::uint32_t copies) {
    REQUIRE(copies == 1);
    REQUIRE(i == taken);
    ++taken;
  });
  CHECK(taken == n);
}

TEST_CASE("gain of probabilities: the definition, and nothing for no probability at all") {
  const std::vector<double> p = {0.5, 1.0, 0.25};
  const std::vector<double> s = {1.0, 3.0, 2.0};
  const auto g = gain_of(p, s);
  CHECK(g.kappa == doctest::Approx(1.75 / 3.0));
  CHECK(g.noise == doctest::Approx((2.0 + 9.0 + 16.0) / 14.0 - 1.0));
  CHECK(g.gain == doctest::Approx(1.0 / (g.kappa * (1.0 + g.noise))));
  CHECK(gain_of(p, std::vector<double>(3, 0.0)).noise == 0.0);
  CHECK(gain_of({}, {}).gain == 1.0);
}

TEST_CASE("winsorise is what sorting says, never lifts a value, and twice is once") {
  rng random(4, 4);
  std::vector<double> scratch;
  for (int round = 0; round < 200; ++round) {
    std::vector<double> v(1 + random.below(200));
    for (double& x : v)
      x = random.normal();
    const double quantile = round % 10 == 0 ? 0.0 : random.uniform();
    auto sorted = v;
    std::sort(sorted.begin(), sorted.end());
    const double limit = sorted[static_cast<std::size_t>(quantile * static_cast<double>(sorted.size() - 1))];
    auto out = v;
    winsorise(out, quantile, scratch);
    for (std::size_t i = 0; i < v.size(); ++i)
      REQUIRE(out[i] == std::min(v[i], limit));
    auto again = out;
    winsorise(again, quantile, scratch);
    CHECK(again == out);
  }
  std::vector<double> kept = {1.0, 1e9};
  winsorise(kept, 1.0, scratch);
  CHECK(kept == std::vector<double>{1.0, 1e9});
  std::vector<double> none;
  winsorise(none, 0.5, scratch);
  CHECK(none.empty());
}
