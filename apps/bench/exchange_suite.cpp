#include "apps/bench/models.hpp"
#include "apps/bench/series.hpp"
#include "apps/bench/suites.hpp"
#include "apps/processes/node_run.hpp"

#include <fmt/format.h>

// What exchange policies make of a network: node processes with emulated compute, over real sockets, with an
// emulated latency where that is said.

namespace triage {

namespace {

struct emulated_run {
  int nodes = 2;
  double step_ms = 5.0;
  double latency_ms = 0.0; ///< to the nodes; the way back takes none
  int parameters = 50000;
  std::string exchange;
};

/// Milliseconds of a step of each node, over all that a run does.
series step_times(const bench_options& options, const emulated_run& r) {
  const auto setup = make_bench_setup(
      "mlp", 1,
      {fmt::format("duration={{\"epochs\":null,\"seconds\":{}}}", options.run_seconds()), "runtime.workers=0",
       fmt::format("runtime.min_workers={}", r.nodes), "evaluation.every_epochs=0",
       emulated_model(r.step_ms, 8, r.parameters), fmt::format("network.latency_ms={}", r.latency_ms),
       "runtime.exchange=" + r.exchange});
  series out;
  for (int round = 0; round < options.rounds; ++round)
    out.values.push_back(1e3 * r.nodes / run_with_nodes(setup, r.nodes).samples_per_second);
  return out;
}

series over(series times, double by) {
  for (double& t : times.values)
    t /= by;
  return times;
}

/// A step takes Y, a round trip D: with a round every so many steps a step takes Y + D / tau (Wang and Joshi,
/// MLSys 2019).
void periods(const bench_options& options, bench_report& report) {
  constexpr double y = 5.0;
  constexpr double d = 20.0;
  for (const int tau : {1, 2, 5, 10, 20})
    report.add({fmt::format("local_sgd, {} steps, round trip 20 ms: step / (Y + D / tau)", tau), "",
                over(step_times(options, {.step_ms = y,
                                          .latency_ms = d,
                                          .exchange = fmt::format(
                                              R"({{"policy":"local_sgd","local_steps":{}}})", tau)}),
                     y + d / tau),
                1.05, true});
}

/// A round trip that is shorter than a round is hidden; a longer one is waited for once in two rounds.
void overlap(const bench_options& options, bench_report& report) {
  constexpr double y = 5.0;
  constexpr int tau = 8;
  for (const double d : {30.0, 60.0, 120.0}) {
    const double round = d <= tau * y ? tau * y : (d + tau * y) / 2.0;
    report.add(
        {fmt::format("overlap_local_sgd, rounds of 40 ms, round trip {} ms: round / {:.0f} ms", d, round), "",
         over(step_times(options, {.step_ms = y,
                                   .latency_ms = d,
                                   .exchange = R"({"policy":"overlap_local_sgd","local_steps":8})"}),
              round / tau),
         1.05, true});
  }
}

/// Half a million parameters, steps of 20 ms, no delay but what this machine's loopback and cores cost.
void many_nodes(const bench_options& options, bench_report& report) {
  constexpr double y = 20.0;
  struct subject {
    const char* name;
    const char* exchange;
  };
  for (const auto& s :
       {subject{"bsp", R"({"policy":"bsp"})"},
        subject{"overlap_local_sgd, 1 step", R"({"policy":"overlap_local_sgd","local_steps":1})"},
        subject{"local_sgd, 1 step, int8",
                R"({"policy":"local_sgd","local_steps":1,"compression":{"up":"int8","down":"int8"}})"},
        subject{"local_sgd, 1 step, sign",
                R"({"policy":"local_sgd","local_steps":1,"compression":{"up":"sign","down":"sign"}})"},
        subject{"local_sgd, 4 steps", R"({"policy":"local_sgd","local_steps":4})"},
        subject{"local_sgd, 16 steps", R"({"policy":"local_sgd","local_steps":16})"}})
    for (const int nodes : {4, 16}) {
      series share =
          step_times(options, {.nodes = nodes, .step_ms = y, .parameters = 500000, .exchange = s.exchange});
      for (double& t : share.values)
        t = y / t;
      report.add({fmt::format("{}, {} nodes, 20 ms: share of ideal", s.name, nodes), "", share});
    }
}

} // namespace

void bench_exchange(const bench_options& options, bench_report& report) {
  periods(options, report);
  overlap(options, report);
  many_nodes(options, report);
}

} // namespace triage
