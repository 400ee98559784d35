#include "apps/race/plan.hpp"
#include "race_support.hpp"

#include <doctest/doctest.h>

using namespace triage;
using namespace triage::test;

TEST_CASE("race: a grid is all combinations, the last axis fastest") {
  const auto spec = small_spec();
  const auto points = grid_points(spec.arms[0]);
  REQUIRE(points.size() == 4);
  CHECK(points[0].name == "learning_rate=0.1,batch_size=8");
  CHECK(points[1].name == "learning_rate=0.1,batch_size=16");
  CHECK(points[3].name == "learning_rate=0.2,batch_size=16");
  CHECK(points[3].values[1].first == "batch_size");
  CHECK(grid_points(spec.arms[2]).empty());
}

TEST_CASE("race: points whose names would be the same folder get different ones") {
  race_arm arm;
  arm.grid.push_back({"a.x", {json_value("p/q"), json_value("p q"), json_value("p?q")}});
  const auto points = grid_points(arm);
  CHECK(points[0].name == "x=p_q");
  CHECK(points[1].name == "x=p_q-2");
  CHECK(points[2].name == "x=p_q-3");
}

TEST_CASE("race: arms take turns, in tuning and in the race") {
  const auto spec = small_spec();
  const auto tuning = plan_tuning(spec);
  REQUIRE(tuning.ok());
  std::vector<std::string> order;
  for (const auto& run : *tuning)
    order.push_back(run.directory);
  CHECK(order.size() == 12); // two seeds, four points of one arm and two of the other
  CHECK(order[0] == "runs/plain/learning_rate=0.1,batch_size=8/seed-101");
  CHECK(order[1] == "runs/pps/learning_rate=0.3/seed-101");
  CHECK(order[2] == "runs/plain/learning_rate=0.1,batch_size=16/seed-101");
  CHECK(order[5] == "runs/plain/learning_rate=0.2,batch_size=16/seed-101");
  CHECK(order[6] == "runs/plain/learning_rate=0.1,batch_size=8/seed-102");

  const auto race = plan_race(spec, {{}, {}, {}});
  REQUIRE(race.ok());
  REQUIRE(race->size() == 6);
  const char* expected[] = {"runs/plain/seed-1", "runs/pps/seed-1", "runs/follower/seed-1",
                            "runs/plain/seed-2", "runs/pps/seed-2", "runs/follower/seed-2"};
  for (std::size_t i = 0; i < 6; ++i)
    CHECK((*race)[i].directory == expected[i]);
}

TEST_CASE("race: a description is the base, what the race prescribes, the arm and its grid point") {
  const auto spec = small_spec();
  const auto d = describe_run(spec, 1, {{"optimizer.learning_rate", json_value(0.4)}}, 7);
  REQUIRE(d.ok());
  CHECK(d->find("seed")->as_integer() == 7);
  CHECK(d->find("sampling")->find("type")->as_string() == "pps_epoch");
  CHECK(d->find("optimizer")->find("learning_rate")->as_number() == 0.4);
  CHECK(d->find("optimizer")->find("type")->as_string() == "sgd");
  CHECK(d->find("duration")->find("epochs")->as_number() == 7.5);
  CHECK(d->find("evaluation")->find("every_epochs")->as_number() == 0.25);
  CHECK(d->find("checkpoint")->find("every_epochs")->as_number() == 0.0);
}

TEST_CASE("race: only an arm that asks for checkpoints has them, and evaluation stays the race's") {
  const auto spec = small_spec("", R"([
    {"name": "a", "set": {"checkpoint": {"keep": 2}, "evaluation": {"probe_size": 5, "every_epochs": 9}}},
    {"name": "b", "set": {"checkpoint.every_epochs": 2}}, {"name": "c", "set": {"checkpoint": {"every_epochs": 3}}}])");
  const double expected[] = {0.0, 2.0, 3.0};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto d = describe_run(spec, i, {}, 1);
    REQUIRE(d.ok());
    CHECK(d->find("checkpoint")->find("every_epochs")->as_number() == expected[i]);
    CHECK(d->find("evaluation")->find("every_epochs")->as_number() == 0.25);
  }
}

TEST_CASE(
    "race: an arm with another optimizer takes none of the base's options, and keeps those of its own") {
  const auto spec =
      small_spec("", R"([{"name": "a", "set": {"optimizer.beta1": 0.8, "optimizer.type": "adam"}}])");
  std::vector<std::string> remarks;
  const auto d = describe_run(spec, 0, {{"optimizer.epsilon", json_value(0.5)}}, 1, &remarks);
  REQUIRE(d.ok());
  CHECK(dump_json(*d->find("optimizer")) == R"({"type":"adam","beta1":0.8,"epsilon":0.5})");
  REQUIRE(remarks.size() == 1);
  CHECK(remarks[0].find("\"sgd\", whose options were dropped: learning_rate;") != std::string::npos);
}

TEST_CASE("race: a path that does not fit the base is an error with its place") {
  const auto spec = small_spec("", R"([{"name": "a", "set": {"batch_size.of": 1}},
                                       {"name": "b", "set": {"model.4.units": 1}}])");
  const auto base_has_no_such_object = describe_run(spec, 1, {}, 1);
  REQUIRE(!base_has_no_such_object.ok());
  const auto& message = base_has_no_such_object.error().message;
  CHECK_MESSAGE(message.find("/arms/1/set/model.4.units") != std::string::npos, message);
  CHECK_MESSAGE(message.find("--set") == std::string::npos, message);
}
