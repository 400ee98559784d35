#include "apps/race/html.hpp"
#include "apps/race/report.hpp"
#include "apps/race/statements.hpp"
#include "command_support.hpp"
#include "random_race.hpp"

#include <algorithm>
#include <cmath>
#include <regex>
#include <sstream>

// The forms in which a race is told agree with one another and with the outcome, for random races too.

using namespace triage;
using namespace triage::test;

namespace {

std::vector<std::vector<std::string>> cells_of(const std::string& csv) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(csv);
  std::string line;
  while (std::getline(lines, line)) {
    rows.emplace_back();
    std::size_t begin = 0;
    for (std::size_t comma = line.find(',');; comma = line.find(',', begin)) {
      rows.back().push_back(line.substr(begin, comma - begin));
      if (comma == std::string::npos)
        break;
      begin = comma + 1;
    }
  }
  return rows;
}

const json_value& at(const json_value& list, std::size_t i) {
  return list.as_array().at(i);
}

/// Every tag that is opened is closed, in order; no attribute holds a stray quote.
void check_nesting(const std::string& html) {
  const std::regex tag("<(/?)([a-zA-Z0-9]+)((?:\\s[^<>]*?)?)(/?)>");
  std::vector<std::string> open;
  for (std::sregex_iterator t(html.begin(), html.end(), tag), end; t != end; ++t) {
    const std::string name = (*t)[2];
    if (name == "meta" || name == "br" || !(*t)[4].str().empty())
      continue;
    if ((*t)[1].str().empty()) {
      open.push_back(name);
    } else {
      REQUIRE_MESSAGE(!open.empty(), name);
      REQUIRE_MESSAGE(open.back() == name, open.back() << " closed by " << name);
      open.pop_back();
    }
  }
  CHECK(open.empty());
}

} // namespace

TEST_CASE("race: the CSV has the crossings of the outcome, exactly, one line for each target, arm and seed") {
  for (std::uint64_t seed = 0; seed < 25; ++seed) {
    CAPTURE(seed);
    const auto race = random_race(seed);
    const auto rows = cells_of(report_csv(race));
    std::size_t line = 1;
    for (const auto& target : race.targets)
      for (std::size_t a = 0; a < race.arms.size(); ++a)
        for (std::size_t s = 0; s < race.spec.seeds.size(); ++s) {
          const auto& cells = rows.at(line++);
          REQUIRE(cells.size() == rows[0].size());
          CHECK(cells[0] == target.target.metric);
          CHECK(cells[2] == race.spec.arms[a].name);
          CHECK(cells[3] == std::to_string(race.spec.seeds[s]));
          const auto& c = target.arms[a].crossings[s];
          CHECK(cells[4] == (c ? "1" : "0"));
          CHECK(cells[5].empty() == !c);
          if (c) {
            CHECK(std::stod(cells[5]) == c->seconds);
            CHECK(std::stod(cells[6]) == c->samples);
            CHECK(std::stod(cells[7]) == c->compute_seconds);
          }
          CHECK(cells[9] == (race.arms[a].runs[s].failed ? "1" : "0"));
        }
    CHECK(line == rows.size());
  }
}

TEST_CASE("race: the curves' CSV has every evaluation with every metric, empty where it was not measured") {
  const auto race = random_race(3);
  const auto rows = cells_of(curves_csv(race));
  std::size_t line = 1;
  for (std::size_t a = 0; a < race.arms.size(); ++a)
    for (const auto& run : race.arms[a].runs)
      for (const auto& p : run.points) {
        const auto& cells = rows.at(line++);
        REQUIRE(cells.size() == rows[0].size());
        CHECK(cells[0] == race.spec.arms[a].name);
        CHECK(std::stod(cells[3]) == p.seconds);
        for (std::size_t c = 7; c < cells.size(); ++c) {
          const auto v = p.find(rows[0][c]);
          CHECK(cells[c].empty() == !v);
          if (v)
            CHECK(std::stod(cells[c]) == *v);
        }
      }
  CHECK(line == rows.size());
}

TEST_CASE("race: the JSON report agrees with the outcome, and survives being written and read") {
  for (std::uint64_t seed = 0; seed < 25; ++seed) {
    CAPTURE(seed);
    const auto race = random_race(seed);
    const auto text = dump_json(report_json(race, {}), 1);
    const auto report = json_text(text);
    CHECK(dump_json(report, 1) == text);
    CHECK(report.find("failed_runs")->as_integer() == static_cast<std::int64_t>(race.failed_runs()));
    CHECK(report.find("remarks")->as_array().size() == race.remarks.size());
    for (std::size_t t = 0; t < race.targets.size(); ++t) {
      const auto& target = race.targets[t];
      const auto& j = at(*report.find("targets"), t);
      CHECK(j.find("value")->is_null() == !target.value);
      for (std::size_t a = 0; a < race.arms.size(); ++a) {
        const auto& arm = at(*j.find("arms"), a);
        CHECK(arm.find("arm")->as_string() == race.spec.arms[a].name);
        CHECK(arm.find("reached")->as_integer() == static_cast<std::int64_t>(target.arms[a].reached));
        const auto& cost = target.arms[a].costs[0];
        const auto& seconds = *arm.find("seconds");
        CHECK(seconds.find("median")->is_null() == std::isinf(cost.middle));
        const auto& ratio = *seconds.find("ratio");
        if (!cost.ratio)
          CHECK(ratio.is_null());
        else if (std::isinf(*cost.ratio))
          CHECK(ratio.as_string() == "infinity");
        else
          CHECK(ratio.as_number() == *cost.ratio);
        CHECK(seconds.find("interval_95")->is_null() == !cost.bounds);
        std::size_t reached = 0;
        for (const auto& one : arm.find("seeds")->as_array())
          reached += one.find("seconds")->is_null() ? 0 : 1;
        CHECK(reached == target.arms[a].reached);
      }
    }
  }
}

TEST_CASE("race: costs are medians over seeds by brute force, and pairs are counted seed by seed") {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const auto race = random_race(seed);
    for (const auto& target : race.targets)
      for (std::size_t a = 0; a < race.arms.size(); ++a) {
        const auto& arm = target.arms[a];
        std::vector<double> seconds;
        std::size_t pairs = 0;
        std::size_t sooner = 0;
        for (std::size_t s = 0; s < race.spec.seeds.size(); ++s) {
          const auto& run = race.arms[a].runs[s];
          // By hand: nothing where the run failed or there is no value.
          const auto own = run.failed || !target.value
                               ? std::nullopt
                               : first_crossing(run.points, target.target.metric, *target.value);
          REQUIRE(own.has_value() == arm.crossings[s].has_value());
          seconds.push_back(own ? own->seconds : not_reached);
          const double base = cost_of(target.arms[0].crossings[s], race_cost::seconds);
          pairs += std::isinf(base) && std::isinf(seconds.back()) ? 0 : 1;
          sooner += seconds.back() < base ? 1 : 0;
        }
        std::sort(seconds.begin(), seconds.end());
        const auto n = seconds.size();
        const double low = seconds[(n - 1) / 2];
        const double high = seconds[n / 2];
        const double middle = low == high ? low : 0.5 * (low + high);
        CHECK(arm.costs[0].middle == middle);
        CHECK(arm.costs[0].best == seconds.front());
        CHECK(arm.costs[0].worst == seconds.back());
        if (a > 0) {
          CHECK(arm.costs[0].pairs == pairs);
          CHECK(arm.costs[0].sooner == sooner);
        }
      }
  }
}

TEST_CASE(
    "race: each target has one statement for every arm beside the baseline, that names it and no other") {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    const auto race = random_race(seed);
    for (const auto& target : race.targets) {
      if (!target.value) {
        REQUIRE(target.statements.size() == 1);
        CHECK(target.statements[0].find("has no value to reach") != std::string::npos);
        continue;
      }
      REQUIRE(target.statements.size() == std::max<std::size_t>(race.arms.size() - 1, 1));
      for (std::size_t a = 1; a < race.arms.size(); ++a) {
        const auto& text = target.statements[a - 1];
        const auto& arm = target.arms[a];
        CHECK(text.find(race.spec.arms[a].name) != std::string::npos);
        const bool none = arm.reached == 0 && target.arms[0].reached == 0;
        CHECK((text.find("neither") == 0) == none);
        if (!none && arm.costs[0].bounds && arm.costs[0].ratio)
          CHECK((text.find("no difference that this race could show") != std::string::npos) ==
                arm.costs[0].bounds->contains(1.0));
        if (!none && race.spec.seeds.size() == 1 && arm.costs[0].ratio)
          CHECK(text.find("one seed says nothing about chance") != std::string::npos);
        CHECK(text.find("inf") == std::string::npos);
        CHECK(text.find("nan") == std::string::npos);
      }
    }
    const auto text = report_text(race);
    for (const auto& target : race.targets)
      for (const auto& statement : target.statements)
        CHECK(text.find(statement + "\n") != std::string::npos);
    for (const auto& remark : race.remarks)
      CHECK(text.find("note: " + remark + "\n") != std::string::npos);
  }
}

TEST_CASE(
    "race: the page is whole, refers to nothing outside, escapes what runs have said, and shows no nan") {
  for (std::uint64_t seed = 0; seed < 15; ++seed) {
    CAPTURE(seed);
    auto race = random_race(seed);
    race_circumstances around;
    around.machine.set("cpu", json_value("<script>alert(1)</script>"));
    around.finished = "2026-01-01T00:00:00Z";
    const auto page = report_html(race, around);
    check_nesting(page.substr(page.find("<body>") + 6, page.find("</body>") - page.find("<body>") - 6));
    for (const char* bad : {"<script", "<diverged>", "nan", "src=\"http", "href=", "url("})
      CHECK_MESSAGE(page.find(bad) == std::string::npos, bad);
    for (const auto& arm : race.spec.arms)
      CHECK(page.find(arm.name) != std::string::npos);
  }
}

TEST_CASE("race: all four files are written, the JSON last; a directory that is not there is an error") {
  const scratch_folder folder;
  const auto race = random_race(5);
  REQUIRE(write_reports(race, {}, folder.path()).ok());
  CHECK(text_of(folder.path("race.csv")) == report_csv(race));
  CHECK(text_of(folder.path("curves.csv")) == curves_csv(race));
  CHECK(text_of(folder.path("race.html")) == report_html(race, {}));
  CHECK(text_of(folder.path("race.json")) == dump_json(report_json(race, {}), 1) + "\n");
  CHECK(!write_reports(race, {}, folder.path("nowhere")).ok());
}

TEST_CASE("race: changes of an arm are listed with its grid point; a seed that tunes and races is remarked") {
  auto spec = small_spec();
  const auto changes = changes_of(spec.arms[1], {{"optimizer.learning_rate", json_value(0.3)}});
  CHECK(changes == std::vector<std::string>{"sampling.type = \"pps_epoch\"", "duration.epochs = 7.5",
                                            "optimizer.learning_rate = 0.3"});
  race_outcome race;
  race.spec = small_spec("", R"([{"name": "a"}])");
  race.spec.tuning_seeds = {2};
  race.arms.resize(1);
  for (const std::int64_t seed : {1, 2})
    race.arms[0].runs.push_back(run_of(seed, "train_loss", {1.0}));
  race.tuning.resize(1);
  const auto text = remarks(race);
  const bool said = std::any_of(text.begin(), text.end(), [](const auto& r) {
    return r.find("seed 2 both tunes and races") != std::string::npos;
  });
  CHECK(said);
}

TEST_CASE("race: html escaping leaves nothing that begins a tag or ends an attribute") {
  rng random(8, 8);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (int i = 0; i < 20; ++i)
      text += "<>&\"'ab;#"[random.below(9)];
    const auto escaped = escape_html(text);
    REQUIRE(escaped.find_first_of("<>\"'") == std::string::npos);
    std::string back = escaped; // and it reads as what it was
    for (const auto& [entity, character] :
         {std::pair{"&lt;", "<"}, std::pair{"&gt;", ">"}, std::pair{"&quot;", "\""}, std::pair{"&#39;", "'"},
          std::pair{"&amp;", "&"}})
      back = std::regex_replace(back, std::regex(entity), character);
    REQUIRE(back == text);
  }
}
