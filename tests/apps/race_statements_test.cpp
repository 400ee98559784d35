#include "apps/race/statements.hpp"

#include "apps/race/report.hpp"
#include "race_support.hpp"

#include <algorithm>
#include <cmath>

// The sentence for each way in which two arms can compare, word for word: it is what people read.

using namespace triage;
using namespace triage::test;

namespace {

/// Two arms whose runs reach a train loss of 0.5 after so many seconds each; 0: never.
race_outcome reaching(const std::vector<int>& baseline, const std::vector<int>& arm) {
  auto document = json_text(spec_text("", R"([{"name": "base"}, {"name": "arm"}])"));
  json_value::array seeds;
  for (std::size_t s = 0; s < baseline.size(); ++s)
    seeds.emplace_back(static_cast<std::int64_t>(s + 1));
  document.set("seeds", json_value(seeds));
  auto spec = read_race_spec(document, "race.json");
  REQUIRE(spec.ok());
  race_outcome race;
  race.spec = spec.take();
  race.arms.resize(2);
  const auto fill = [](arm_outcome& out, const std::vector<int>& seconds) {
    for (const int n : seconds) {
      std::vector<double> losses(12, 1.0);
      if (n > 0)
        std::fill(losses.begin() + n - 1, losses.end(),
                  0.5); // flat until then: the crossing is the evaluation
      out.runs.push_back(run_of(static_cast<std::int64_t>(out.runs.size() + 1), "train_loss", losses));
    }
  };
  fill(race.arms[0], baseline);
  fill(race.arms[1], arm);
  analyse(race);
  return race;
}

std::string sentence(const std::vector<int>& baseline, const std::vector<int>& arm) {
  const auto race = reaching(baseline, arm);
  REQUIRE(race.targets[0].statements.size() == 1);
  return race.targets[0].statements[0];
}

bool has(const std::vector<std::string>& texts, std::string_view part) {
  return std::any_of(texts.begin(), texts.end(),
                     [&](const auto& t) { return t.find(part) != std::string::npos; });
}

} // namespace

TEST_CASE("race: sentences of arms that get there") {
  CHECK(sentence({8, 8, 8}, {4, 4, 4}) == "arm reaches train loss 0.5 in 4.00 s against 8.00 s of base: "
                                          "2.00x (2.00 to 2.00), 3 of 3 seeds against 3 of "
                                          "3 seeds");
  CHECK(sentence({4, 4, 4}, {8, 8, 8}) == "arm reaches train loss 0.5 in 8.00 s against 4.00 s of base: "
                                          "0.50x (0.50 to 0.50), 3 of 3 seeds against 3 of "
                                          "3 seeds; it is slower");
  CHECK(sentence({4, 5, 6}, {4, 5, 6}).find("1.00x") != std::string::npos);
  CHECK(sentence({4, 5, 6}, {4, 5, 6}).find("no difference that this race could show") != std::string::npos);
}

TEST_CASE("race: sentences where one side or both do not get there") {
  CHECK(sentence({0, 0, 0}, {0, 0, 0}) == "neither arm nor base reaches train loss 0.5");
  CHECK(sentence({5, 5, 5}, {0, 0, 0}) ==
        "arm does not reach train loss 0.5 with any seed, base does in 3 of 3 seeds (5.00 s); it is slower");
  CHECK(sentence({0, 0, 0}, {5, 5, 5}) ==
        "arm reaches train loss 0.5 in 5.00 s, 3 of 3 seeds; base does not with any seed: at least 2.40x "
        "sooner, with 2.40x fewer gradients");
  CHECK(sentence({5, 5, 5}, {3, 0, 0})
            .find("arm reaches train loss 0.5 in only 1 of 3 seeds, base in 3 of 3 seeds "
                  "(5.00 s)") == 0);
  CHECK(sentence({5, 0, 0}, {3, 3, 3})
            .find("arm reaches train loss 0.5 in 3.00 s, 3 of 3 seeds; base does so in only "
                  "1 of 3 seeds: at least 4.00x sooner") == 0); // two whole runs of 12 s
  CHECK(sentence({5, 7, 9, 0, 0, 0}, {3, 3, 3, 3, 3, 3}).find("at least 3.50x sooner") != std::string::npos);
  CHECK(sentence({5, 0, 0}, {3, 0, 0}) ==
        "arm reaches train loss 0.5 in 1 of 3 seeds, base in 1 of 3 seeds: too few for a median of either");
}

TEST_CASE("race: of one seed nothing is claimed") {
  CHECK(sentence({8}, {4}) ==
        "arm reaches train loss 0.5 in 4.00 s against 8.00 s of base: 2.00x, 1 of 1 seeds against "
        "1 of 1 seeds; one seed says nothing about chance");
}

TEST_CASE("race: a single arm is told by itself; a target without a value says why") {
  auto race = reaching({4, 4, 4}, {4, 4, 4});
  race.arms.resize(1);
  race.spec.arms.resize(1);
  analyse(race);
  CHECK(race.targets[0].statements[0] == "base reaches train loss 0.5 in 4.00 s (3 of 3 seeds)");
  race.spec.targets = {{"test_loss", target_rule::best_median, 0.0},
                       {"test_loss", target_rule::final_median, 0.0}};
  analyse(race);
  CHECK(race.targets[0].statements[0] ==
        "test loss (best median) has no value to reach: base did not measure it or failed in most seeds");
  CHECK(race.targets[1].statements[0].find("(final median)") != std::string::npos);
  CHECK(has(race.remarks, "test loss was not measured by every arm"));
}

TEST_CASE("race: targets are described with where their value comes from") {
  auto race = reaching({4, 4, 4}, {4, 4, 4});
  race.spec.targets = {{"train_loss", target_rule::given, 0.5},
                       {"train_loss", target_rule::final_median, 0.0},
                       {"train_loss", target_rule::best_median, 0.0}};
  analyse(race);
  CHECK(describe(race.spec, race.targets[0]) == "train loss 0.5");
  CHECK(describe(race.spec, race.targets[1]) == "train loss 0.5 (where base ends, median over seeds)");
  CHECK(describe(race.spec, race.targets[2]) == "train loss 0.5 (the best of base's median curve)");
}

TEST_CASE("race: remarks: few seeds, failures with their reasons, edges, data, machines, late evaluations") {
  auto race = reaching({1, 4, 4}, {4, 4, 4});
  CHECK(has(race.remarks, "3 seeds are few"));
  CHECK(has(race.remarks, "base has train loss 0.5 at its first evaluation already"));
  auto enough = reaching({4, 4, 4, 4, 4}, {4, 4, 4, 4, 4});
  CHECK(enough.remarks.empty()); // nothing to say is nothing said
  enough.arms[1].runs[3].failed = true;
  enough.arms[1].runs[3].problem = "training diverged";
  enough.tuning.push_back({1, {}, 0, "the grid is short"});
  enough.arms[0].runs[2].data_fingerprint = "other";
  analyse(enough);
  CHECK(has(enough.remarks, "arm failed with seed 4: training diverged"));
  CHECK(has(enough.remarks, "the grid is short"));
  CHECK(has(enough.remarks, "the arms train on different data"));
  // Data that depend on the seed alone are the same for all arms.
  auto by_seed = reaching({4, 4, 4, 4, 4}, {4, 4, 4, 4, 4});
  for (auto& arm : by_seed.arms)
    for (auto& run : arm.runs)
      run.data_fingerprint = "data of seed " + std::to_string(run.seed);
  analyse(by_seed);
  CHECK(by_seed.remarks.empty());
}

TEST_CASE("race: the caveats are the same for every race, and each is a sentence") {
  const auto all = caveats();
  CHECK(all.size() >= 6);
  for (const auto& c : all) {
    CHECK(c.ends_with('.'));
    CHECK(c.find('\n') == std::string::npos);
  }
}
