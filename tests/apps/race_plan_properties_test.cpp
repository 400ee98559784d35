#include "apps/race/plan.hpp"
#include "apps/race/tuning.hpp"
#include "core/rng.hpp"
#include "race_support.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

using namespace triage;
using namespace triage::test;

namespace {

std::string problem_of(const std::string& text) {
  const auto spec = read_race_spec(json_text(text), "race.json");
  REQUIRE_MESSAGE(!spec.ok(), text);
  CHECK(spec.error().kind == error_kind::configuration);
  CHECK_MESSAGE(spec.error().message.rfind("race.json", 0) == 0, spec.error().message);
  return spec.error().message;
}

} // namespace

TEST_CASE("race: every option of a specification refuses a value of the wrong type, with its place") {
  for (const auto& section : describe_race_spec())
    for (const auto& row : section.rows) {
      CAPTURE(section.title);
      CAPTURE(row.name);
      json_value document = json_text(spec_text());
      json_value* at = &document;
      std::string pointer;
      if (section.title == "Arm") {
        at = &document.find("arms")->as_array()[0];
        pointer = "/arms/0";
      } else if (section.title == "Target") {
        at = &document.find("targets")->as_array()[0];
        pointer = "/targets/0";
      }
      auto name = row.name;
      if (const auto dot = name.find('.'); dot != std::string::npos) {
        at = at->find(name.substr(0, dot));
        pointer += "/" + name.substr(0, dot);
        name = name.substr(dot + 1);
      }
      at->set(name, json_value(true));
      const auto message = problem_of(dump_json(document));
      CHECK_MESSAGE(message.find(pointer + "/" + name) != std::string::npos, message);
    }
}

TEST_CASE("race: limits of names, grids and seeds") {
  const auto arms_problem = [](const std::string& arms) { return problem_of(spec_text("", arms)); };
  CHECK(arms_problem(R"([{"name": ")" + std::string(61, 'a') + "\"}]").find("60") != std::string::npos);
  CHECK(arms_problem(R"([{"name": "a,b"}])").find("/arms/0/name") !=
        std::string::npos); // would break the CSV
  CHECK(arms_problem(R"([{"name": "ä"}])").find("/arms/0/name") != std::string::npos);
  CHECK(arms_problem(R"([{"name": ""}])").find("/arms/0/name") != std::string::npos);
  std::string values = "[0";
  for (int i = 1; i < 32; ++i)
    values += "," + std::to_string(i);
  values += "]";
  CHECK(arms_problem(R"([{"name": "a", "grid": {"a": )" + values + R"(, "b": )" + values + "}}]")
            .find("1024") != std::string::npos);
  auto unsafe = json_text(spec_text());
  unsafe.set("name", json_value("a/b"));
  CHECK(problem_of(dump_json(unsafe)).find("/name") != std::string::npos);
  CHECK(problem_of(R"({"base": {}, "seeds": [], "arms": [{"name": "a"}],
                       "targets": [{"metric": "test_loss", "value": 1}]})")
            .find("/seeds") != std::string::npos);
  CHECK(problem_of(R"({"base": {}, "seeds": [-1], "arms": [{"name": "a"}],
                       "targets": [{"metric": "test_loss", "value": 1}]})")
            .find("/seeds") != std::string::npos);
  CHECK(problem_of(R"({"base": {}, "tuning": {"seeds": [3, 3]}, "arms": [{"name": "a"}],
                       "targets": [{"metric": "test_loss", "value": 1}]})")
            .find("/tuning/seeds") != std::string::npos);
  CHECK(problem_of(R"({"base": {}, "arms": [{"name": "a"}], "targets": []})").find("/targets") !=
        std::string::npos);
  CHECK(
      problem_of(R"({"base": 4, "arms": [{"name": "a"}], "targets": [{"metric": "test_loss", "value": 1}]})")
          .find("a path or a run description") != std::string::npos);
  CHECK(problem_of(spec_text(", \"schema_version\": 2")).find("/schema_version") != std::string::npos);
  CHECK(arms_problem(R"([{"name": "a", "grid": {"batch_size": [1, 2]}},
                         {"name": "b", "grid": {"batch_size": [1, 2]}, "grid_of": "a"}])")
            .find("not both") != std::string::npos);
}

TEST_CASE("race: a grid has every combination once, and every point a folder of its own") {
  rng random(6, 1);
  for (int round = 0; round < 100; ++round) {
    race_arm arm;
    std::size_t combinations = 1;
    const auto axes = 1 + random.below(3);
    for (std::uint64_t a = 0; a < axes; ++a) {
      grid_axis axis{"group.axis" + std::to_string(a), {}};
      const auto n = 1 + random.below(4);
      for (std::uint64_t v = 0; v < n; ++v) {
        if (random.below(2) == 0)
          axis.values.emplace_back(static_cast<std::int64_t>(v));
        else // texts that look alike once they are file names
          axis.values.emplace_back(std::string("a") + "/:?*"[v % 4] + "b" +
                                   std::string(random.below(80), 'x'));
      }
      combinations *= axis.values.size();
      arm.grid.push_back(axis);
    }
    const auto points = grid_points(arm);
    REQUIRE(points.size() == combinations);
    std::set<std::string> names;
    std::set<std::string> values;
    for (std::size_t i = 0; i < points.size(); ++i) {
      REQUIRE(names.insert(points[i].name).second);
      REQUIRE(points[i].name.size() < 130);
      REQUIRE(points[i].name.find('/') == std::string::npos);
      std::size_t rest = i;
      for (std::size_t a = arm.grid.size(); a-- > 0;) { // the last axis is the fastest
        const auto& axis = arm.grid[a];
        REQUIRE(dump_json(points[i].values[a].second) == dump_json(axis.values[rest % axis.values.size()]));
        rest /= axis.values.size();
      }
    }
  }
}

TEST_CASE("race: tuning and race hold every run that is due once, with the description of its arm, point and "
          "seed") {
  auto spec = small_spec();
  spec.seeds = {5, 6, 7};
  const auto tuning = plan_tuning(spec);
  REQUIRE(tuning.ok());
  std::map<std::string, int> directories;
  for (const auto& run : *tuning) {
    ++directories[run.directory];
    REQUIRE(run.point);
    const auto points = grid_points(spec.arms[run.arm]);
    const auto expected = describe_run(spec, run.arm, points[*run.point].values, run.seed);
    REQUIRE(expected.ok());
    CHECK(run.description == dump_json(*expected, 2) + "\n");
    CHECK(run.directory.find("/seed-" + std::to_string(run.seed)) != std::string::npos);
    CHECK(run.label.find("tuning " + spec.arms[run.arm].name) == 0);
  }
  const std::vector<std::vector<path_value>> chosen = {
      {{"optimizer.learning_rate", json_value(0.2)}, {"batch_size", json_value(8)}},
      {{"optimizer.learning_rate", json_value(0.3)}},
      {{"optimizer.learning_rate", json_value(0.2)}, {"batch_size", json_value(8)}}};
  const auto race = plan_race(spec, chosen);
  REQUIRE(race.ok());
  CHECK(race->size() == 9);
  for (std::size_t i = 0; i < race->size(); ++i) {
    const auto& run = (*race)[i];
    ++directories[run.directory];
    CHECK(!run.point);
    CHECK(run.arm == i % 3); // a slow phase of the machine hits all arms alike
    CHECK(run.seed == spec.seeds[i / 3]);
    const auto d = json_text(run.description);
    CHECK(d.find("seed")->as_integer() == run.seed);
    CHECK(d.find("name")->as_string() == "r-" + spec.arms[run.arm].name);
    CHECK(d.find("optimizer")->find("learning_rate")->as_number() == chosen[run.arm][0].second.as_number());
  }
  for (const auto& [directory, count] : directories)
    CHECK_MESSAGE(count == 1, directory);
}

TEST_CASE("race: an arm whose grid has one point is not tuned, and arms without a grid are not either") {
  const auto spec = small_spec("", R"([{"name": "a", "grid": {"batch_size": [8]}}, {"name": "b"}])");
  const auto tuning = plan_tuning(spec);
  REQUIRE(tuning.ok());
  CHECK(tuning->empty());
}

TEST_CASE("race: an arm does not change the base of the others, and paths are made where they are missing") {
  const auto spec = small_spec("", R"([{"name": "a", "set": {"runtime.workers": 3, "sampling": "infobatch"}},
                                       {"name": "b"}])");
  const auto a = describe_run(spec, 0, {}, 1);
  const auto b = describe_run(spec, 1, {}, 1);
  REQUIRE(a.ok());
  REQUIRE(b.ok());
  CHECK(a->find("runtime")->find("workers")->as_integer() == 3);
  CHECK(a->find("sampling")->as_string() == "infobatch");
  CHECK(b->find("runtime") == nullptr);
  CHECK(b->find("sampling")->find("type")->as_string() == "uniform");
}

TEST_CASE("race: tuning chooses the best mean, by brute force, for losses and for accuracies") {
  rng random(6, 2);
  for (int round = 0; round < 200; ++round) {
    const std::string metric = round % 2 == 0 ? "test_loss" : "test_accuracy";
    auto spec = small_spec("", R"([{"name": "a", "grid": {"batch_size": [1, 2, 3, 4]}}])");
    spec.tuning_metric = metric;
    tuning_outcome tuning;
    std::vector<double> means;
    for (auto& p : grid_points(spec.arms[0])) {
      tuned_point t;
      t.point = std::move(p);
      double mean = 0.0;
      for (std::int64_t seed = 1; seed <= 3; ++seed) {
        const double v = static_cast<double>(random.below(20)) / 20.0;
        t.runs.push_back(run_of(seed, metric, {0.5, v}));
        mean += v / 3.0;
        if (random.below(12) == 0) {
          t.runs.back().failed = true;
          mean = metric == "test_loss" ? not_reached : -not_reached;
        }
      }
      tuning.points.push_back(std::move(t));
      means.push_back(mean);
    }
    choose_point(spec, tuning);
    const auto best = metric == "test_loss" ? std::min_element(means.begin(), means.end())
                                            : std::max_element(means.begin(), means.end());
    for (std::size_t i = 0; i < means.size(); ++i)
      REQUIRE((tuning.points[i].mean == means[i] || tuning.points[i].mean == doctest::Approx(means[i])));
    // Rounding may tell two equal means apart.
    REQUIRE((tuning.points[tuning.chosen].mean == *best ||
             tuning.points[tuning.chosen].mean == doctest::Approx(*best)));
    const bool at_edge = tuning.chosen == 0 || tuning.chosen == 3;
    if (!std::isinf(*best))
      REQUIRE((tuning.remark.find("edge") != std::string::npos) == at_edge);
    else
      REQUIRE(tuning.remark.find("every point") != std::string::npos);
  }
}

TEST_CASE("race: values that are no numbers, and axes of one value, have no edge to remark") {
  const auto spec = small_spec("", R"([{"name": "a", "grid": {"loss": ["x", "y"], "batch_size": [4]}}])");
  tuning_outcome tuning;
  for (auto& p : grid_points(spec.arms[0]))
    tuning.points.push_back({std::move(p), {run_of(1, "train_loss", {1.0})}, {}, 0.0});
  choose_point(spec, tuning);
  CHECK(tuning.remark.empty());
  CHECK(tuning.chosen == 0); // the first of equals
}

TEST_CASE("race: every specification that comes with the program reads, has five seeds and can be planned") {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TRIAGE_SOURCE_DIR "/examples/races")) {
    CAPTURE(entry.path().string());
    const auto spec = load_race_spec(entry.path().string(), {});
    REQUIRE_MESSAGE(spec.ok(), (spec.ok() ? "" : spec.error().message));
    CHECK(spec->seeds.size() >= 5);
    for (const auto seed : spec->tuning_seeds) // what tunes does not race
      CHECK(std::find(spec->seeds.begin(), spec->seeds.end(), seed) == spec->seeds.end());
    CHECK(plan_tuning(*spec).ok());
    CHECK(plan_race(*spec, std::vector<std::vector<path_value>>(spec->arms.size())).ok());
    ++count;
  }
  CHECK(count >= 8);
}

TEST_CASE(
    "race: the race of Zhou & Gao's method has a baseline tuned on a grid, and a random subset that costs as "
    "much") {
  const auto spec = load_race_spec(TRIAGE_SOURCE_DIR "/examples/races/zhou_gao.json", {});
  REQUIRE_MESSAGE(spec.ok(), (spec.ok() ? "" : spec.error().message));
  REQUIRE(!spec->arms[0].grid.empty());
  CHECK(spec->arms[0].grid[0].path == "optimizer.learning_rate");
  CHECK(spec->arms[0].grid[0].values.size() >= 3);
  const auto method = describe_run(*spec, arm_index(*spec, "zhou_gao"), {}, 1);
  const auto control = describe_run(*spec, arm_index(*spec, "random_subset"), {}, 1);
  REQUIRE(method.ok());
  REQUIRE(control.ok());
  CHECK(method->find("sampling")->as_string() == "zhou_gao");
  CHECK(control->find("sampling")->as_string() == "random_subset");
  for (const char* name : {"batch_size", "duration"}) // as many gradients
    CHECK(dump_json(*method->find(name)) == dump_json(*control->find(name)));
}
