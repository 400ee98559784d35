#include "actors/priority_estimator.hpp"

#include "actors/compute_thread.hpp"
#include "actors/lane_recorder.hpp"
#include "actors/point_scorer.hpp"

#include <caf/all.hpp>
#include <chrono>
#include <optional>

namespace triage {

namespace {
constexpr std::chrono::seconds parameters_timeout{60};
}

namespace {

struct estimator_state {
  static inline const char* name = "estimator";
  shared_context context;
  std::optional<point_scorer> scorer;
  snapshot held;
  lane_recorder lane;
};

estimator_actor::behavior_type priority_estimator(estimator_actor::stateful_pointer<estimator_state> self,
                                                  shared_context context, coordinator_actor coordinator,
                                                  sampler_actor sampler, monitor_actor monitor,
                                                  std::string name) {
  self->state.context = std::move(context);
  self->state.lane.open(self->state.context, monitor, name);
  const auto give_up = [self, sampler, name](const std::string& reason) {
    self->send(sampler, failure_notice{name, reason});
    self->quit();
  };
  self->monitor(sampler);
  self->set_down_handler([self](const caf::down_msg&) { self->quit(); });
  const auto measure = [self, sampler, give_up](const std::vector<std::uint32_t>& ids) {
    auto& state = self->state;
    const clock& time = *state.context->time;
    measured_scores out{ids, {}, state.held.version, 0.0};
    const double begin = time.now();
    const auto problem = guarded([&] {
      const auto span = state.lane.span("score", state.held.version);
      out.scores = state.scorer->measure(state.held, ids);
    });
    if (!problem.empty())
      return give_up(problem);
    out.busy_seconds = time.now() - begin;
    self->send(sampler, std::move(out));
  };
  const auto begin_work = guarded([&] {
    if (self->state.context->detach)
      lower_thread_priority();
    self->state.scorer.emplace(self->state.context->setup);
  });
  if (!begin_work.empty())
    give_up(begin_work);
  else
    self->send(sampler, estimator_ready{name});
  return {
      [self, coordinator, measure, give_up](const score_order& order) {
        const std::uint64_t held =
            self->state.held.parameters.empty() ? ~std::uint64_t{0} : self->state.held.version;
        self->request(coordinator, parameters_timeout, parameters_request{held})
            .then(
                [self, measure, ids = order.ids](const snapshot& fresh) {
                  if (!fresh.parameters.empty())
                    self->state.held = fresh;
                  measure(ids);
                },
                [self, give_up](const caf::error& e) {
                  give_up("the coordinator did not hand out parameters: " + self->system().render(e));
                });
      },
  };
}

} // namespace

estimator_actor spawn_priority_estimator(caf::local_actor& parent, const shared_context& context,
                                         const coordinator_actor& coordinator, const sampler_actor& sampler,
                                         const monitor_actor& monitor, const std::string& name) {
  return spawn_compute(parent, context, priority_estimator, coordinator, sampler, monitor, name);
}

} // namespace triage
