#include "actors/priority_estimator.hpp"

#include "actors/compute_thread.hpp"
#include "actors/lane_recorder.hpp"
#include "actors/parameter_arrival.hpp"
#include "actors/point_scorer.hpp"

#include <caf/all.hpp>
#include <optional>

namespace triage {

namespace {

struct estimator_state {
  static inline const char* name = "estimator";
  shared_context context;
  std::optional<point_scorer> scorer;
  lane_recorder lane;
};

estimator_actor::behavior_type priority_estimator(estimator_actor::stateful_pointer<estimator_state> self,
                                                  shared_context context, score_source_actor sampler,
                                                  report_sink_actor monitor, const std::string& name) {
  self->state.context = std::move(context);
  self->state.lane.open(self->state.context, monitor, name);
  const auto give_up = [self, sampler, name](const std::string& reason) {
    self->send(sampler, failure_notice{name, reason});
    self->quit();
  };
  self->monitor(sampler);
  self->set_down_handler([self](const caf::down_msg&) { self->quit(); });
  const auto begin_work = guarded([&] {
    if (self->state.context->detach)
      lower_thread_priority();
    self->state.scorer.emplace(self->state.context->setup, *self->state.context->time);
  });
  if (!begin_work.empty())
    give_up(begin_work);
  else
    self->send(sampler, estimator_ready{name});
  return {
      [self, sampler, monitor, name, give_up](const score_order& order) {
        auto& state = self->state;
        const clock& time = *state.context->time;
        measured_scores out{{}, {}, order.at.version, 0.0};
        const double begin = time.now();
        const auto problem = guarded([&] {
          if (order.at.arriving)
            order.at.arriving->await_all();
          const auto span = state.lane.span("score", order.at.version);
          out.scores = state.scorer->measure(order.at, order.ids, order.direction.view());
          out.gradient = state.scorer->take_gradient();
        });
        if (!problem.empty())
          return give_up(problem);
        if (auto remark = state.scorer->take_remark(); !remark.empty())
          self->send(monitor, remark_report{name, std::move(remark)});
        out.busy_seconds = time.now() - begin;
        self->send(sampler, std::move(out));
      },
  };
}

} // namespace

estimator_actor spawn_priority_estimator(caf::local_actor& parent, const shared_context& context,
                                         const score_source_actor& sampler, const report_sink_actor& monitor,
                                         const std::string& name) {
  return spawn_compute(parent, context, priority_estimator, sampler, monitor, name);
}

} // namespace triage
