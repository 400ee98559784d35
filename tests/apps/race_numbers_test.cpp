#include "apps/race/axis.hpp"
#include "apps/race/crossing.hpp"
#include "apps/race/format.hpp"
#include "apps/race/metric.hpp"
#include "core/rng.hpp"
#include "race_support.hpp"

#include <algorithm>
#include <cmath>

// The numbers of a race against values that were found in another way.

using namespace triage;
using namespace triage::test;

namespace {

/// The median by its definition: half of the values are not above, half not below.
double middle_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto n = values.size();
  return 0.5 * (values[(n - 1) / 2] + values[n / 2]);
}

/// The distribution of the ratio of medians over every possible draw of seeds, not over some of them: n^n
/// draws on either side.
std::vector<double> all_ratios(const std::vector<double>& baseline, const std::vector<double>& arm) {
  const auto medians = [](const std::vector<double>& values) {
    const std::size_t n = values.size();
    std::size_t draws = 1;
    for (std::size_t i = 0; i < n; ++i)
      draws *= n;
    std::vector<double> out;
    for (std::size_t d = 0; d < draws; ++d) {
      std::vector<double> sample;
      for (std::size_t rest = d, i = 0; i < n; ++i, rest /= n)
        sample.push_back(values[rest % n]);
      out.push_back(middle_of(sample));
    }
    return out;
  };
  std::vector<double> out;
  for (const double a : medians(baseline))
    for (const double b : medians(arm))
      out.push_back(a / b);
  std::sort(out.begin(), out.end());
  return out;
}

/// A polyline through random evaluations, walked in small steps: where it first gets to the value.
std::optional<double> walk_to(const curve& points, const std::string& metric, double value) {
  const auto reached = [&](double v) { return is_rising(metric) ? v >= value : v <= value; };
  if (reached(*points.front().find(metric)))
    return points.front().seconds;
  for (std::size_t i = 1; i < points.size(); ++i) {
    constexpr int steps = 20000;
    for (int k = 1; k <= steps; ++k) {
      const double t = static_cast<double>(k) / steps;
      if (reached(std::lerp(*points[i - 1].find(metric), *points[i].find(metric), t)))
        return std::lerp(points[i - 1].seconds, points[i].seconds, t);
    }
  }
  return std::nullopt;
}

} // namespace

TEST_CASE("race: the median is the definition's, for any number of values in any order") {
  rng random(4, 1);
  for (int round = 0; round < 300; ++round) {
    std::vector<double> values(1 + random.below(12));
    for (double& v : values)
      v = std::floor(10.0 * random.normal());
    REQUIRE(median(values) == middle_of(values));
  }
}

TEST_CASE("race: the bootstrap interval is that of the exact distribution over all draws of the seeds") {
  rng random(4, 2);
  for (int round = 0; round < 12; ++round) {
    CAPTURE(round);
    std::vector<double> baseline;
    std::vector<double> arm;
    for (int i = 0; i < 4; ++i) {
      baseline.push_back(20.0 + 4.0 * random.normal());
      arm.push_back(10.0 + 2.0 * random.normal());
    }
    const auto exact = all_ratios(baseline, arm); // 256 * 256
    const auto got = *bootstrap_ratio(baseline, arm, 1, 20000);
    // With 20000 draws the share beyond a bound is known to 0.0011: three of these on either side.
    const auto share_below = [&](double v) {
      return static_cast<double>(std::lower_bound(exact.begin(), exact.end(), v) - exact.begin()) /
             static_cast<double>(exact.size());
    };
    const auto share_not_above = [&](double v) {
      return static_cast<double>(std::upper_bound(exact.begin(), exact.end(), v) - exact.begin()) /
             static_cast<double>(exact.size());
    };
    CHECK(share_below(got.low) <= 0.025 + 0.0035);
    CHECK(share_not_above(got.low) >= 0.025 - 0.0035);
    CHECK(share_below(got.high) <= 0.975 + 0.0035);
    CHECK(share_not_above(got.high) >= 0.975 - 0.0035);
  }
}

TEST_CASE(
    "race: the interval follows the ratio: seconds in another unit change nothing, a slower arm halves it") {
  const std::vector<double> baseline = {9.0, 10.0, 11.0, 12.0, 8.0};
  const std::vector<double> arm = {5.0, 4.0, 6.0, 5.5, 4.5};
  const auto plain = *bootstrap_ratio(baseline, arm, 3);
  const auto times = [](std::vector<double> v, double factor) {
    for (double& x : v)
      x *= factor;
    return v;
  };
  const auto unit = *bootstrap_ratio(times(baseline, 1000.0), times(arm, 1000.0), 3);
  CHECK(unit.low == doctest::Approx(plain.low));
  CHECK(unit.high == doctest::Approx(plain.high));
  const auto slower = *bootstrap_ratio(baseline, times(arm, 2.0), 3);
  CHECK(slower.low == doctest::Approx(plain.low / 2.0));
  CHECK(slower.high == doctest::Approx(plain.high / 2.0));
  CHECK(plain.contains(*median_ratio(baseline, arm)));
}

TEST_CASE("race: crossings are where walking along the curve first gets there, for losses and accuracies") {
  rng random(4, 3);
  int reached = 0;
  for (int round = 0; round < 60; ++round) {
    CAPTURE(round);
    const std::string metric = round % 2 == 0 ? "train_loss" : "test_accuracy";
    curve points;
    double seconds = 0.0;
    double samples = 0.0;
    for (std::size_t i = 0; i < 2 + random.below(8); ++i) {
      evaluation_point p;
      p.seconds = seconds += 0.1 + random.uniform();
      p.samples = samples += 10.0 * (1.0 + random.uniform());
      p.compute_seconds = 3.0 * p.seconds;
      p.figures.emplace_back(metric, random.uniform());
      points.push_back(p);
    }
    const double value = random.uniform();
    const auto found = first_crossing(points, metric, value);
    const auto expected = walk_to(points, metric, value);
    REQUIRE(found.has_value() == expected.has_value());
    if (!found)
      continue;
    ++reached;
    CHECK(found->seconds == doctest::Approx(*expected).epsilon(1e-3));
    CHECK(found->compute_seconds == doctest::Approx(3.0 * found->seconds));
    CHECK(found->at_first_evaluation == (found->seconds == points.front().seconds));
  }
  CHECK(reached > 20);
}

TEST_CASE(
    "race: evaluations that did not measure the metric are passed over, also between the two of a crossing") {
  curve points = curve_of("train_loss", {4.0, 9.0, 2.0});
  points[1].figures.clear();
  const auto c = first_crossing(points, "train_loss", 3.0);
  REQUIRE(c);
  CHECK(c->seconds == doctest::Approx(2.0)); // half way from the first second to the third
}

TEST_CASE("race: metrics: accuracies rise, losses fall, and a failed run is worse than any number") {
  int rising = 0;
  for (const auto metric : race_metrics()) {
    CAPTURE(metric);
    rising += is_rising(metric) ? 1 : 0;
    CHECK(is_rising(metric) != (metric.find("loss") != std::string_view::npos));
    const double worst = worst_value(metric);
    for (const double v : {-1e300, 0.0, 1e300}) {
      CHECK(at_least_as_good(metric, v, worst));
      CHECK(!at_least_as_good(metric, worst, v));
    }
    CHECK(at_least_as_good(metric, 0.5, 0.5));
    CHECK(at_least_as_good(metric, 0.6, 0.5) == is_rising(metric));
    CHECK(readable(metric).find('_') == std::string::npos);
  }
  CHECK(rising == 5);
}

TEST_CASE("race: an axis holds its bounds, and its ticks are round, even and in order") {
  rng random(4, 4);
  for (int round = 0; round < 2000; ++round) {
    const double low = round % 3 == 0 ? 0.0 : std::exp(6.0 * random.normal()) * (round % 5 == 1 ? -1.0 : 1.0);
    const double high = low + std::exp(6.0 * random.normal());
    CAPTURE(low);
    CAPTURE(high);
    const auto a = make_axis(low, high, round % 2 == 0);
    REQUIRE(a.place(low) == doctest::Approx(0.0).scale(1.0));
    REQUIRE(a.place(high) == doctest::Approx(1.0));
    REQUIRE(a.logarithmic == (round % 2 == 0 && low > 0.0));
    REQUIRE(a.ticks.size() <= 20);
    for (std::size_t i = 0; i < a.ticks.size(); ++i) {
      REQUIRE(a.place(a.ticks[i]) > -1e-6);
      REQUIRE(a.place(a.ticks[i]) < 1.0 + 1e-6);
      if (i > 0)
        REQUIRE(a.ticks[i] > a.ticks[i - 1]);
      if (!a.logarithmic && i > 1)
        REQUIRE(a.ticks[i] - a.ticks[i - 1] == doctest::Approx(a.ticks[1] - a.ticks[0]).epsilon(1e-6));
    }
    if (!a.logarithmic)
      REQUIRE(a.ticks.size() >= 3);
  }
  CHECK(make_axis(5.0, 5.0, true).high > 5.0);
  CHECK(make_axis(-5.0, -5.0, true).low < -5.0);
  CHECK(make_axis(1.0, 100.0, true).place(-3.0) == 0.0); // what has no logarithm stands at the edge
}

TEST_CASE("race: numbers for people") {
  const std::pair<double, const char*> seconds[] = {
      {0.0, "0.0 ms"},  {0.0123, "12.3 ms"},         {0.1, "0.10 s"}, {9.994, "9.99 s"}, {12.34, "12.3 s"},
      {123.4, "123 s"}, {not_reached, "not reached"}};
  for (const auto& [v, text] : seconds)
    CHECK(seconds_text(v) == text);
  const std::pair<double, const char*> counts[] = {
      {0.0, "0"},           {9999.0, "9999"}, {12345.0, "12.3k"},          {600000.0, "600k"},
      {1234567.0, "1.23M"}, {2.5e9, "2500M"}, {not_reached, "not reached"}};
  for (const auto& [v, text] : counts)
    CHECK(count_text(v) == text);
  CHECK(ratio_text(1.567) == "1.57x");
  CHECK(ratio_text(0.0) == "0");
  CHECK(ratio_text(not_reached) == "∞");
  CHECK(figure_text(0.123456) == "0.1235");
  CHECK(figure_text(-not_reached) == "failed");
  CHECK(figure_text(std::nan("")) == "-");
  CHECK(exact_text(0.1) == "0.1");
  CHECK(exact_text(1.0 / 3.0) == "0.3333333333333333");
  CHECK(exact_text(not_reached).empty());
  const std::pair<double, const char*> durations[] = {{3.4, "3 s"},           {59.4, "59 s"},
                                                      {89.0, "1 min"},        {3569.0, "59 min"},
                                                      {3600.0, "1 h 00 min"}, {8000.0, "2 h 13 min"}};
  for (const auto& [v, text] : durations)
    CHECK(duration_text(v) == text);
}

TEST_CASE("race: what is exact in a report reads back as the same number") {
  rng random(4, 5);
  for (int i = 0; i < 2000; ++i) {
    const double v = std::exp(20.0 * random.normal()) * (i % 2 == 0 ? 1.0 : -1.0);
    REQUIRE(std::stod(exact_text(v)) == v);
  }
}
