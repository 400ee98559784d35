#include "actors/worker.hpp"

#include "actors/compute_thread.hpp"
#include "actors/lane_recorder.hpp"
#include "actors/local_trainer.hpp"

#include <caf/all.hpp>
#include <optional>

namespace triage {

namespace {

/// Longer than the workers of a round are apart as a rule, and short enough for nobody to miss the core.
constexpr std::chrono::microseconds longest_wait_for_a_merge{500};

struct worker_state {
  static inline const char* name = "worker";
  shared_context context;
  std::uint64_t member = 0;
  std::optional<batch_trainer> trainer; ///< or `steps`
  std::optional<local_trainer> steps;
  lane_recorder lane;
  std::optional<layer_recorder> layers; ///< when the run is traced
};

worker_actor::behavior_type worker(worker_actor::stateful_pointer<worker_state> self, shared_context context,
                                   work_source_actor coordinator, const report_sink_actor& monitor,
                                   const std::string& name) {
  self->state.context = std::move(context);
  self->state.lane.open(self->state.context, monitor, name);
  const auto give_up = [self, coordinator, name](const std::string& reason) {
    self->send(coordinator, failure_notice{name, reason});
    self->quit();
  };
  self->monitor(coordinator);
  self->set_down_handler([self](const caf::down_msg&) { self->quit(); });
  const auto prepare = [self] {
    const auto& setup = self->state.context->setup;
    if (const auto round = setup->exchange->local())
      self->state.steps.emplace(setup, *round);
    else
      self->state.trainer.emplace(setup);
    auto& state = self->state;
    if (state.context->warm_up) {
      if (state.steps)
        state.steps->warm_up();
      else
        state.trainer->warm_up();
    }
    if (auto* const lane = state.lane.lane())
      state.layers.emplace(*lane, *state.context->time);
    layer_recorder* const layers = state.layers ? &*state.layers : nullptr;
    if (state.steps)
      state.steps->record(layers);
    else
      state.trainer->record(layers);
  };
  if (auto problem = guarded(prepare); !problem.empty())
    give_up(problem);
  else
    self->send(coordinator, join_request{name});
  return {
      [self](const welcome& m) { self->state.member = m.member; },
      [self, coordinator, give_up](train_order& order) {
        auto& state = self->state;
        const clock& time = *state.context->time;
        train_result result;
        batch_trainer::part_sink parts;
        if (state.context->gradient_parts)
          parts = [&](gradient_part part) {
            part.member = state.member;
            if (state.context->gradient_part_sink)
              state.context->gradient_part_sink(std::move(part));
            else
              self->send(coordinator, std::move(part));
          };
        const double begin = time.now();
        const auto problem = guarded([&] {
          const auto span = state.lane.span("gradient", order.base.version);
          result = state.steps ? state.steps->train(order) : state.trainer->train(order, parts);
        });
        if (!problem.empty())
          return give_up(problem);
        order.base = {}; // whoever merges may then write these parameters in place
        result.member = state.member;
        result.busy_seconds = time.now() - begin;
        self->send(coordinator, std::move(result));
        if (state.context->merge_threads)
          state.context->merge_threads->assist(longest_wait_for_a_merge);
      },
  };
}

} // namespace

worker_actor spawn_worker(caf::local_actor& parent, const shared_context& context,
                          const work_source_actor& coordinator, const report_sink_actor& monitor,
                          const std::string& name) {
  // Not detached: worker and coordinator take turns on the threads of the scheduler, of which there are as
  // many as workers. The update then runs where the last gradient was computed, in a warm cache, and no
  // thread has to be woken within a step.
  return parent.spawn(worker, context, coordinator, monitor, name);
}

} // namespace triage
