#include "actors/train.hpp"
#include "apps/bench/models.hpp"
#include "apps/bench/suites.hpp"
#include "apps/processes/child_process.hpp"

#include <fmt/format.h>
#include <stdexcept>

namespace triage {

namespace {

/// Samples per second of a run whose work is done by `nodes` processes of one worker each.
double node_rate(const std::shared_ptr<const run_setup>& setup, int nodes) {
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
  return outcome->summary.samples_per_second;
}

/// Nodes whose step takes a fixed time: what the network and the coordinator cost. The parameters are those
/// of an MLP with half a million.
void emulate_nodes(const bench_options& options, bench_report& report) {
  constexpr double step_ms = 20.0;
  for (const char* format : {"float32", "bfloat16"})
    for (const int nodes : {1, 2, 4, 8, 16}) {
      const double ideal = nodes * 64.0 * 1e3 / step_ms;
      const auto setup =
          make_bench_setup("mlp", 64,
                           {fmt::format("duration={{\"epochs\":null,\"seconds\":{}}}", 4.0 * options.seconds),
                            "runtime.workers=0", fmt::format("runtime.min_workers={}", nodes),
                            "evaluation.every_epochs=0", fmt::format("runtime.emulated_step_ms={}", step_ms),
                            fmt::format("network.wire_format={}", format)});
      series share;
      for (int round = 0; round < options.rounds; ++round)
        share.values.push_back(node_rate(setup, nodes) / ideal);
      report.add({fmt::format("bsp, {} nodes, 20 ms, {}: share of ideal", nodes, format), "", share, 0.9});
    }
}

} // namespace

void bench_nodes(const bench_options& options, bench_report& report) {
  emulate_nodes(options, report);
}

} // namespace triage
