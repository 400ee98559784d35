#include "apps/race/chart.hpp"

#include "apps/race/finals.hpp"
#include "random_race.hpp"

#include <algorithm>
#include <cmath>
#include <regex>
#include <sstream>

using namespace triage;
using namespace triage::test;

TEST_CASE("race: every point of a chart lies within its frame in the direction of cost, from left to right") {
  for (std::uint64_t seed = 0; seed < 15; ++seed) {
    CAPTURE(seed);
    const auto race = random_race(seed);
    for (const auto cost : {chart_cost::seconds, chart_cost::samples}) {
      const auto svg = curve_chart(race, "train_loss", cost);
      const std::regex line("class=\"median\"[^>]*points=\"([^\"]*)\"");
      std::size_t drawn = 0;
      for (std::sregex_iterator l(svg.begin(), svg.end(), line), end; l != end; ++l, ++drawn) {
        std::istringstream points((*l)[1].str());
        std::string point;
        double before = -1.0;
        std::size_t count = 0;
        while (points >> point) {
          const double x = std::stod(point.substr(0, point.find(',')));
          CHECK(x > before);
          CHECK(x >= 56.0);
          CHECK(x <= 438.0);
          before = x;
          ++count;
        }
        CHECK(count >= 1);
      }
      std::size_t with_curve = 0;
      for (const auto& arm : race.arms)
        with_curve += median_curve(arm.runs, "train_loss").empty() ? 0 : 1;
      CHECK(drawn == with_curve);
    }
  }
}

TEST_CASE("race: ratios stand in the chart where the axis has them, clamped at its ends; arms without any "
          "are left out") {
  auto race = random_race(1);
  race.spec = small_spec("", R"([{"name": "base"}, {"name": "twice"}, {"name": "never"}])");
  race.arms.assign(3, {});
  for (const std::int64_t seed : {1, 2}) {
    race.arms[0].runs.push_back(run_of(seed, "train_loss", {1.0, 0.9, 0.8, 0.5}));
    race.arms[1].runs.push_back(run_of(seed, "train_loss", {0.9, 0.5}));
    race.arms[2].runs.push_back(run_of(seed, "train_loss", {0.9, 0.8}));
  }
  analyse(race);
  const auto svg = ratio_chart(race, race.targets[0]);
  CHECK(svg.find("2.00x") != std::string::npos);
  CHECK(svg.find("twice") != std::string::npos);
  CHECK(svg.find(">base<") == std::string::npos); // the baseline is the line at 1
  const std::regex circle("<circle[^>]*cx=\"([0-9.]+)\"");
  std::vector<double> places;
  for (std::sregex_iterator c(svg.begin(), svg.end(), circle), end; c != end; ++c)
    places.push_back(std::stod((*c)[1]));
  REQUIRE(places.size() == 2);
  CHECK(places[0] > places[1]); // never is at the left end
  race.arms[0].runs.resize(1);  // one seed: no interval, no chart
  race.arms[1].runs.resize(1);
  race.arms[2].runs.resize(1);
  race.spec.seeds = {1};
  analyse(race);
  CHECK(ratio_chart(race, race.targets[0]).empty());
}

TEST_CASE(
    "race: the band is cut where fewer than half of the runs are left, and finals leave failed times out") {
  auto race = random_race(1);
  std::vector<run_result> runs = {run_of(1, "train_loss", {4.0, 3.0, 2.0, 1.0}),
                                  run_of(2, "train_loss", {4.0, 3.0}), run_of(3, "train_loss", {5.0, 1.0}),
                                  run_of(4, "train_loss", {6.0})};
  CHECK(median_curve(runs, "train_loss").size() == 2); // three of four have the second, one the third
  CHECK(median_curve(runs, "train_loss")[1].middle == 3.0);
  CHECK(median_curve(runs, "test_loss").empty());
  CHECK(median_curve({}, "train_loss").empty());
  race.spec = small_spec("", R"([{"name": "base"}])");
  race.arms.assign(1, {{}, runs});
  race.arms[0].runs[0].failed = true;
  race.arms[0].runs[0].train_seconds = 1000.0;
  for (const auto& row : final_rows(race)) {
    if (row.name == "train_seconds")
      CHECK(row.arms[0]->high == 2.0);
    if (row.name == "train_loss") {
      CHECK(std::isinf(row.arms[0]->high)); // the failed run is the worst
      CHECK(row.arms[0]->low == 1.0);
    }
    CHECK(row.name != "test_accuracy"); // nobody measured it
  }
}

TEST_CASE("race: the names beside a chart never overlap, and stay within it, however close the curves end") {
  for (const double apart : {0.0, 0.001, 0.2}) {
    auto race = random_race(1);
    std::string arms = "[";
    for (int i = 0; i < 12; ++i)
      arms +=
          (i == 0 ? "" : ", ") + std::string("{\"name\": \"a-name-that-is-long-") + std::to_string(i) + "\"}";
    race.spec = small_spec("", arms + "]");
    race.arms.assign(12, {});
    for (std::size_t i = 0; i < 12; ++i)
      for (const std::int64_t seed : {1, 2})
        race.arms[i].runs.push_back(
            run_of(seed, "train_loss", {2.0, 1.0, 0.5 + apart * static_cast<double>(i)}));
    analyse(race);
    const auto svg = curve_chart(race, "train_loss", chart_cost::seconds);
    const std::regex label("class=\"label\"[^>]* y=\"([0-9.-]+)\">([^<]*)<");
    std::vector<double> places;
    for (std::sregex_iterator l(svg.begin(), svg.end(), label), end; l != end; ++l) {
      places.push_back(std::stod((*l)[1]));
      CHECK((*l)[2].str().size() <= 16); // cut, with an ellipsis of three bytes
    }
    REQUIRE(places.size() == 12);
    std::sort(places.begin(), places.end());
    for (std::size_t i = 1; i < places.size(); ++i)
      CHECK(places[i] - places[i - 1] > 13.8);
    CHECK(places.back() <= 262.0 + 4.1);
  }
}

TEST_CASE("race: arms beyond the colours begin again with the first") {
  CHECK(arm_colour(0) == "var(--arm-0)");
  CHECK(arm_colour(7) == "var(--arm-7)");
  CHECK(arm_colour(8) == arm_colour(0));
}
