#include "apps/forecast/profile_lanes.hpp"

#include "actors/batch_trainer.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <string_view>

namespace triage {

namespace {

double length(const trace_event& e) {
  return e.end - e.begin;
}

/// A round of local steps as one op. It begins when parameters are there; what a worker waits for before is
/// the network's.
std::vector<compute_op> ops_of_round(std::span<const trace_event> layers, const trace_event& whole,
                                     std::size_t floats) {
  const auto first = std::find_if(layers.begin(), layers.end(),
                                  [](const auto& e) { return std::string_view(e.name) == "forward"; });
  const double begin = first == layers.end() ? whole.begin : first->begin;
  return {{compute_op::kind::round, whole.end - begin, floats, floats}};
}

/// Layers of one gradient; those of the way back are put together as their gradients leave, see
/// batch_trainer.
std::vector<compute_op> ops_of_gradient(std::span<const trace_event> layers, const trace_event& whole) {
  std::vector<compute_op> ops;
  double last = whole.begin;
  compute_op back{compute_op::kind::backward};
  std::size_t needs = 0; // of the present layer and those before it
  for (const auto& e : layers) {
    const std::string_view name = e.name;
    if (ops.empty())
      ops.push_back({compute_op::kind::gather, e.begin - last});
    last = e.end;
    if (name == "forward") {
      needs = e.floats;
      ops.push_back({compute_op::kind::forward, length(e), needs});
    } else if (name == "backward") {
      back.seconds += length(e);
      back.sends += e.floats;
      if (back.sends >= smallest_gradient_part)
        ops.push_back(std::exchange(back, {compute_op::kind::backward}));
    }
  }
  if (back.seconds > 0.0)
    ops.push_back(back);
  ops.push_back({compute_op::kind::rest, std::max(whole.end - last, 0.0)});
  return ops;
}

std::map<std::uint64_t, double> merges_of(std::span<const trace_lane> lanes) {
  std::map<std::uint64_t, double> out;
  for (const auto& lane : lanes)
    if (lane.name == "coordinator")
      for (const auto& e : lane.events)
        if (std::string_view(e.name) == "merge")
          out[e.version] += length(e);
  return out;
}

} // namespace

result<recorded_steps> steps_of_trace(std::span<const trace_lane> lanes, std::size_t floats, bool local,
                                      std::size_t least) {
  const auto worker = std::find_if(lanes.begin(), lanes.end(), [](const auto& lane) {
    return lane.name.find("worker-") != std::string::npos;
  });
  const auto merges = merges_of(lanes);
  recorded_steps out;
  std::vector<trace_event> layers;
  std::size_t seen = 0;
  if (worker != lanes.end())
    for (const auto& e : worker->events) {
      if (std::string_view(e.name) != "gradient") {
        layers.push_back(e);
        continue;
      }
      const auto inside = std::exchange(layers, {});
      if (seen++ < steps_before_profile) {
        out.begin = e.end;
        continue;
      }
      ++out.answers;
      out.end = e.end;
      const auto merge = merges.find(e.version);
      if (merge != merges.end() && !inside.empty())
        out.steps.push_back(
            {local ? ops_of_round(inside, e, floats) : ops_of_gradient(inside, e), merge->second});
    }
  if (out.steps.size() < least)
    return run_error(fmt::format("the profiled run has recorded {} steps, of which {} are wanted; give it "
                                 "more --seconds",
                                 out.steps.size(), least));
  return out;
}

} // namespace triage
