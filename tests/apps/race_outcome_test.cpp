#include "apps/race/endings.hpp"
#include "apps/race/finals.hpp"
#include "apps/race/report.hpp"
#include "race_support.hpp"

#include <cmath>
#include <doctest/doctest.h>

using namespace triage;
using namespace triage::test;

namespace {

/// Two arms of three seeds each; the second is twice as fast.
race_outcome two_arms(const std::string& value = "\"final_median_of_first_arm\"") {
  auto document =
      json_text(spec_text("", R"([{"name": "slow", "set": {"batch_size": 8}}, {"name": "fast <b>"}])"));
  document.set("seeds", json_text("[1, 2, 3]"));
  document.find("arms")->as_array()[1].set("name", json_value("fast"));
  document.set("targets", json_text("[{\"metric\": \"train_loss\", \"value\": " + value + "}]"));
  auto spec = read_race_spec(document, "race.json");
  REQUIRE_MESSAGE(spec.ok(), (spec.ok() ? "" : spec.error().message));
  race_outcome race;
  race.spec = spec.take();
  race.arms.resize(2);
  for (const double shift : {0.0, 0.1, 0.2}) {
    const auto seed = static_cast<std::int64_t>(race.arms[0].runs.size() + 1);
    race.arms[0].runs.push_back(
        run_of(seed, "train_loss", {4.0 + shift, 3.0 + shift, 2.0 + shift, 1.0 + shift}));
    race.arms[1].runs.push_back(run_of(seed, "train_loss", {3.0 + shift, 1.0 + shift, 0.5, 0.25}));
  }
  return race;
}

} // namespace

TEST_CASE("race: a crossing lies on the line between two evaluations") {
  const auto c = first_crossing(curve_of("train_loss", {4.0, 2.0, 1.0}), "train_loss", 2.5);
  REQUIRE(c);
  CHECK(c->seconds == doctest::Approx(1.75));
  CHECK(c->samples == doctest::Approx(175.0));
  CHECK(c->compute_seconds == doctest::Approx(0.875));
  CHECK(!c->at_first_evaluation);
  CHECK(first_crossing(curve_of("train_loss", {4.0, 2.0, 1.0}), "train_loss", 2.0)->seconds ==
        doctest::Approx(2.0));
}

TEST_CASE("race: crossings at the first evaluation, never, from below, and the first of several") {
  const auto at_once = first_crossing(curve_of("train_loss", {0.5, 0.4}), "train_loss", 1.0);
  REQUIRE(at_once);
  CHECK(at_once->at_first_evaluation);
  CHECK(at_once->seconds == 1.0);
  CHECK(!first_crossing(curve_of("train_loss", {4.0, 2.0}), "train_loss", 1.0));
  CHECK(!first_crossing({}, "train_loss", 1.0));
  CHECK(!first_crossing(curve_of("train_loss", {4.0, 2.0}), "test_loss", 3.0));
  const auto rising = first_crossing(curve_of("test_accuracy", {0.5, 0.7, 0.6, 0.9}), "test_accuracy", 0.6);
  REQUIRE(rising);
  CHECK(rising->seconds == doctest::Approx(1.5));
  CHECK(!first_crossing(curve_of("test_accuracy", {0.5, 0.7}), "test_accuracy", 0.8));
}

TEST_CASE("race: target values come from the baseline's median end and its best median") {
  arm_outcome baseline;
  baseline.runs = {run_of(1, "test_loss", {3.0, 1.0, 2.0}), run_of(2, "test_loss", {3.0, 1.2, 2.2}),
                   run_of(3, "test_loss", {3.0, 1.4, 2.4})};
  CHECK(*target_value({"test_loss", target_rule::final_median, 0.0}, baseline) == 2.2);
  CHECK(*target_value({"test_loss", target_rule::best_median, 0.0}, baseline) == 1.2);
  CHECK(*target_value({"test_loss", target_rule::given, 0.7}, baseline) == 0.7);
  CHECK(!target_value({"test_accuracy", target_rule::final_median, 0.0}, baseline));
  CHECK(!target_value({"test_accuracy", target_rule::best_median, 0.0}, baseline));
  baseline.runs[0].failed = true;
  CHECK(*target_value({"test_loss", target_rule::final_median, 0.0}, baseline) == 2.4);
  baseline.runs[1].failed = true;
  CHECK(!target_value({"test_loss", target_rule::final_median, 0.0}, baseline));
}

TEST_CASE("race: an arm that is twice as fast is said to be") {
  auto race = two_arms("2.0");
  analyse(race);
  const auto& target = race.targets.at(0);
  CHECK(target.arms[0].reached == 3);
  CHECK(target.arms[0].costs[0].middle == doctest::Approx(3.1));
  CHECK(target.arms[1].costs[0].middle == doctest::Approx(1.55));
  CHECK(*target.arms[1].costs[0].ratio == doctest::Approx(2.0));
  CHECK(*target.arms[1].costs[1].ratio == doctest::Approx(2.0));
  CHECK(target.arms[1].costs[0].sooner == 3);
  REQUIRE(target.statements.size() == 1);
  const auto& text = target.statements[0];
  CHECK_MESSAGE(text.find("fast reaches train loss 2 in 1.55 s against 3.10 s of slow: 2.00x (") == 0, text);
  CHECK_MESSAGE(text.find("3 of 3 seeds") != std::string::npos, text);
  CHECK_MESSAGE(text.find("no difference") == std::string::npos, text);
}

TEST_CASE("race: an arm that is the baseline again shows no difference") {
  auto race = two_arms("2.0");
  race.arms[1] = race.arms[0];
  analyse(race);
  const auto& text = race.targets[0].statements.at(0);
  CHECK_MESSAGE(text.find("no difference that this race could show") != std::string::npos, text);
}

TEST_CASE("race: failed runs do not reach anything and are remarked") {
  auto race = two_arms("2.0");
  race.arms[1].runs[0].failed = true;
  race.arms[1].runs[0].problem = "it diverged";
  race.arms[1].runs[2].failed = true;
  analyse(race);
  CHECK(race.failed_runs() == 2);
  CHECK(race.targets[0].arms[1].reached == 1);
  CHECK(std::isinf(race.targets[0].arms[1].costs[0].middle));
  CHECK(race.targets[0].statements[0].find("in only 1 of 3 seeds") != std::string::npos);
  const auto text = report_text(race);
  CHECK_MESSAGE(text.find("fast failed with seed 1: it diverged") != std::string::npos, text);
  CHECK_MESSAGE(text.find("3 seeds are few") != std::string::npos, text);
  const auto rows = final_rows(race);
  REQUIRE(!rows.empty());
  CHECK(rows[0].name == "train_loss");
  CHECK(std::isinf(rows[0].arms[1]->middle));
}

TEST_CASE("race: data that differ between arms, targets that were passed at once") {
  auto race = two_arms("100");
  race.arms[1].runs[1].data_fingerprint = "other";
  analyse(race);
  const auto text = report_text(race);
  CHECK_MESSAGE(text.find("different data") != std::string::npos, text);
  CHECK_MESSAGE(text.find("upper bound") != std::string::npos, text);
}

TEST_CASE("race: runs of another program or machine are remarked") {
  auto race = two_arms("2.0");
  analyse(race);
  CHECK(report_text(race).find("older than the program") == std::string::npos);
  race.arms[0].runs[0].older_than_program = true;
  analyse(race);
  CHECK(report_text(race).find("1 runs are older than the program") != std::string::npos);
  race.arms[0].runs[0].made_on = "here";
  race.arms[1].runs[0].made_on = "there";
  analyse(race);
  CHECK(report_text(race).find("different machines") != std::string::npos);
}

TEST_CASE("race: the best mean wins the tuning, failures never do, and an edge is remarked") {
  const auto spec = small_spec();
  tuning_outcome tuning;
  tuning.arm = 1;
  for (auto& p : grid_points(spec.arms[1]))
    tuning.points.push_back({std::move(p), {}, {}, 0.0});
  tuning.points[0].runs = {run_of(101, "train_loss", {2.0, 1.0}), run_of(102, "train_loss", {2.0, 1.2})};
  tuning.points[1].runs = {run_of(101, "train_loss", {2.0, 0.1}), run_of(102, "train_loss", {2.0, 0.1})};
  choose_point(spec, tuning);
  CHECK(tuning.chosen == 1);
  CHECK(tuning.points[0].mean == doctest::Approx(1.1));
  CHECK(tuning.remark.find("edge") != std::string::npos);
  tuning.points[1].runs[1].failed = true;
  choose_point(spec, tuning);
  CHECK(tuning.chosen == 0);
  tuning.points[0].runs[0].failed = true;
  choose_point(spec, tuning);
  CHECK(tuning.remark.find("every point") != std::string::npos);
}

TEST_CASE("race: the band of a curve is the median and the range of the seeds") {
  const auto band = median_curve(two_arms().arms[0].runs, "train_loss");
  REQUIRE(band.size() == 4);
  CHECK(band[3].middle == doctest::Approx(1.1));
  CHECK(band[3].low == doctest::Approx(1.0));
  CHECK(band[3].high == doctest::Approx(1.2));
  CHECK(band[3].samples == 400.0);
}

TEST_CASE("race: ends are compared seed by seed, with the time they took") {
  auto race = two_arms("2.0");
  race.arms[1].runs.clear();
  for (const double gained : {0.30, 0.31, 0.32}) { // below seeds that differ by much more
    const auto seed = race.arms[1].runs.size();
    const double base = *race.arms[0].runs[seed].final_figure("train_loss");
    race.arms[1].runs.push_back(
        run_of(static_cast<std::int64_t>(seed + 1), "train_loss", {2.0, base - gained}));
  }
  analyse(race);
  auto found = endings(race);
  REQUIRE(found.size() == 1);
  CHECK(found[0].pairs == 3);
  CHECK(found[0].difference == doctest::Approx(-0.31));
  REQUIRE(found[0].bounds);
  CHECK(found[0].bounds->low == doctest::Approx(-0.31 - 4.30265 * 0.01 / std::sqrt(3.0)).epsilon(1e-4));
  CHECK(found[0].bounds->high == doctest::Approx(-0.31 + 4.30265 * 0.01 / std::sqrt(3.0)).epsilon(1e-4));
  CHECK(found[0].time_share == doctest::Approx(0.5));
  const std::string sentence =
      "fast ends with a train loss 0.31 better than slow (0.33 better to 0.29 better, 3 pairs "
      "of seeds), in 0.50 of its seconds";
  CHECK(to_sentence(race, found[0]) == sentence);
  CHECK(report_text(race).find(sentence) != std::string::npos);
  CHECK(report_html(race, {}).find("0.31 better than slow") != std::string::npos);
  CHECK(report_json(race, {}).find("endings")->as_array().at(0).find("difference")->as_number() ==
        doctest::Approx(-0.31));
  // Chance, a failed seed, and one pair.
  race.arms[1] = race.arms[0];
  race.arms[1].runs[0].points.back().figures[0].second += 0.1;
  race.arms[1].runs[1].points.back().figures[0].second -= 0.1;
  CHECK(to_sentence(race, endings(race).at(0)).find("no difference that this race could show") !=
        std::string::npos);
  race.arms[1].runs[0].failed = true;
  CHECK(endings(race).at(0).pairs == 2);
  race.arms[0].runs[1].failed = true;
  found = endings(race);
  REQUIRE(found.size() == 1);
  CHECK(!found[0].bounds);
  CHECK(to_sentence(race, found[0]).find("one pair says nothing") != std::string::npos);
  race.arms[0].runs[2].failed = true;
  CHECK(endings(race).empty());
}
