#include "actors/train.hpp"

#include "actors/coordinator.hpp"
#include "actors/expendable_system.hpp"
#include "actors/memory_need.hpp"
#include "actors/monitor.hpp"
#include "actors/net/cluster.hpp"
#include "actors/net/io_thread.hpp"
#include "actors/run_context.hpp"
#include "actors/scoring_desk.hpp"
#include "core/clock.hpp"
#include "core/process_room.hpp"
#include "nn/model_tensors.hpp"

#include <algorithm>
#include <caf/all.hpp>
#include <fmt/format.h>
#include <thread>

namespace triage {

namespace {

/// Sampler, evaluator, checkpointer, monitor, coordinator, the network's, CAF's own, and those that merge.
constexpr std::size_t threads_beside = 16;

/// CAF's knobs, set from code: its own command line and configuration file are never read.
/// The scheduler's threads are the workers' threads; everybody else who computes or waits for files has one
/// of its own. Without workers one is the coordinator's: while it merges, others pass orders on to nodes.
struct system_config : caf::actor_system_config {
  explicit system_config(std::int64_t workers) {
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", static_cast<std::size_t>(workers > 0 ? workers : 2));
    set("scheduler.max-throughput", std::size_t{50});
  }
};

result<std::optional<resume_point>> make_resume_point(const run_setup& setup,
                                                      const std::optional<checkpoint_content>& c) {
  if (!c)
    return std::optional<resume_point>{};
  mutable_blob block(setup.net->parameters().size());
  if (auto loaded = write_model(setup.net->parameters(), c->model, block.values()); !loaded.ok())
    return loaded.error();
  return std::optional<resume_point>{resume_point{std::move(block).freeze(), c->state}};
}

} // namespace

result<void> check_workers(const run_setup& setup, bool nodes_may_join) {
  if (setup.config.workers > 0 || nodes_may_join)
    return {};
  return configuration_error(setup.source + ", /runtime/workers: nobody would work; give at least 1, or "
                                            "--listen HOST:PORT and let nodes do the work");
}

result<train_outcome> train(const std::shared_ptr<const run_setup>& setup, const train_options& options,
                            std::stop_token stop) {
  auto resume = make_resume_point(*setup, options.resume);
  if (!resume.ok())
    return resume.error();
  if (auto staffed = check_workers(*setup, options.listen.has_value()); !staffed.ok())
    return staffed.error();
  if (options.accepted && options.resume) {
    // The coordinator's part is made to take changed options; the sampling's state may not fit them.
    const steady_clock time;
    if (auto fits = scoring_desk(*setup, time).load(options.resume->state.below("sampler")); !fits.ok())
      return fits.error();
  }
  if (!options.listen && setup->uses_estimators && setup->config.estimators == 0 && setup->config.workers > 0)
    return configuration_error(fmt::format(
        "{}, /runtime/estimators: nothing would measure what this sampling asks for; set it to 1 or more, "
        "or let scores fall off while training (\"estimator\": \"byproduct\")",
        setup->source));
  const auto computing =
      static_cast<std::size_t>(std::max<std::int64_t>(setup->config.workers, 2) + setup->config.estimators);
  if (auto room = check_room(computing + threads_beside, memory_beside_data(*setup)); !room.ok())
    return room.error();
  if (options.accepted)
    if (auto ready = options.accepted(); !ready.ok())
      return ready.error();
  std::unique_ptr<io_thread> network; // outlives everybody who uses it
  auto context = std::make_shared<run_context>();
  context->setup = setup;
  context->time = std::make_shared<steady_clock>();
  trace_sink traced = options.traced;
  if (!options.trace_file.empty())
    traced = [file = options.trace_file, also = traced](const std::vector<trace_lane>& lanes) {
      auto written = write_chrome_trace(file, lanes);
      return written.ok() && also ? also(lanes) : written;
    };
  context->tracing = traced != nullptr;
  context->crowded = setup->config.workers > static_cast<std::int64_t>(std::thread::hardware_concurrency());
  // With a core for each worker there is nobody who could sum while they compute.
  context->gradient_parts = setup->exchange->merges_rounds() && context->crowded;
  const auto workers = setup->config.workers;
  if (setup->exchange->merges_rounds() && !context->crowded && !options.listen && workers > 1)
    context->merge_threads =
        std::make_shared<fork_join>(static_cast<std::size_t>(workers), fork_join::threads::guests);
  if (!options.run_directory.empty()) {
    context->checkpoint_directory = options.run_directory + "/checkpoints";
    context->best_directory = options.run_directory + "/best";
  }
  if (options.listen) {
    network = std::make_unique<io_thread>();
    auto nodes = cluster::listen(network->context(), *options.listen, setup);
    if (!nodes.ok())
      return nodes.error();
    if (options.listening)
      options.listening((*nodes)->address());
    context->nodes = nodes.take();
  }
  logger silent = logger::silent();
  auto reporter = std::make_shared<run_reporter>(
      report_options{options.run_directory, options.progress, options.terminal},
      options.log != nullptr ? *options.log : silent);

  if (options.resume)
    reporter->resumed(options.resume->step);

  expendable_system expendable(std::make_unique<system_config>(setup->config.workers),
                               [&] { static_cast<void>(network.release()); });
  caf::actor_system& system = expendable.get();
  caf::scoped_actor self(system);
  const shared_context shared = context;
  const monitor_actor watching =
      spawn_monitor(system, shared, reporter, caf::actor_cast<caf::actor>(self), traced);
  const auto leading = spawn_coordinator(system, shared, watching, *resume);
  const std::stop_callback on_stop(
      stop, [&] { caf::anon_send<caf::message_priority::high>(leading, stop_request{}); });

  train_outcome outcome;
  self->receive([&](const run_finished& m) {
    outcome.summary = m.summary;
    outcome.parameters = m.parameters;
  });
  if (outcome.summary.status == run_status::failed)
    expendable.hurry();
  if (network) {
    context->nodes->shut_down();
    network->stop();
  }
  return outcome;
}

result<std::shared_ptr<const run_setup>> prepare_run_text(std::string_view json,
                                                          const run_extensions& extensions) {
  auto document = parse_json(json, "run description");
  if (!document.ok())
    return document.error();
  return prepare_run(*document, "run description", extensions);
}

} // namespace triage
