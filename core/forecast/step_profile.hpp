#pragma once

#include "core/json.hpp"
#include "core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace triage {

/// A stretch of a worker's way from an order to its answer.
struct compute_op {
  enum class kind : std::uint8_t {
    gather,   ///< before the network: samples are copied together
    forward,  ///< a layer
    backward, ///< a layer or several whose gradients leave together
    rest,     ///< behind the network: checks, by-products
    round,    ///< all of a round of local steps
  };
  kind what = kind::rest;
  double seconds = 0.0;
  std::size_t needs = 0; ///< floats at the front of the parameters that must be there before
  std::size_t sends = 0; ///< floats of the answer that are final afterwards and leave
  bool operator==(const compute_op&) const = default;
};

/// What one order has cost its worker, and its answer the coordinator.
struct profiled_step {
  std::vector<compute_op> ops;
  double merge_seconds = 0.0;
  [[nodiscard]] double compute_seconds() const;
  bool operator==(const profiled_step&) const = default;
};

/// Seconds of a thread for a message: a + b * bytes.
struct message_cost {
  double fixed = 0.0;
  double byte = 0.0;
  [[nodiscard]] double of(double bytes) const { return fixed + byte * bytes; }
  bool operator==(const message_cost&) const = default;
};

/// What is known of a run from one worker: the basis of a forecast for many. Durations of transfers are not
/// part of it, since they would include waiting for the other side (Li et al., ICPE 2020, arXiv 1911.04650);
/// only what they carry, and what they cost the threads at their ends.
struct step_profile {
  std::string name;                ///< of the run
  json_value exchange;             ///< the policy, as in a run description
  std::size_t samples = 0;         ///< of an order
  std::size_t floats = 0;          ///< of the parameters
  double bytes_down = 0.0;         ///< of the parameters, as they travel to a worker
  double bytes_up = 0.0;           ///< of an answer
  bool waits = false;              ///< the compute is emulated: it takes time and no core
  bool merges_ahead = true;        ///< parameters leave while they are being merged
  double step_seconds = 0.0;       ///< measured: from one answer of the worker to the next
  double processor_seconds = 0.0;  ///< measured: of all threads, for an answer; 0: not known
  double overhead_seconds = 0.0;   ///< of it, what nothing below explains: waking threads, passing messages
  double add_seconds = 0.0;        ///< for adding a second worker's gradient to the first one's
  double merge_more_seconds = 0.0; ///< for each further gradient merged in the same pass (asp, ssp)
  message_cost sending;
  message_cost receiving;
  std::vector<profiled_step> steps;

  /// Means over the steps.
  [[nodiscard]] double compute_seconds() const;
  [[nodiscard]] double merge_seconds() const;
  /// Processor seconds of an answer that nothing else explains: they go with the overhead.
  [[nodiscard]] double overhead_work() const;
};

/// As lines of JSON: the profile's figures, then one line for each op: {"step":0,"op":1,"kind":"forward",
/// "needs_bytes":…,"sends_bytes":…,"start_ns":…,"end_ns":…}. Merges are ops of kind "merge".
[[nodiscard]] std::string to_json_lines(const step_profile& profile);
/// Errors name the line.
[[nodiscard]] result<step_profile> read_step_profile(const std::string& path);

} // namespace triage
