#pragma once

#include "actors/run_records.hpp"
#include "actors/run_reporter.hpp"
#include "actors/trace.hpp"
#include "sampling/sampling_source.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <cstdint>
#include <string>
#include <vector>

// Every struct that travels between actors. All of them stay inside the process and move by pointer: CAF
// never serialises them, so they need no type ids, and floats in them are safe (docs/decisions.md).

namespace triage {

/// Worker -> coordinator, once: "give me orders". The sender is the worker.
struct join_request {
  std::string name;
  std::string node = {}; ///< where it computes; empty: in the coordinator's process
};

/// Coordinator -> worker: the number to sign results with.
struct welcome {
  std::uint64_t member = 0;
};

/// Worker or estimator -> its owner: it cannot go on.
struct failure_notice {
  std::string name;
  std::string reason;
};

/// Coordinator -> sampler. Carries the present parameters along: a pointer, with every request, is cheaper
/// for both than estimators asking for them.
struct draw_request {
  std::size_t batches = 0;
  double run_fraction = 0.0;
  snapshot at;
};

/// Sampler -> coordinator.
struct drawn_batches {
  std::vector<shared_batch> batches;
};

/// Coordinator -> sampler: by-products of training the batch. One message per order, never one per point.
struct byproducts {
  shared_batch batch;
  std::vector<float> scores; ///< empty when the sampling needs none
  std::vector<float> losses; ///< empty when nobody wants them
  std::uint64_t version = 0;
};

/// Estimator -> sampler: ready for an order. The sender is the estimator.
struct estimator_ready {
  std::string name;
  bool newcomer = false; ///< nobody expected it: it comes from a node
};

/// Sampler -> estimator: measure these points with these parameters.
struct score_order {
  std::vector<std::uint32_t> ids;
  snapshot at;
  blob direction; ///< for projections; empty where no score needs it or none is known yet
};

/// Estimator -> sampler: the scores of its order, measured with the parameters of `version`.
struct measured_scores {
  std::vector<float> scores;
  std::vector<float> gradient; ///< mean over the points of the order; empty where nobody needs it
  std::uint64_t version = 0;
  double busy_seconds = 0.0;
};

/// Coordinator -> sampler.
struct pause_request {
  bool paused = false;
};

/// Coordinator -> sampler, answered with sampler_report.
struct collect_request {};

/// Coordinator -> evaluator, answered with evaluation_outcome.
struct evaluate_order {
  snapshot at;
};

struct evaluation_outcome {
  evaluation_figures figures;
  std::string problem; ///< empty on success
};

/// Coordinator -> checkpointer, answered with checkpoint_outcome.
struct checkpoint_order {
  snapshot at;
  saved_state state;
  bool best = false; ///< it is kept as the best one, too
};

struct checkpoint_outcome {
  std::string path;
  std::string problem;           ///< empty on success
  std::string best_problem = {}; ///< of keeping it as the best one, too
};

/// Anyone -> coordinator: finish the step, save, end.
struct stop_request {};

/// Anyone -> coordinator: where does the run stand? The answer is what `triage status` prints.
struct status_query {};
struct status_answer {
  std::string json;
};

/// Coordinator -> itself, a few times a second while nodes may join.
struct watch_tick {};

/// Sampler -> itself, a few times a second while nodes may join.
struct watch_orders {};

/// Network -> coordinator: all nodes know that the run is over.
struct nodes_dismissed {};

/// Coordinator -> itself: what has arrived from workers waits to be merged.
struct arrivals_due {};

/// Coordinator -> monitor. What scoring has cost comes along, asked for before anything that may end the
/// sampler, so that the last evaluation has it too.
struct evaluation_report {
  progress_report progress;
  evaluation_figures figures;
  sampling_status sampling;
};

/// Anyone -> monitor.
struct warning_report {
  std::string source;
  std::string text;
};

/// Coordinator -> monitor, every few seconds while nodes may join, and at the end: one record of
/// metrics.jsonl about all members and nodes.
struct members_report {
  json_value record;
};

/// Anyone -> monitor: worth a line in the log, nothing is wrong.
struct remark_report {
  std::string source;
  std::string text;
};

/// Monitor or coordinator -> sampler, answered with sampling_status.
struct sampling_status_request {
  bool with_shards = false; ///< also the mass of each shard, which takes a look at every point
};

/// Coordinator -> monitor: the run is over. Monitor -> launcher when everything is written.
struct run_finished {
  run_summary summary;
  blob parameters;
};

} // namespace triage

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::join_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::welcome)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::failure_notice)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::draw_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::drawn_batches)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::byproducts)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::estimator_ready)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::score_order)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::measured_scores)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::pause_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::collect_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::evaluate_order)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::evaluation_outcome)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::checkpoint_order)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::checkpoint_outcome)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::stop_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::status_query)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::status_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::watch_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::watch_orders)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::nodes_dismissed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::arrivals_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::evaluation_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::warning_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::remark_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::members_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::sampling_status)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::sampling_status_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::run_finished)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::train_order)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::train_result)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::gradient_part)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::snapshot)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::sampler_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::progress_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::trace_lane)
