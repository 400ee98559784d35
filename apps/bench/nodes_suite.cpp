#include "actors/train.hpp"
#include "apps/bench/models.hpp"
#include "apps/bench/push_cost.hpp"
#include "apps/bench/series.hpp"
#include "apps/bench/suites.hpp"
#include "apps/processes/node_run.hpp"

#include <array>
#include <fmt/format.h>

namespace triage {

namespace {

/// Nodes whose step takes a fixed time, with half a million parameters: what network and coordinator cost.
void emulate_nodes(const bench_options& options, bench_report& report) {
  constexpr double step_ms = 20.0;
  struct subject {
    const char* format;
    const char* transport;
  };
  for (const auto& s : {subject{"float32", "shared_memory"}, subject{"bfloat16", "shared_memory"},
                        subject{"float32", "unix"}, subject{"float32", "tcp"}})
    for (const int nodes : {1, 2, 4, 8, 16}) {
      const double ideal =
          nodes * 1e3 / step_ms; // at one sample a batch: samples that the layers hand on cost time
      const auto setup = make_bench_setup(
          "mlp", 1,
          {fmt::format("duration={{\"epochs\":null,\"seconds\":{}}}", options.run_seconds()),
           "runtime.workers=0", fmt::format("runtime.min_workers={}", nodes), "evaluation.every_epochs=0",
           emulated_model(step_ms, 8), fmt::format("network.wire_format={}", s.format),
           fmt::format("network.local_transport={}", s.transport)});
      series share;
      for (int round = 0; round < options.rounds; ++round)
        share.values.push_back(run_with_nodes(setup, nodes).samples_per_second / ideal);
      report.add({fmt::format("bsp, {} nodes, 20 ms, {}, {}: share of ideal", nodes, s.format, s.transport),
                  "", share, 0.9});
    }
}

/// What sending half a million gradients costs the worker that computed them, at a batch of 64.
void compare_pushing(const bench_options& options, bench_report& report) {
  training_step step(make_bench_setup("mlp", 64, {}));
  const auto pushing = [&](float_format format, link_transport transport) {
    return 1e3 / pushing_steps_per_second(step, format, transport, options.seconds);
  };
  const std::vector<contender> contenders = {
      {"not pushed", [&] { return 1e3 / calls_per_second(options.seconds, [&] { step.run(); }); }},
      {"pushed as float32", [&] { return pushing(float_format::float32, link_transport::tcp); }},
      {"pushed as bfloat16", [&] { return pushing(float_format::bfloat16, link_transport::tcp); }},
      {"pushed as float32 through shared memory",
       [&] { return pushing(float_format::float32, link_transport::shared_memory); }}};
  const auto times = alternate(contenders, options.rounds);
  for (std::size_t i = 0; i < contenders.size(); ++i)
    report.add(
        {"gradient of 535,000 parameters, batch 64, " + contenders[i].name + ": step", "ms", times[i]});
  for (std::size_t i = 1; i < contenders.size(); ++i)
    report.add({std::string(contenders[i].name) + " / not pushed", "", ratio(times[i], times[0]), 1.1, true});
}

/// What it costs when the coordinator, its merges and the way back share the machine's cores: where a next
/// order is there when one is finished, against a worker in the coordinator's process, which hands a pointer
/// over.
void compare_node_with_process(const bench_options& options, bench_report& report) {
  const auto setup = [&](int workers) {
    return make_bench_setup(
        "mlp", 64,
        {fmt::format("duration={{\"epochs\":null,\"seconds\":{}}}", options.run_seconds()),
         fmt::format("runtime.workers={}", workers), R"(runtime.exchange={"policy":"asp"})",
         "evaluation.every_epochs=0"});
  };
  const auto here = setup(1);
  const auto there = setup(0);
  struct figures {
    series step;
    series gradient;
    double add(const run_summary& s) {
      step.values.push_back(64e3 / s.samples_per_second);
      gradient.values.push_back(64e3 * s.worker_busy_seconds / static_cast<double>(s.samples_trained));
      return step.values.back();
    }
  };
  std::array<figures, 3> all;
  const std::array names = {"in the process", "on a node", "on a node, 2 workers on its thread"};
  const std::vector<contender> contenders = {
      {names[0],
       [&] {
         const auto outcome = train(here);
         return outcome.ok() ? all[0].add(outcome->summary) : 0.0;
       }},
      {names[1], [&] { return all[1].add(run_with_nodes(there, 1)); }},
      {names[2], [&] { return all[2].add(run_with_nodes(there, 1, 2)); }}};
  (void)alternate(contenders, options.rounds);
  for (std::size_t i = 0; i < all.size(); ++i) {
    report.add({fmt::format("535,000 parameters, batch 64, {}: step", names[i]), "ms", all[i].step});
    report.add({fmt::format("535,000 parameters, batch 64, {}: gradient", names[i]), "ms", all[i].gradient});
  }
  report.add(
      {"step on a node, 2 workers on its thread / in the process", "", ratio(all[2].step, all[0].step)});
}

} // namespace

void bench_nodes(const bench_options& options, bench_report& report) {
  compare_pushing(options, report);
  compare_node_with_process(options, report);
  emulate_nodes(options, report);
}

} // namespace triage
