#include "actors/sampler.hpp"

#include "actors/compute_thread.hpp"
#include "actors/net/cluster.hpp"
#include "actors/scoring_desk.hpp"
#include "core/stall_meter.hpp"

#include <algorithm>
#include <caf/all.hpp>
#include <fmt/format.h>

namespace triage {

namespace {

struct sampler_state {
  static inline const char* name = "sampler";

  explicit sampler_state(sampler_actor::stateful_pointer<sampler_state> actor) : self(actor) {}

  struct estimator_entry {
    caf::actor_addr address;
    estimator_actor handle;
    std::string name;
  };

  sampler_actor::stateful_pointer<sampler_state> self;
  shared_context context;
  coordinator_actor coordinator;
  monitor_actor monitor;
  std::unique_ptr<scoring_desk> desk;
  stall_meter stalls{std::chrono::duration<double>(watch_interval).count(), longest_hiccup};
  snapshot latest; ///< the newest parameters that estimators can measure with
  std::vector<estimator_entry>
      estimators; ///< never erased: the position is the number; a lost one has no handle

  std::uint64_t number_of(const caf::actor_addr& address) const {
    const auto at = std::find_if(estimators.begin(), estimators.end(),
                                 [&](const auto& e) { return e.address == address; });
    return static_cast<std::uint64_t>(at - estimators.begin());
  }
  void give_up(const std::string& problem) {
    self->send(coordinator, failure_notice{"sampler", problem});
    self->quit();
  }
  void assign() {
    if (latest.parameters.empty())
      return; // the run has not begun
    while (auto next = desk->next_assignment())
      self->send(estimators[next->estimator].handle,
                 score_order{std::move(next->order.ids), latest, std::move(next->order.direction)});
  }
  /// Hands out what can be handed out, and puts idle estimators to work.
  void serve() {
    drawn_batches out;
    while (auto batch = desk->next_batch())
      out.batches.push_back(std::make_shared<const drawn_batch>(std::move(*batch)));
    if (!out.batches.empty())
      self->send(coordinator, std::move(out));
    if (auto remark = desk->take_remark(); !remark.empty())
      self->send(monitor, remark_report{"sampler", std::move(remark)});
    assign();
  }
  /// Its orders go to others.
  void dismiss(std::uint64_t number, const std::string& reason) {
    const auto& e = estimators[number];
    self->send_exit(e.handle, caf::exit_reason::user_shutdown);
    lose(e.address, reason);
  }
  /// The same, and its node may not come back at once every time.
  void dismiss_for_a_while(std::uint64_t number, const std::string& reason) {
    const auto& e = estimators[number];
    if (desk->is_far(number) && context->nodes)
      context->nodes->was_late(e.name);
    dismiss(number, reason);
  }
  void look_for_late_estimators() {
    for (const auto& o : desk->newly_late())
      self->send(monitor, warning_report{"sampler", fmt::format("{} is late: {:.1f} s for {} points, where "
                                                                "{:.3f} s are usual for a full order",
                                                                estimators[o.estimator].name, o.seconds,
                                                                o.points, *desk->usual_seconds())});
    for (const auto& o : desk->overdue())
      dismiss_for_a_while(o.estimator,
                          fmt::format("no scores of {} points for {:.1f} s", o.points, o.seconds));
  }
  void lose_unborn(const failure_notice& notice) {
    desk->estimator_missing();
    self->send(monitor,
               warning_report{"sampler", fmt::format("{} could not start: {}; training goes on without it",
                                                     notice.name, notice.reason)});
  }
  void lose(const caf::actor_addr& address, const std::string& reason) {
    const auto number = number_of(address);
    if (number >= estimators.size() || !estimators[number].handle)
      return;
    desk->estimator_lost(number);
    estimators[number].handle = estimator_actor{};
    self->send(monitor,
               warning_report{"sampler", fmt::format("{} left the run: {}; training goes on with the last "
                                                     "priorities",
                                                     estimators[number].name, reason)});
  }
};

sampler_actor::behavior_type sampler(sampler_actor::stateful_pointer<sampler_state> self,
                                     shared_context context, coordinator_actor coordinator,
                                     monitor_actor monitor, saved_state saved) {
  auto& state = self->state;
  state.context = std::move(context);
  state.coordinator = std::move(coordinator);
  state.monitor = std::move(monitor);
  const auto begun = guarded([&] {
    state.desk = std::make_unique<scoring_desk>(*state.context->setup, *state.context->time);
    if (auto loaded = state.desk->load(saved); !loaded.ok())
      throw std::runtime_error(loaded.error().message);
  });
  if (!begun.empty())
    state.give_up(begun);
  self->set_down_handler([self](const caf::down_msg& down) {
    if (down.source == self->state.coordinator.address())
      return self->quit();
    const auto trouble = guarded([&] {
      self->state.lose(down.source, "it ended (" + self->system().render(down.reason) + ")");
      self->state.serve();
    });
    if (!trouble.empty())
      self->state.give_up(trouble);
  });
  self->monitor(state.coordinator);
  if (state.context->nodes)
    self->delayed_send(self, watch_interval, watch_orders{});
  // A sampler that has lost its way says so: without it nobody would learn why batches no longer come.
  const auto safe = [self](auto handler) {
    return guarded_handler([self](const std::string& problem) { self->state.give_up(problem); },
                           std::move(handler));
  };
  return {
      safe([self](const draw_request& request) {
        auto& s = self->state;
        s.latest = request.at;
        s.desk->request(request.batches, request.run_fraction, request.at.version);
        s.serve();
      }),
      safe([self](const byproducts& m) {
        self->state.desk->take_byproducts(*m.batch, m.scores, m.losses, m.version);
      }),
      safe([self](const estimator_ready& ready) {
        auto& s = self->state;
        const auto sender = self->current_sender();
        s.estimators.push_back(
            {caf::actor_cast<caf::actor_addr>(sender), caf::actor_cast<estimator_actor>(sender), ready.name});
        self->monitor(s.estimators.back().handle);
        if (ready.newcomer)
          s.desk->estimator_joined(s.estimators.size() - 1);
        s.desk->estimator_idle(s.estimators.size() - 1);
        s.assign();
      }),
      safe([self](const measured_scores& m) {
        auto& s = self->state;
        const auto number = s.number_of(caf::actor_cast<caf::actor_addr>(self->current_sender()));
        if (number >= s.estimators.size() || !s.estimators[number].handle)
          return;
        if (!s.desk->take_measured(number, m.scores, m.gradient, m.version, m.busy_seconds))
          s.dismiss_for_a_while(number, "three orders in a row gave scores that are not finite");
        s.serve();
      }),
      safe([self](const failure_notice& notice) {
        auto& s = self->state;
        const auto address = caf::actor_cast<caf::actor_addr>(self->current_sender());
        if (s.number_of(address) < s.estimators.size())
          s.lose(address, notice.reason);
        else
          s.lose_unborn(notice);
        s.serve(); // plans may have waited for it
      }),
      safe([self](const pause_request& m) {
        self->state.desk->pause(m.paused);
        self->state.serve();
      }),
      safe([self](const collect_request&) {
        const auto& desk = *self->state.desk;
        self->send(self->state.coordinator,
                   sampler_report{desk.save(), desk.samples_scored(), desk.account()});
      }),
      safe([self](const watch_orders&) {
        auto& s = self->state;
        s.desk->forgive(s.stalls.seconds(s.context->time->now()));
        s.look_for_late_estimators();
        s.serve();
        if (s.context->nodes)
          self->delayed_send(self, watch_interval, watch_orders{});
      }),
      [self](const sampling_status_request& m) {
        const auto& s = self->state;
        sampling_status out{s.desk->figures(), s.desk->samples_scored(), s.desk->scoring_seconds()};
        if (m.with_shards)
          out.shard_mass = s.desk->shard_mass();
        for (const auto& o : s.desk->open_orders())
          out.waits.push_back({"sampler", fmt::format("scores of {} points", o.points),
                               s.estimators[o.estimator].name, o.seconds});
        return out;
      },
  };
}

} // namespace

sampler_actor spawn_sampler(caf::local_actor& parent, const shared_context& context,
                            const coordinator_actor& coordinator, const monitor_actor& monitor,
                            const saved_state& saved) {
  return spawn_compute(parent, context, sampler, coordinator, monitor, saved);
}

} // namespace triage
