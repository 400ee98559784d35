#include "source_support.hpp"
#include "statistics_support.hpp"

#include <algorithm>
#include <map>
#include <set>

// The law of each selector that chooses without repetition, against brute force or counted.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t points = 200;

} // namespace

TEST_CASE(
    "topk_shard: over random scores with ties it is brute force's choice, lower numbers first among equals") {
  rng random(12, 3);
  for (int round = 0; round < 100; ++round) {
    const std::size_t n = 1 + random.below(300);
    std::vector<float> scores(n);
    for (float& s : scores)
      s = static_cast<float>(random.below(10)) - 4.0F;
    priority_table table(n);
    std::vector<double> key(n, 1e9); // never measured: first of all
    for (std::uint32_t id = 0; id < n; ++id)
      if (random.uniform() < 0.9) {
        table.record(id, scores[id], 1);
        key[id] = static_cast<double>(scores[id]);
      }
    const double share = 0.01 + 0.98 * random.uniform();
    auto chosen = selector_of(R"({"type": "topk_shard", "share": )" + std::to_string(share) + "}", n);
    selection_plan plan;
    chosen->plan({{}, priority_view(table, 1), {}, 8}, random, plan);
    auto expected = numbers_below(n);
    std::stable_sort(expected.begin(), expected.end(), [&](auto a, auto b) { return key[a] > key[b]; });
    expected.resize(std::max<std::size_t>(
        static_cast<std::size_t>(std::floor(std::stod(std::to_string(share)) * static_cast<double>(n))), 1));
    std::sort(expected.begin(), expected.end());
    auto got = plan.ids;
    std::sort(got.begin(), got.end());
    REQUIRE(got == expected);
  }
}

TEST_CASE("presample_topb: of each pool the best are chosen, and who was never measured before them") {
  rng random(12, 4);
  for (int round = 0; round < 100; ++round) {
    const std::size_t factor = 1 + random.below(6);
    const std::size_t n = 50 + random.below(200);
    priority_table table(n);
    for (std::uint32_t id = 0; id < n; ++id)
      if (random.uniform() < 0.95)
        table.record(id, static_cast<float>(random.normal()), 1);
    auto chosen =
        selector_of(R"({"type": "presample_topb", "candidates": )" + std::to_string(factor) + "}", n);
    const std::size_t batch = 8;
    auto ids = numbers_below(n);
    shuffle(ids, random);
    const auto wanted = chosen->candidates(batch, n);
    CHECK(wanted == std::min(factor * batch, n));
    const auto pool = std::span<const std::uint32_t>(ids).first(wanted);
    selection_plan plan;
    chosen->plan({pool, priority_view(table, 1), {}, batch}, random, plan);
    REQUIRE(plan.ids.size() == static_cast<std::size_t>(
                                   std::llround(static_cast<double>(wanted) / static_cast<double>(factor))));
    const auto key = [&](std::uint32_t id) { return table.seen(id) ? table.signed_value(id) : 1e9F; };
    float worst_chosen = 1e9F;
    for (const auto id : plan.ids)
      worst_chosen = std::min(worst_chosen, key(id));
    std::size_t better_left = 0;
    for (const auto id : pool)
      if (key(id) > worst_chosen && std::find(plan.ids.begin(), plan.ids.end(), id) == plan.ids.end())
        ++better_left;
    CHECK(better_left == 0);
    CHECK(std::set<std::uint32_t>(plan.ids.begin(), plan.ids.end()).size() == plan.ids.size());
  }
}

TEST_CASE(
    "cdf_beta: a candidate is kept with the beta-th power of its rank among recent ones: 1 in beta + 1 in "
    "all") {
  constexpr std::size_t n = 1000;
  const auto scores = heavy_scores(n, 3);
  const auto rank = ranks_of(scores);
  for (const double beta : {1.0, 2.0, 3.0}) {
    CAPTURE(beta);
    auto chosen =
        selector_of(R"({"type": "cdf_beta", "history": 4000, "beta": )" + std::to_string(beta) + "}", n);
    const auto table = table_of(scores);
    (void)count_visits(*chosen, table, 20, n); // fill the history
    constexpr int plans = 400;
    const auto counts = count_visits(*chosen, table, plans, n);
    const double kept = std::accumulate(counts.begin(), counts.end(), 0.0) / (plans * static_cast<double>(n));
    CHECK(kept == doctest::Approx(1.0 / (beta + 1.0)).epsilon(0.02));
    for (std::size_t tenth = 0; tenth < 10; ++tenth) {
      double seen = 0.0;
      double expected = 0.0;
      for (std::size_t id = 0; id < n; ++id)
        if (rank[id] / 100 == tenth) {
          seen += counts[id] / plans;
          expected += std::pow(1.0 - (static_cast<double>(rank[id]) + 0.5) / static_cast<double>(n), beta);
        }
      CHECK(std::abs(seen - expected) < 2.0); // of a hundred points
    }
    CHECK(*chosen->figures().kappa == doctest::Approx(1.0 / (beta + 1.0)).epsilon(0.05));
  }
}

TEST_CASE("cdf_beta: the comparison is with the last scores only, and a candidate never measured is kept") {
  auto chosen = selector_of(R"({"type": "cdf_beta", "history": 50, "beta": 100})", 100);
  priority_table table(100);
  for (std::uint32_t id = 0; id < 50; ++id)
    table.record(id, 1000.0F + static_cast<float>(id), 1);
  for (std::uint32_t id = 50; id < 99; ++id)
    table.record(id, static_cast<float>(id), 1);
  const auto ids = numbers_below(100);
  rng random(1, 1);
  const priority_view view(table, 1);
  selection_plan plan;
  chosen->plan({std::span(ids).first(50), view, {}, 50}, random, plan);
  plan.clear();
  // Rising scores after fifty large ones: the large ones leave the history one by one, and only then can
  // somebody of the second half be the largest.
  chosen->plan({std::span(ids).subspan(50), view, {}, 50}, random, plan);
  REQUIRE(plan.ids.back() == 99); // never measured
  plan.clear();
  chosen->plan({std::span(ids).subspan(50, 49), view, {}, 50}, random, plan);
  CHECK(std::find(plan.ids.begin(), plan.ids.end(), 98) != plan.ids.end());
}

TEST_CASE("infobatch: below the mean so many are dropped, and who stays weighs so much more; nobody above is "
          "touched") {
  const auto scores = heavy_scores(points, 4);
  const auto table = table_of(scores);
  double mean = 0.0;
  for (const float s : scores)
    mean += static_cast<double>(s) / points;
  for (const double prune : {0.25, 0.5, 0.75}) {
    CAPTURE(prune);
    auto chosen =
        selector_of(R"({"type": "infobatch", "prune_probability": )" + std::to_string(prune) + "}", points);
    constexpr int plans = 2000;
    const auto counts = count_visits(*chosen, table, plans, 32);
    for (std::size_t id = 0; id < points; ++id) {
      if (static_cast<double>(scores[id]) >= mean)
        REQUIRE(counts[id] == plans);
      else
        REQUIRE(std::abs(counts[id] - plans * (1.0 - prune)) <
                5.0 * std::sqrt(plans * prune * (1.0 - prune)));
    }
    selection_plan plan;
    rng random(1, 1);
    const auto ids = numbers_below(points);
    chosen->plan({ids, priority_view(table, 1), {}, 32}, random, plan);
    for (std::size_t i = 0; i < plan.ids.size(); ++i)
      REQUIRE(plan.weights[i] ==
              doctest::Approx(static_cast<double>(scores[plan.ids[i]]) < mean ? 1.0 / (1.0 - prune) : 1.0));
    CHECK(std::is_sorted(plan.ids.begin(), plan.ids.end())); // in the order of the candidates
  }
}

TEST_CASE("pps_epoch: points never measured and points out of sight for too long are taken for certain") {
  auto chosen =
      selector_of(R"({"type": "pps_epoch", "kappa": 0.2, "max_age_epochs": 5, "pi_min": 0.01})", points);
  priority_table table(points);
  for (std::uint32_t id = 1; id < points; ++id) {
    table.record(id, id < 100 ? 1e-5F : 1.0F, 1);
    table.mark_trained(id, id == 2 ? 3.0 : 8.0);
  }
  const auto ids = numbers_below(points);
  const priority_view view(table, 1);
  rng random(1, 1);
  for (int round = 0; round < 100; ++round) {
    selection_plan plan;
    chosen->plan({ids, view, {9.0, 0.5}, 10}, random, plan);
    REQUIRE(std::find(plan.ids.begin(), plan.ids.end(), 0U) != plan.ids.end());
    REQUIRE(std::find(plan.ids.begin(), plan.ids.end(), 2U) != plan.ids.end());
  }
}

TEST_CASE("pps_epoch: inclusion is in proportion to score^alpha, whichever the exponent") {
  auto scores = heavy_scores(points, 5, 0.3); // so even that nobody meets the limits
  const auto table = table_of(scores);
  const auto ids = numbers_below(points);
  const priority_view view(table, 1);
  for (const double alpha : {0.5, 0.75, 1.0}) {
    CAPTURE(alpha);
    auto chosen = selector_of(R"({"type": "pps_epoch", "kappa": 0.3, "pi_min": 0.01, "winsor_quantile": 1,
                                  "max_age_epochs": 1000, "alpha": )" +
                                  std::to_string(alpha) + "}",
                              points);
    double sum = 0.0;
    for (const float s : scores)
      sum += std::pow(static_cast<double>(s), alpha);
    rng random(3, 1);
    selection_plan plan;
    chosen->plan({ids, view, {1.0, 0.5}, 10}, random, plan);
    REQUIRE(plan.ids.size() == 60);
    for (std::size_t i = 0; i < plan.ids.size(); ++i)
      REQUIRE(plan.frequencies[i] ==
              doctest::Approx(60.0 * std::pow(static_cast<double>(scores[plan.ids[i]]), alpha) / sum));
  }
}

TEST_CASE(
    "pps_epoch: steps are as long as uniform ones, and as much longer as is asked for, with any weights") {
  const auto scores = heavy_scores(points, 5, 0.6);
  const auto table = table_of(scores);
  const auto ids = numbers_below(points);
  const priority_view view(table, 1);
  for (const char* weights : {R"("full")", R"("none")", R"({"type":"ht","beta":0.5})",
                              R"({"type":"biased_k"})", R"({"type":"beta_maxnorm"})"})
    for (const double longer : {1.0, 1.25}) {
      CAPTURE(std::string(weights));
      CAPTURE(longer);
      auto chosen =
          selector_of(R"({"type": "pps_epoch", "kappa": 0.3, "max_age_epochs": 1000, "step_gain_max": )" +
                          std::to_string(longer) + R"(, "weights": )" + weights + "}",
                      points);
      rng random(3, 1);
      double mean = 0.0;
      for (int round = 0; round < 50; ++round) {
        selection_plan plan;
        chosen->plan({ids, view, {1.0, 0.5}, 10}, random, plan);
        mean += std::accumulate(plan.weights.begin(), plan.weights.end(), 0.0) /
                static_cast<double>(50 * plan.weights.size());
      }
      CHECK(mean == doctest::Approx(longer).epsilon(0.02));
    }
}

TEST_CASE("pps_epoch: of several blocks each is planned from the scores of its moment") {
  constexpr std::size_t n = 400;
  auto source =
      source_of(R"({"type": "pps_epoch", "blocks_per_pass": 4, "warm_epochs": 0, "kappa": 0.5, "pi_min": 0.01,
                              "tail_uniform_fraction": 0, "winsor_quantile": 1, "max_age_epochs": 1000,
                              "gate": {"mode": "off"}})",
                n, 10);
  auto scores = std::vector<float>(n, 1.0F);
  for (std::uint32_t id = 0; id < n; id += 2)
    scores[id] = 1e-4F; // even numbers do not matter
  record_all(source, scores, 1);
  drawn_batch b;
  const auto even_share = [&](int batches) {
    double even = 0.0;
    double all = 0.0;
    for (int i = 0; i < batches; ++i) {
      REQUIRE(source.draw(0.0, 1, b));
      for (const auto id : b.ids) {
        even += id % 2 == 0 ? 1.0 : 0.0;
        all += 1.0;
      }
    }
    return even / all;
  };
  CHECK(even_share(4) < 0.2); // within the first block of about fifty chosen points
  for (std::uint32_t id = 0; id < n; ++id)
    scores[id] = id % 2 == 0 ? 1.0F : 1e-4F;
  record_all(source, scores, 2);
  (void)even_share(3); // to the end of that block
  CHECK(even_share(4) > 0.8);
}

TEST_CASE("anneal_fraction: a plan that waits for scores is decided once, however often it is tried") {
  int uniform = 0;
  constexpr int sources = 300;
  for (int seed = 1; seed <= sources; ++seed) {
    auto source =
        source_of(R"({"type": "multinomial", "candidates": 3, "estimator": "presample", "warm_epochs": 0,
                                "anneal_fraction": 0.4, "tail_uniform_fraction": 0.2, "gate": {"mode": "off"}})",
                  points, 20, static_cast<std::uint64_t>(seed));
    source.set_estimators(1);
    drawn_batch b;
    bool drawn = false;
    for (int i = 0; i < 20 && !drawn; ++i)
      drawn = source.draw(0.6, 1, b); // nobody measures anything: only the uniform order goes on
    uniform += drawn ? 1 : 0;
  }
  CHECK(static_cast<double>(uniform) / sources == doctest::Approx(0.5).epsilon(0.2));
}

TEST_CASE("anneal_fraction: plans give way to the uniform order at the stated rate before the tail") {
  constexpr std::size_t n = 500;
  auto source =
      source_of(R"({"type": "multinomial", "anneal_fraction": 0.4, "tail_uniform_fraction": 0.2})", n, 20);
  record_all(source, heavy_scores(n, 3));
  const auto prioritised_share = [&](double fraction) {
    drawn_batch b;
    int prioritised = 0;
    constexpr int batches = 2000;
    for (int i = 0; i < batches; ++i) {
      REQUIRE(source.draw(fraction, 1, b));
      prioritised += source.prioritizing() ? 1 : 0;
    }
    return static_cast<double>(prioritised) / batches;
  };
  CHECK(prioritised_share(0.39) == 1.0);
  CHECK(prioritised_share(0.6) == doctest::Approx(0.5).epsilon(0.1));
  CHECK(prioritised_share(0.7) == doctest::Approx(0.25).epsilon(0.15));
  CHECK(prioritised_share(0.8) == 0.0);
  CHECK(prioritised_share(1.0) == 0.0);
}
