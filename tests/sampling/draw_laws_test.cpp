#include "source_support.hpp"
#include "statistics_support.hpp"

#include <algorithm>
#include <map>
#include <set>

// The probabilities of selectors that draw with replacement, counted.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t points = 200;

/// Chi-square of counts against probabilities that sum to 1.
double chi_square(const std::vector<double>& counts, const std::vector<double>& probability) {
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  double sum = 0.0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double expected = total * probability[i];
    sum += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  return sum;
}

} // namespace

TEST_CASE("multinomial: probabilities are those of priority^alpha + smoothing, mixed with a uniform share") {
  const auto scores = heavy_scores(points, 2, 0.8);
  const auto table = table_of(scores);
  for (const double alpha : {0.5, 1.0, 2.0}) {
    for (const double smoothing : {0.0, 1.0}) {
      CAPTURE(alpha);
      CAPTURE(smoothing);
      auto chosen =
          selector_of(R"({"type": "multinomial", "uniform_share": 0.2, "alpha": )" + std::to_string(alpha) +
                          R"(, "smoothing": )" + std::to_string(smoothing) + "}",
                      points);
      std::vector<double> p;
      double sum = 0.0;
      for (const float s : scores)
        sum += p.emplace_back(std::pow(static_cast<double>(s), alpha) + smoothing);
      for (double& v : p)
        v = 0.8 * v / sum + 0.2 / points;
      CHECK(chi_square(count_visits(*chosen, table, 3000, 64), p) < chi_square_limit(points - 1));
    }
  }
}

TEST_CASE("multinomial: in a pool the same probabilities hold among its candidates") {
  // The pool is everybody: 3 candidates for each of a third of the points.
  constexpr std::size_t few = 60;
  const auto scores = heavy_scores(few, 2, 0.8);
  auto chosen = selector_of(R"({"type": "multinomial", "candidates": 3, "uniform_share": 0.1})", few);
  REQUIRE(chosen->candidates(20, few) == few);
  std::vector<double> p(scores.begin(), scores.end());
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& v : p)
    v = 0.9 * v / sum + 0.1 / few;
  CHECK(chi_square(count_visits(*chosen, table_of(scores), 8000, 20), p) < chi_square_limit(few - 1));
}

TEST_CASE("multinomial: points that were never measured count like a priority of 1") {
  priority_table table(points);
  for (std::uint32_t id = 0; id < points / 2; ++id)
    table.record(id, 3.0F, 1);
  std::vector<double> p(points, 3.0 / (2.0 * points));
  std::fill(p.begin() + points / 2, p.end(), 1.0 / (2.0 * points));
  auto chosen = selector_of(R"({"type": "multinomial", "uniform_share": 0})", points);
  CHECK(chi_square(count_visits(*chosen, table, 2000, 64), p) < chi_square_limit(points - 1));
}

TEST_CASE("multinomial: when every power is too small for a float, draws are uniform and weights 1") {
  for (const char* description :
       {R"({"type": "multinomial", "alpha": 10, "uniform_share": 0})",
        R"({"type": "multinomial", "alpha": 10, "uniform_share": 0, "candidates": 2})"}) {
    CAPTURE(std::string(description));
    auto chosen = selector_of(description, points);
    const auto table = table_of(std::vector<float>(points, 1e-6F)); // 1e-60
    const auto counts = count_visits(*chosen, table, 2000, 100);
    CHECK(chi_square(counts, std::vector<double>(points, 1.0 / points)) < chi_square_limit(points - 1));
    selection_plan plan;
    rng random(1, 1);
    const auto ids = numbers_below(points);
    chosen->plan({ids, priority_view(table, 1), {}, 100}, random, plan);
    for (const float w : plan.weights)
      CHECK(w == 1.0F);
  }
}

TEST_CASE("multinomial: a power beyond the range of a float is the largest there is, not infinity") {
  auto chosen = selector_of(R"({"type": "multinomial", "alpha": 10, "uniform_share": 0.5})", points);
  auto scores = std::vector<float>(points, 1.0F);
  scores[7] = 1e6F; // 1e60
  const auto counts = count_visits(*chosen, table_of(scores), 1000, 64);
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  CHECK(counts[7] / total == doctest::Approx(0.5 + 0.5 / points).epsilon(0.02));
}

TEST_CASE("rank_inv: probabilities are the alpha-th power of the inverse rank") {
  const auto scores = heavy_scores(points, 3);
  const auto rank = ranks_of(scores);
  auto chosen = selector_of(R"({"type": "rank_inv", "alpha": 0.7})", points);
  std::vector<double> p;
  double sum = 0.0;
  for (const auto r : rank)
    sum += p.emplace_back(std::pow(static_cast<double>(r + 1), -0.7));
  for (double& v : p)
    v /= sum;
  CHECK(chi_square(count_visits(*chosen, table_of(scores), 3000, 64), p) < chi_square_limit(points - 1));
}

TEST_CASE("selectors by rank: new scores count from the next sort on, as often as the option says") {
  auto source = source_of(R"({"type": "rank_inv", "alpha": 5, "sorts_per_epoch": 2})", 100, 10);
  auto scores = std::vector<float>(100, 1.0F);
  scores[3] = 9.0F;
  record_all(source, scores, 1);
  const auto favourite = [&] {
    drawn_batch b;
    REQUIRE(source.draw(0.0, 1, b));
    std::map<std::uint32_t, int> counts;
    for (const auto id : b.ids)
      ++counts[id];
    return std::max_element(counts.begin(), counts.end(),
                            [](auto& x, auto& y) { return x.second < y.second; })
        ->first;
  };
  CHECK(favourite() == 3);
  scores[3] = 1.0F;
  scores[60] = 9.0F;
  record_all(source, scores, 2);
  for (int batch = 1; batch < 5; ++batch)
    CHECK(favourite() == 3); // half an epoch: five batches on the old ranks
  CHECK(favourite() == 60);
}

TEST_CASE(
    "rank_exp: probabilities fall geometrically with the rank; the ratio of the ends is the pressure, which "
    "goes geometrically from start to end") {
  const auto scores = heavy_scores(points, 3);
  const auto table = table_of(scores);
  const auto rank = ranks_of(scores);
  for (const double fraction : {0.0, 0.5, 1.0}) {
    CAPTURE(fraction);
    auto chosen = selector_of(R"({"type": "rank_exp", "pressure": 100, "pressure_end": 4})", points);
    const double pressure = std::pow(100.0, 1.0 - fraction) * std::pow(4.0, fraction);
    std::vector<double> p;
    double sum = 0.0;
    for (const auto r : rank)
      sum += p.emplace_back(std::pow(pressure, -static_cast<double>(r) / points));
    for (double& v : p)
      v /= sum;
    CHECK(chi_square(count_visits(*chosen, table, 3000, 64, {0.0, fraction}), p) <
          chi_square_limit(points - 1));
  }
}

TEST_CASE(
    "selectors by rank: stated frequencies sum to the number of points, and follow the order of the scores") {
  const auto scores = heavy_scores(points, 3);
  const auto table = table_of(scores);
  for (const char* description : {R"({"type": "rank_exp", "pressure": 50})", R"({"type": "rank_inv"})"}) {
    CAPTURE(std::string(description));
    auto chosen = selector_of(description, points);
    const priority_view view(table, 1);
    rng random(1, 1);
    std::map<std::uint32_t, double> stated;
    while (stated.size() < points) {
      selection_plan plan;
      chosen->plan({{}, view, {}, 64}, random, plan);
      for (std::size_t i = 0; i < plan.ids.size(); ++i)
        stated[plan.ids[i]] = static_cast<double>(plan.frequencies[i]);
    }
    double sum = 0.0;
    for (const auto& [id, f] : stated)
      sum += f;
    CHECK(sum == doctest::Approx(static_cast<double>(points)).epsilon(1e-4));
    const auto rank = ranks_of(scores);
    for (const auto& [a, fa] : stated)
      for (const auto& [b, fb] : stated)
        if (rank[a] < rank[b])
          REQUIRE(fa >= fb);
  }
}
