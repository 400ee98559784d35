#include "apps/processes/node_run.hpp"

#include "actors/train.hpp"
#include "apps/processes/child_process.hpp"

#include <fmt/format.h>
#include <stdexcept>

namespace triage {

run_summary run_with_nodes(const std::shared_ptr<const run_setup>& setup, int nodes, int workers_per_thread,
                           trace_sink traced, processor_time* processors) {
  std::vector<child_process> children;
  train_options options;
  options.traced = std::move(traced);
  options.listen = cluster_options{{"127.0.0.1", 0}, "", false};
  options.listening = [&](const net_address& at) {
    for (int i = 0; i < nodes; ++i) {
      auto child =
          child_process::start({.arguments = {"node", "--quiet", "--join", to_string(at), "--name",
                                              fmt::format("n{}", i), "--role", "worker", "--threads", "1",
                                              "--workers-per-thread", std::to_string(workers_per_thread)}});
      if (!child.ok())
        throw std::runtime_error(child.error().message);
      children.push_back(child.take());
      if (processors != nullptr)
        processors->add_child(children.back().pid());
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

} // namespace triage
