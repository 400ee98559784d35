#pragma once

#include "actors/messages.hpp"

#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

// Every typed interface of the system, with one line for each message.

namespace triage {

/// Owns the parameters and the members; decides who trains what and when (run_controller).
using coordinator_actor = caf::typed_actor<
    // A worker wants to take part; it is answered by `welcome` and later by train orders.
    caf::reacts_to<join_request>,
    // A worker gives up, with the reason.
    caf::reacts_to<failure_notice>,
    // A lease is fulfilled; also means that the worker wants the next one.
    caf::reacts_to<train_result>,
    // So much of the gradient that a lease asks for is final.
    caf::reacts_to<gradient_part>,
    // The sampler delivers what was asked for.
    caf::reacts_to<drawn_batches>,
    // The sampler hands over its state for a checkpoint.
    caf::reacts_to<sampler_report>,
    // The evaluator has measured a snapshot, or failed.
    caf::reacts_to<evaluation_outcome>,
    // The checkpointer has written a state, or failed.
    caf::reacts_to<checkpoint_outcome>,
    // The user wants the run to end: finish the step, save.
    caf::reacts_to<stop_request>,
    // Somebody wants to know where the run stands and who waits for whom.
    caf::replies_to<status_query>::with<status_answer>,
    // Time has passed: looks for late members, and whether enough of them are there.
    caf::reacts_to<watch_tick>,
    // The nodes have taken their leave.
    caf::reacts_to<nodes_dismissed>,
    // The mailbox has been read: what workers sent is merged.
    caf::reacts_to<arrivals_due>>;

/// Where a worker gets its orders from: the coordinator, or what stands for it on a node.
using work_source_actor = caf::typed_actor<caf::reacts_to<join_request>, caf::reacts_to<failure_notice>,
                                           caf::reacts_to<train_result>, caf::reacts_to<gradient_part>>;

/// Turns batches into gradients.
using worker_actor = caf::typed_actor<
    // The coordinator accepts the worker and numbers it.
    caf::reacts_to<welcome>,
    // Train one batch; answered by a train_result.
    caf::reacts_to<train_order>>;

/// Where an estimator gets its orders from: the sampler, or what stands for it on a node.
using score_source_actor = caf::typed_actor<caf::reacts_to<estimator_ready>, caf::reacts_to<measured_scores>,
                                            caf::reacts_to<failure_notice>>;

/// Turns parameters into priorities.
using estimator_actor = caf::typed_actor<
    // Measure points; answered by measured_scores.
    caf::reacts_to<score_order>>;

/// Owns the priorities and the order of the data (sampling_source).
using sampler_actor = caf::typed_actor<
    // The coordinator wants batches; answered by drawn_batches, perhaps in parts and later.
    caf::reacts_to<draw_request>,
    // Scores and losses that fell off while training.
    caf::reacts_to<byproducts>,
    // An estimator is free; answered by a score_order as soon as points are due.
    caf::reacts_to<estimator_ready>,
    // An estimator has measured points, and is free again.
    caf::reacts_to<measured_scores>,
    // An estimator gives up, with the reason.
    caf::reacts_to<failure_notice>,
    // The clock of the run stands still, or goes on.
    caf::reacts_to<pause_request>,
    // The coordinator wants the state; answered by a sampler_report.
    caf::reacts_to<collect_request>,
    // Time has passed: looks for estimators on nodes that do not answer.
    caf::reacts_to<watch_orders>,
    // The monitor wants figures.
    caf::replies_to<sampling_status_request>::with<sampling_status>>;

/// Measures snapshots on held-out data.
using evaluator_actor = caf::typed_actor<
    // Measure a snapshot; answered by an evaluation_outcome.
    caf::reacts_to<evaluate_order>>;

/// Owns the checkpoint files.
using checkpointer_actor = caf::typed_actor<
    // Write a state; answered by a checkpoint_outcome.
    caf::reacts_to<checkpoint_order>>;

/// Who takes what an actor has to say: the monitor, or what stands for it on a node.
using report_sink_actor = caf::typed_actor<caf::reacts_to<warning_report>, caf::reacts_to<remark_report>,
                                           caf::reacts_to<trace_lane>>;

/// Coordinator -> monitor, when the run begins.
struct run_started {
  coordinator_actor coordinator;
  sampler_actor sampler;
};

/// Owns progress line, log lines and metrics.
using monitor_actor = caf::typed_actor<
    // Whom to watch and whom to ask for figures.
    caf::reacts_to<run_started>,
    // Where the run stands.
    caf::reacts_to<progress_report>,
    // Figures on held-out data.
    caf::reacts_to<evaluation_report>,
    // What members and nodes have done so far.
    caf::reacts_to<members_report>,
    // Something a person should know.
    caf::reacts_to<warning_report>,
    // Something worth a line in the log.
    caf::reacts_to<remark_report>,
    // What an actor has done, when it ends and tracing is on.
    caf::reacts_to<trace_lane>,
    // The run is over: write the summary and tell the launcher.
    caf::reacts_to<run_finished>>;

} // namespace triage
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::run_started)
