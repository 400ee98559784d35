#include "apps/forecast/forecast_rows.hpp"

#include <doctest/doctest.h>

using namespace triage;

namespace {

/// Steps of 10 ms, 2 MB each way.
step_profile a_profile() {
  step_profile p;
  p.name = "mine";
  p.exchange.set("policy", "asp");
  p.samples = 100;
  p.floats = 500'000;
  p.bytes_down = p.bytes_up = 2e6;
  p.step_seconds = 0.011;
  for (int i = 0; i < 50; ++i)
    p.steps.push_back({{{compute_op::kind::round, 0.010, p.floats, p.floats}}, 0.0});
  return p;
}

std::vector<forecast_row> rows_of(const step_profile& p, double megabits) {
  const auto policy = make_exchange(p.exchange, {"test", ""}).take();
  std::vector<forecast_row> rows;
  for (const std::size_t n : {1U, 2U, 4U, 16U}) {
    cluster_scenario s;
    s.nodes = n;
    s.network.coordinator_down = s.network.coordinator_up = megabits * 1e6 / 8.0;
    rows.push_back(forecast(p, *policy, s));
  }
  return rows;
}

bool says(const std::string& text, const char* what) {
  return text.find(what) != std::string::npos;
}

} // namespace

TEST_CASE("forecast: the advice says where more nodes stop paying, and whether any do") {
  const auto p = a_profile();
  CHECK(speed_in_one_process(p) == doctest::Approx(10'000.0));
  const auto fast = forecast_advice(p, rows_of(p, 1e6));
  CHECK_MESSAGE(says(fast, "up to 16 nodes each one adds at least half"), fast);
  const auto knee = forecast_advice(p, rows_of(p, 8000)); // 2 ms of the cable for each answer: room for 5
  CHECK_MESSAGE(says(knee, "beyond 4 node(s) each further one adds"), knee);
  auto merging = p; // 2 ms for each answer: room for 5
  merging.merge_more_seconds = 0.002;
  for (auto& step : merging.steps)
    step.merge_seconds = 0.002;
  const auto full = forecast_advice(merging, rows_of(merging, 1e6));
  CHECK_MESSAGE(says(full, "beyond 4 node(s) each further one adds"), full);
  CHECK_MESSAGE(says(full, "merging is full"), full);
  const auto slow = forecast_advice(p, rows_of(p, 100));
  CHECK_MESSAGE(says(slow, "none of these is faster than one worker"), slow);
}

TEST_CASE("forecast: table and heading name the assumptions, and how far off a measurement was") {
  const auto p = a_profile();
  auto rows = rows_of(p, 4000);
  cluster_scenario s;
  s.network.latency = 0.002;
  s.network.coordinator_down = s.network.coordinator_up = 4000e6 / 8.0;
  const auto heading = forecast_heading(p, s);
  CHECK_MESSAGE(says(heading, "the coordinator's network 4000 Mbit/s"), heading);
  CHECK_MESSAGE(says(heading, "2 ms to the nodes, 2 ms back"), heading);
  s.shared_cores = 3;
  CHECK(says(forecast_heading(p, s), "one machine of 3 cores"));
  CHECK(!says(forecast_table(rows), "measured"));
  for (auto& r : rows)
    r.measured = r.simulated.samples_per_second / 1.25;
  const auto table = forecast_table(rows);
  CHECK_MESSAGE(says(table, "+25.0 %"), table);
  const auto json = forecast_json(p, s, rows);
  CHECK(json.find("forecasts")->as_array().size() == 4);
  CHECK(json.find("samples_per_second_in_one_process")->as_number() == doctest::Approx(10'000.0));
}
