#include "apps/race/axis.hpp"
#include "apps/race/chart.hpp"
#include "apps/race/html.hpp"
#include "apps/race/report.hpp"
#include "race_support.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>

using namespace triage;
using namespace triage::test;

namespace {

race_outcome small_outcome() {
  race_outcome race;
  race.spec = small_spec("", R"([{"name": "a", "set": {"loss": "</td><script>x"}}, {"name": "b"}])");
  race.arms.resize(2);
  for (const std::int64_t seed : {1, 2}) {
    race.arms[0].runs.push_back(run_of(seed, "train_loss", {2.0, 1.0, 0.4}));
    race.arms[1].runs.push_back(run_of(seed, "train_loss", {2.0, 0.9, 0.7}));
  }
  analyse(race);
  return race;
}

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

} // namespace

TEST_CASE("race: HTML is escaped") {
  CHECK(escape_html("a<b>&\"c\"'") == "a&lt;b&gt;&amp;&quot;c&quot;&#39;");
  const auto page = report_html(small_outcome(), {});
  CHECK(page.find("<script") == std::string::npos);
  CHECK(page.find("&lt;script") != std::string::npos);
  CHECK(page.find("http") == std::string::npos); // nothing from elsewhere
  CHECK(page.find("<svg") != std::string::npos);
  CHECK(page.find("nan") == std::string::npos);
}

TEST_CASE("race: the JSON report says null, infinity and numbers apart") {
  const auto report = report_json(small_outcome(), {});
  const auto& target = report.find("targets")->as_array()[0];
  const auto& a = target.find("arms")->as_array()[0];
  const auto& b = target.find("arms")->as_array()[1];
  CHECK(a.find("reached")->as_integer() == 2);
  CHECK(b.find("reached")->as_integer() == 0);
  const auto text = dump_json(b);
  CHECK_MESSAGE(text.find("\"median\":null") != std::string::npos, text);
  CHECK(b.find("seconds")->find("ratio")->as_number() == 0.0);
  CHECK(report.find("arms")->as_array()[0].find("runs")->as_array()[0].find("curve")->as_array().size() == 3);
  CHECK(parse_json(dump_json(report, 1), "report").ok());
}

TEST_CASE("race: one line per target, arm and seed, and one per evaluation") {
  const auto race = small_outcome();
  CHECK(lines(report_csv(race)) == 1 + 4);
  CHECK(lines(curves_csv(race)) == 1 + 12);
  CHECK(report_csv(race).find("train_loss,0.5,b,1,0,,,,0,0\n") != std::string::npos);
}

TEST_CASE("race: axes have a few round ticks within their bounds") {
  for (const auto& [low, high, logarithmic] :
       {std::tuple{0.0, 23.7, false}, std::tuple{0.831, 0.902, false}, std::tuple{0.004, 2.3, true},
        std::tuple{0.4, 0.5, true}, std::tuple{1e-9, 1e3, true}, std::tuple{3.0, 3.0, false},
        std::tuple{0.0, 0.0, false}, std::tuple{2.0, 2.0, true}}) {
    const auto a = make_axis(low, high, logarithmic);
    CHECK(a.ticks.size() >= 2);
    CHECK(a.ticks.size() <= 14);
    CHECK(a.low < a.high);
    for (const double t : a.ticks) {
      CHECK(a.place(t) >= -1e-6);
      CHECK(a.place(t) <= 1.0 + 1e-6);
    }
  }
  CHECK(make_axis(0.01, 1.0, true).place(0.1) == doctest::Approx(0.5));
}

TEST_CASE("race: a chart of what nobody measured is empty") {
  const auto race = small_outcome();
  CHECK(curve_chart(race, "test_accuracy", chart_cost::seconds).empty());
  CHECK(!curve_chart(race, "train_loss", chart_cost::samples).empty());
}
