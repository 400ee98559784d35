#include "apps/forecast/measure_profile.hpp"

#include "actors/run_setup.hpp"
#include "apps/forecast/profile_lanes.hpp"
#include "apps/forecast/thread_costs.hpp"
#include "apps/processes/child_process.hpp"
#include "apps/processes/node_run.hpp"
#include "core/rng.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <stdexcept>
#include <vector>

namespace triage {

namespace {

constexpr std::size_t fewest_steps = 50;
/// Of a compressed message: warm-ups of compressors are over by then.
constexpr std::uint64_t late_round = 1'000'000;

double message_bytes(const run_setup& setup, const compressor* c) {
  const std::size_t floats = setup.net->parameters().size();
  if (c == nullptr)
    return static_cast<double>(floats * bytes_of(float_format_of(setup.config.wire_format)));
  rng random(setup.seed(), 0);
  std::vector<float> values(floats);
  for (auto& v : values)
    v = static_cast<float>(random.uniform() + random.uniform() + random.uniform() - 1.5);
  byte_block bytes;
  c->encode(values, late_round, bytes);
  return static_cast<double>(bytes.size());
}

struct traced_run {
  run_summary summary;
  std::vector<trace_lane> lanes;
  processor_time processors;
};

result<void> run_traced(const std::shared_ptr<const run_setup>& setup, traced_run& out) {
  try {
    const auto keep = [&](const std::vector<trace_lane>& lanes) -> result<void> {
      out.lanes = lanes;
      return {};
    };
    out.summary = run_with_nodes(setup, 1, 1, keep, &out.processors);
  } catch (const std::runtime_error& e) {
    return run_error(fmt::format("the profiled run failed: {}", e.what()));
  }
  out.processors.stop();
  return {};
}

/// The steps of a run, and what each has cost all of its threads.
struct measured_steps : recorded_steps {
  double processor_seconds = 0.0;
  run_summary summary;
};

/// Profiles whatever many steps there are; where they are too few, once more for as long as it takes.
result<measured_steps> record_steps(const json_value& description, std::shared_ptr<const run_setup> setup) {
  for (bool again = false;; again = true) {
    traced_run run;
    if (auto done = run_traced(setup, run); !done.ok())
      return done.error();
    auto steps = steps_of_trace(run.lanes, setup->net->parameters().size(),
                                setup->exchange->local().has_value(), fewest_steps);
    if (steps.ok()) {
      const double used = run.processors.between(steps->begin, steps->end);
      return measured_steps{*steps, used / static_cast<double>(steps->answers), run.summary};
    }
    if (again)
      return steps.error();
    const double done = std::max<double>(static_cast<double>(run.summary.steps), 1.0);
    const double longer = 1.2 * static_cast<double>(fewest_steps + steps_before_profile + 5) / done;
    auto next = forecast_setup(description, setup->source, 1, *setup->config.seconds * std::max(longer, 1.2));
    if (!next.ok())
      return next.error();
    setup = next.take();
  }
}

/// The seconds of a step that are waited for and not computed.
double emulated_seconds(const run_setup& setup) {
  double out = 0.0;
  for (const auto& layer : setup.resolved.find("model")->as_array())
    if (const auto* wait = layer.find("milliseconds"); wait != nullptr && wait->is_number())
      out += 1e-3 * wait->as_number();
  return out;
}

/// Layers that pretend only sleep on the way back, until all of the step would have been computed, so the way
/// there is not seen in a trace: a third of the time, shared as the parameters are. A first layer without any
/// has no way back in the trace either: what it slept is in the rest.
void restore_emulated_times(profiled_step& step, double seconds) {
  std::size_t needed = 0;
  double sent = 0.0;
  double slept = 0.0;
  for (const auto& op : step.ops) {
    needed = std::max(needed, op.what == compute_op::kind::forward ? op.needs : 0);
    sent += static_cast<double>(op.sends);
    if (op.what == compute_op::kind::forward || op.what == compute_op::kind::backward)
      slept += op.seconds; // until so long had passed
  }
  for (auto& op : step.ops)
    if (op.what == compute_op::kind::rest)
      op.seconds = std::max(op.seconds - std::max(seconds - slept, 0.0), 0.0);
  std::size_t before = 0;
  for (auto& op : step.ops)
    if (op.what == compute_op::kind::forward) {
      op.seconds += seconds / 3.0 * static_cast<double>(op.needs - before) / static_cast<double>(needed);
      before = op.needs;
    } else if (op.what == compute_op::kind::backward) {
      op.seconds = 2.0 / 3.0 * seconds * static_cast<double>(op.sends) / sent;
    }
}

/// The part of a measured step that the simulation of one node has no reason for.
double find_overhead(step_profile profile, const run_setup& setup) {
  cluster_scenario one;
  one.network = emulated_network_of(setup);
  one.shared_cores = available_cores().size();
  profile.overhead_seconds = 0.0;
  // Some of it may be hidden behind what goes on at the same time, so once is not enough.
  for (int i = 0; i < 4; ++i) {
    const double predicted = 1.0 / simulate_cluster(profile, *setup.exchange, one).answers_per_second;
    profile.overhead_seconds = std::max(profile.overhead_seconds + profile.step_seconds - predicted, 0.0);
  }
  return profile.overhead_seconds;
}

} // namespace

result<std::shared_ptr<const run_setup>>
forecast_setup(const json_value& description, const std::string& source, int nodes, double seconds) {
  json_value changed = description;
  json_value duration;
  duration.set("epochs", nullptr);
  duration.set("seconds", seconds);
  const std::vector<std::pair<const char*, json_value>> changes = {{"duration", duration},
                                                                   {"runtime.workers", 0},
                                                                   {"runtime.min_workers", nodes},
                                                                   // as between machines
                                                                   {"network.local_transport", "tcp"},
                                                                   {"evaluation.every_epochs", 0}};
  for (const auto& [path, value] : changes)
    if (auto set = set_json_path(changed, path, value); !set.ok())
      return set.error();
  return prepare_run(changed, source);
}

std::size_t samples_of_order(std::size_t most, std::uint64_t trained, std::uint64_t orders) {
  const double mean = static_cast<double>(trained) / static_cast<double>(std::max<std::uint64_t>(orders, 1));
  return std::clamp<std::size_t>(static_cast<std::size_t>(std::llround(mean)), 1, most);
}

forecast_network emulated_network_of(const run_setup& setup) {
  const auto& emulated = setup.config.network;
  forecast_network out;
  out.latency_down = 1e-3 * (emulated.latency_ms + emulated.jitter_ms); // the jitter's mean
  if (emulated.bandwidth_mbps > 0.0)
    out.node_down = 1e6 / 8.0 * emulated.bandwidth_mbps;
  return out;
}

result<step_profile> measure_profile(const json_value& description,
                                     const std::shared_ptr<const run_setup>& prepared) {
  const run_setup& setup = *prepared;
  if (setup.exchange->new_period() != nullptr)
    return configuration_error(setup.source +
                               ", /runtime/exchange: the rounds of adacomm change while the run goes "
                               "on; forecast local_sgd with the local_steps of its beginning and of "
                               "its end");
  auto recorded = record_steps(description, prepared);
  if (!recorded.ok())
    return recorded.error();
  step_profile out;
  const auto local = setup.exchange->local();
  out.name = setup.config.name;
  out.exchange = *setup.resolved.find("runtime")->find("exchange");
  out.samples =
      samples_of_order(static_cast<std::size_t>(setup.config.batch_size * (local ? local->steps : 1)),
                       recorded->summary.samples_trained, recorded->summary.steps);
  out.floats = setup.net->parameters().size();
  out.bytes_down = message_bytes(setup, setup.compression_down.get());
  out.bytes_up = message_bytes(setup, setup.compression_up.get());
  out.merges_ahead = setup.compression_down == nullptr;
  out.step_seconds = recorded->step_seconds();
  out.processor_seconds = recorded->processor_seconds;
  out.steps = std::move(recorded->steps);
  if (const double emulated = emulated_seconds(setup); emulated > 0.0) {
    out.waits = true;
    if (!local)
      for (auto& step : out.steps)
        restore_emulated_times(step, emulated);
  }
  const auto costs = measure_message_costs(float_format_of(setup.config.wire_format));
  out.sending = costs.sending;
  out.receiving = costs.receiving;
  const auto merging = measure_merging_costs(setup);
  out.add_seconds = merging.add;
  out.merge_more_seconds = merging.merge_more;
  out.overhead_seconds = find_overhead(out, setup);
  return out;
}

} // namespace triage
