#include "actors/evaluator.hpp"

#include "actors/compute_thread.hpp"
#include "actors/lane_recorder.hpp"
#include "actors/model_evaluator.hpp"

#include <caf/all.hpp>
#include <optional>

namespace triage {

namespace {

struct evaluator_state {
  static inline const char* name = "evaluator";
  shared_context context;
  std::optional<model_evaluator>
      evaluator; ///< built for the first order, so that start-up does not wait for it
  lane_recorder lane;
};

evaluator_actor::behavior_type evaluator(evaluator_actor::stateful_pointer<evaluator_state> self,
                                         shared_context context, coordinator_actor coordinator,
                                         monitor_actor monitor) {
  self->state.context = std::move(context);
  self->state.lane.open(self->state.context, monitor, "evaluator");
  self->monitor(coordinator);
  self->set_down_handler([self](const caf::down_msg&) { self->quit(); });
  return {
      [self, coordinator](const evaluate_order& order) {
        auto& state = self->state;
        evaluation_outcome out;
        out.problem = guarded([&] {
          const auto span = state.lane.span("evaluate", order.at.version);
          if (!state.evaluator)
            state.evaluator.emplace(state.context->setup);
          out.figures = state.evaluator->evaluate(order.at.parameters.view());
        });
        self->send(coordinator, std::move(out));
      },
  };
}

} // namespace

evaluator_actor spawn_evaluator(caf::local_actor& parent, const shared_context& context,
                                const coordinator_actor& coordinator, const monitor_actor& monitor) {
  return spawn_compute(parent, context, evaluator, coordinator, monitor);
}

} // namespace triage
