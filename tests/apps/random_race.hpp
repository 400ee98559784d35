#pragma once

#include "core/rng.hpp"
#include "race_support.hpp"

#include <string>
#include <vector>

namespace triage::test {

/// Arms of random curves; some runs fail, some end early, some never measure.
inline race_outcome random_race(std::uint64_t seed) {
  constexpr const char* names[] = {"base", "arm-1", "arm_2", "a.3"};
  rng random(seed, 1);
  const std::size_t arms = 1 + random.below(4);
  std::string list = "[";
  for (std::size_t i = 0; i < arms; ++i)
    list += (i == 0 ? "" : ", ") + std::string("{\"name\": \"") + names[i] + "\"}";
  auto document = json_text(spec_text("", list + "]"));
  const std::size_t seeds = 1 + random.below(6);
  json_value::array seed_list;
  for (std::size_t s = 0; s < seeds; ++s)
    seed_list.emplace_back(static_cast<std::int64_t>(s + 1));
  document.set("seeds", json_value(seed_list));
  document.set("targets", json_text(R"([{"metric": "train_loss", "value": 0.6},
      {"metric": "test_accuracy", "value": "best_median_of_first_arm"},
      {"metric": "train_loss", "value": "final_median_of_first_arm"},
      {"metric": "validation_loss", "value": "final_median_of_first_arm"}])"));
  auto spec = read_race_spec(document, "race.json");
  REQUIRE(spec.ok());
  race_outcome race;
  race.spec = spec.take();
  race.arms.resize(arms);
  for (auto& arm : race.arms)
    for (std::size_t s = 0; s < seeds; ++s) {
      std::vector<double> losses;
      double loss = 1.0;
      const auto n = 1 + random.below(8);
      for (std::uint64_t i = 0; i < n; ++i)
        losses.push_back(loss *= 0.7 + 0.4 * random.uniform());
      auto run = run_of(static_cast<std::int64_t>(s + 1), "train_loss", losses);
      run.directory = "runs/x";
      for (auto& p : run.points)
        if (random.below(5) != 0)
          p.figures.emplace_back("test_accuracy", 1.0 - *p.find("train_loss") / 2.0);
      if (random.below(6) == 0) {
        run.failed = true;
        run.problem = "it <diverged> & \"ended\"";
      }
      arm.runs.push_back(std::move(run));
    }
  analyse(race);
  return race;
}

} // namespace triage::test
