#include "race_support.hpp"

#include <doctest/doctest.h>
#include <fstream>
#include <iterator>

using namespace triage;
using namespace triage::test;

namespace {

std::string problem(const std::string& text) {
  const auto spec = read_race_spec(json_text(text), "race.json");
  if (spec.ok())
    return "(no error)";
  CHECK(spec.error().kind == error_kind::configuration);
  return spec.error().message;
}

std::string with_arms(const std::string& arms) {
  return problem(spec_text("", arms));
}

void check_says(const std::string& message, const std::vector<std::string>& parts) {
  for (const auto& part : parts)
    CHECK_MESSAGE(message.find(part) != std::string::npos, message << " does not say " << part);
}

} // namespace

TEST_CASE("race: a specification is read with its defaults") {
  const auto spec = small_spec();
  CHECK(spec.cores == 1);
  CHECK(spec.parallel == 1);
  CHECK(spec.evaluate_every_epochs == 0.25);
  CHECK(spec.seeds == std::vector<std::int64_t>{1, 2});
  CHECK(spec.tuning_metric == "train_loss");
  REQUIRE(spec.arms.size() == 3);
  CHECK(spec.arms[1].set.size() == 2);
  CHECK(spec.arms[2].grid_of == "plain");
  CHECK(spec.targets[0].rule == target_rule::given);
  CHECK(arm_index(spec, "follower") == 2);
}

TEST_CASE("race: a slip in the specification is an error with the place and what to do") {
  check_says(problem(spec_text(",\n\"seed\": [1]")), {"race.json, line", "/seed", "did you mean", "seeds"});
  check_says(problem(spec_text(", \"cores\": 0")), {"/cores", "is 0"});
  check_says(problem("{\"base\": {}, \"arms\": []}"), {"\"targets\" is missing"});
  check_says(with_arms("[]"), {"/arms", "at least one arm"});
  check_says(with_arms("[{\"nam\": \"a\"}]"), {"/arms/0/nam", "did you mean", "name"});
  check_says(with_arms("[{\"name\": \"a/b\"}]"), {"/arms/0/name", "folder"});
  check_says(with_arms("[{\"name\": \"..\"}]"), {"/arms/0/name", "folder"});
  check_says(with_arms(R"([{"name": "a"}, {"name": "a"}])"), {"/arms/1/name", "second arm"});
  check_says(with_arms(R"([{"name": "a", "set": []}])"), {"/arms/0/set", "dotted paths"});
  check_says(with_arms(R"([{"name": "a", "set": {"seed": 4}}])"), {"/arms/0/set/seed", "/seeds"});
  check_says(with_arms(R"([{"name": "a", "set": {"evaluation.every_epochs": 4}}])"),
             {"/arms/0/set/evaluation.every_epochs", "/evaluate_every_epochs"});
  check_says(with_arms(R"([{"name": "a", "grid": {"batch_size": []}}])"),
             {"/arms/0/grid/batch_size", "at least one"});
  check_says(with_arms(R"([{"name": "a", "grid": {"batch_size": [1]}, "set": {"batch_size": 2}}])"),
             {"/arms/0/grid/batch_size", "either fixed or tuned"});
  check_says(with_arms(R"([{"name": "a", "grid_of": "b"}])"), {"/arms/0/grid_of", "unknown arm \"b\""});
  check_says(with_arms(R"([{"name": "a"}, {"name": "b", "grid_of": "a"}])"), {"/arms/1/grid_of", "no grid"});
  check_says(with_arms(R"([{"name": "a", "grid": {"batch_size": [1]}},
                           {"name": "b", "grid_of": "a", "set": {"batch_size": 2}}])"),
             {"/arms/1/grid_of", "batch_size", "decides it"});
  check_says(problem(R"({"base": {}, "arms": [{"name": "a", "grid": {"batch_size": [1, 2]}}],
                         "targets": [{"metric": "test_loss", "value": 1}]})"),
             {"/arms/0/grid", "/tuning/seeds is empty"});
  check_says(problem(R"({"base": {}, "seeds": [1, 1], "arms": [{"name": "a"}],
                         "targets": [{"metric": "test_loss", "value": 1}]})"),
             {"/seeds", "twice"});
  check_says(problem(R"({"base": {}, "arms": [{"name": "a"}], "targets": [{"metric": "loss", "value": 1}]})"),
             {"/targets/0/metric", "unknown value \"loss\""});
  check_says(problem(R"({"base": {}, "arms": [{"name": "a"}],
                         "targets": [{"metric": "test_loss", "value": "final_median_of_frist_arm"}]})"),
             {"/targets/0/value", "did you mean", "final_median_of_first_arm"});
  check_says(
      problem(R"({"base": {}, "arms": [{"name": "a"}], "targets": [{"metric": "test_loss", "value": []}]})"),
      {"/targets/0/value", "a number or one of"});
  check_says(problem(R"({"base": "nowhere.json", "arms": [{"name": "a"}],
                         "targets": [{"metric": "test_loss", "value": 1}]})"),
             {"/base", "nowhere.json", "cannot be opened"});
}

TEST_CASE("race: overrides step into a base that is a file") {
  const std::string example = TRIAGE_SOURCE_DIR "/examples/race_small.json";
  const auto spec = load_race_spec(example, {"base.duration.epochs=1", "seeds=[4]", "arms.1.name=other"});
  REQUIRE_MESSAGE(spec.ok(), (spec.ok() ? "" : spec.error().message));
  CHECK(spec->base.find("duration")->find("epochs")->as_integer() == 1);
  CHECK(spec->seeds == std::vector<std::int64_t>{4});
  CHECK(spec->arms[1].name == "other");
}

TEST_CASE("race: docs/race.md has every option as the code describes it") {
  std::ifstream in(TRIAGE_SOURCE_DIR "/docs/race.md");
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  for (const auto& section : describe_race_spec())
    for (const auto& r : section.rows) {
      const std::string row = "| `" + r.name + "` | " + r.type + " | `" + r.default_value + "` | " + r.range +
                              " | " + r.doc + " |";
      CHECK_MESSAGE(text.find(row) != std::string::npos, section.title << " lacks the row\n" << row);
    }
}
