#include "actors/train.hpp"
#include "apps/bench/models.hpp"
#include "apps/bench/suites.hpp"
#include "apps/processes/child_process.hpp"

#include <fmt/format.h>
#include <stdexcept>

namespace triage {

namespace {

/// A run of a few seconds whose work is done by `nodes` processes of one worker each.
run_summary run_with_nodes(const std::shared_ptr<const run_setup>& setup, int nodes) {
  std::vector<child_process> children;
  train_options options;
  options.listen = cluster_options{{"127.0.0.1", 0}, "", false};
  options.listening = [&](const net_address& at) {
    for (int i = 0; i < nodes; ++i) {
      auto child =
          child_process::start({.arguments = {"node", "--quiet", "--join", to_string(at), "--name",
                                              fmt::format("n{}", i), "--role", "worker", "--threads", "1"}});
      if (!child.ok())
        throw std::runtime_error(child.error().message);
      children.push_back(child.take());
    }
  };
  const auto outcome = train(setup, options);
  for (auto& c : children)
    (void)c.wait(10.0);
  if (!outcome.ok())
    throw std::runtime_error(outcome.error().message);
  if (outcome->summary.status != run_status::finished)
    throw std::runtime_error(outcome->summary.problem);
  return outcome->summary;
}

/// Nodes whose step takes a fixed time, with half a million parameters: what network and coordinator cost.
void emulate_nodes(const bench_options& options, bench_report& report) {
  constexpr double step_ms = 20.0;
  for (const char* format : {"float32", "bfloat16"})
    for (const int nodes : {1, 2, 4, 8, 16}) {
      const double ideal = nodes * 64.0 * 1e3 / step_ms;
      const auto setup = make_bench_setup(
          "mlp", 64,
          {fmt::format("duration={{\"epochs\":null,\"seconds\":{}}}", 4.0 * options.seconds),
           "runtime.workers=0", fmt::format("runtime.min_workers={}", nodes), "evaluation.every_epochs=0",
           fmt::format(R"(model=[{{"type":"synthetic_wait","milliseconds":{},"parameters":500000}},
                                 {{"type":"dense","units":10}}])",
                       step_ms),
           fmt::format("network.wire_format={}", format)});
      series share;
      for (int round = 0; round < options.rounds; ++round)
        share.values.push_back(run_with_nodes(setup, nodes).samples_per_second / ideal);
      report.add({fmt::format("bsp, {} nodes, 20 ms, {}: share of ideal", nodes, format), "", share, 0.9});
    }
}

/// What sending half a million gradients costs the worker that computed them: its busy time for a batch of 64
/// against that of a worker in the coordinator's process, where a gradient is handed over as a pointer.
void compare_pushing(const bench_options& options, bench_report& report) {
  const auto setup = [&](int workers) {
    return make_bench_setup(
        "mlp", 64,
        {fmt::format("duration={{\"epochs\":null,\"seconds\":{}}}", 4.0 * options.seconds),
         fmt::format("runtime.workers={}", workers), "evaluation.every_epochs=0"});
  };
  const auto here = setup(1);
  const auto there = setup(0);
  const auto milliseconds = [](const run_summary& s) {
    return 64e3 * s.worker_busy_seconds / static_cast<double>(s.samples_trained);
  };
  const auto wall = [](const run_summary& s) { return 64e3 / s.samples_per_second; };
  series walls;
  const std::vector<contender> contenders = {{"in the process",
                                              [&] {
                                                const auto outcome = train(here);
                                                return outcome.ok() ? milliseconds(outcome->summary) : 0.0;
                                              }},
                                             {"on a node", [&] {
                                                const auto summary = run_with_nodes(there, 1);
                                                walls.values.push_back(wall(summary));
                                                return milliseconds(summary);
                                              }}};
  const auto busy = alternate(contenders, options.rounds);
  for (std::size_t i = 0; i < contenders.size(); ++i)
    report.add({"gradient of 535,000 parameters, batch 64, " + contenders[i].name, "ms", busy[i]});
  report.add({"the same from order to order on the node, bsp", "ms", walls});
  report.add({"gradient on a node / in the process", "", ratio(busy[1], busy[0]), 1.1, true});
}

} // namespace

void bench_nodes(const bench_options& options, bench_report& report) {
  compare_pushing(options, report);
  emulate_nodes(options, report);
}

} // namespace triage
