#include "actors/coordinator.hpp"

#include "actors/checkpointer.hpp"
#include "actors/compute_thread.hpp"
#include "actors/evaluator.hpp"
#include "actors/lane_recorder.hpp"
#include "actors/net/cluster.hpp"
#include "actors/priority_estimator.hpp"
#include "actors/run_controller.hpp"
#include "actors/run_status.hpp"
#include "actors/sampler.hpp"
#include "actors/worker.hpp"
#include "core/stall_meter.hpp"

#include <algorithm>
#include <caf/all.hpp>
#include <fmt/format.h>

namespace triage {

namespace {

constexpr std::uint64_t ticks_between_reports = 20;
constexpr std::chrono::seconds status_patience{2};
/// With the figures of an evaluation: a sampler may be busy with a plan of many millions of points.
constexpr std::chrono::seconds figures_patience{60};

/// With more workers than cores, so that parameters and moments stay with one core.
bool has_own_thread(const run_context& context) {
  return context.crowded && context.detach;
}

struct coordinator_state : run_effects {
  static inline const char* name = "coordinator";

  explicit coordinator_state(coordinator_actor::stateful_pointer<coordinator_state> actor) : self(actor) {}

  // -- effects of the controller, each one message
  // ------------------------------------------------------------

  void send_order(std::uint64_t member, const train_order& order) override {
    if (const auto* w = find(member))
      self->send(w->handle, order);
  }
  void parameters_advanced() override {
    if (context->nodes)
      context->nodes->parameters_advanced();
  }
  void parameters_merged_ahead(const parameters_ahead& next) override {
    if (context->nodes)
      context->nodes->parameters_merged_ahead(next);
  }
  void dismiss(std::uint64_t member) override {
    if (const auto* w = find(member))
      self->send_exit(w->handle, caf::exit_reason::user_shutdown);
  }
  void dismiss_late(std::uint64_t member) override {
    const auto* w = find(member);
    if (w != nullptr && context->nodes && w->remote)
      context->nodes->was_late(w->name);
    dismiss(member);
  }
  void quarantine(std::uint64_t member) override {
    const auto* w = find(member);
    if (w != nullptr && context->nodes && w->remote)
      context->nodes->ban(w->name, "its results were not finite");
    dismiss(member);
  }
  void draw(std::size_t batches, double run_fraction, const snapshot& at) override {
    send_byproducts();
    self->send(sampler, draw_request{batches, run_fraction, at});
  }
  void record_byproducts(shared_batch batch, std::vector<float> scores, std::vector<float> losses,
                         std::uint64_t version) override {
    unsent.push_back({std::move(batch), std::move(scores), std::move(losses), version});
  }
  void pause_scoring(bool paused) override {
    send_byproducts();
    self->send(sampler, pause_request{paused});
  }
  void evaluate(const snapshot& at) override { self->send(evaluator, evaluate_order{at}); }
  void collect_sampler_state() override {
    send_byproducts();
    self->send(sampler, collect_request{});
  }
  void save_checkpoint(const snapshot& at, saved_state state, bool best) override {
    self->send(checkpointer, checkpoint_order{at, std::move(state), best});
  }
  void report(const progress_report& progress) override { self->send(monitor, progress); }
  void report_evaluation(const progress_report& progress, const evaluation_figures& figures) override {
    const auto send = [this, progress, figures](const sampling_status& sampling) {
      self->send(monitor, evaluation_report{progress, figures, sampling});
    };
    send_byproducts();
    // A sampler that is gone ends the run; its last evaluation is worth reporting without its figures.
    self->request(sampler, figures_patience, sampling_status_request{}).then(send, [send](const caf::error&) {
      send({});
    });
  }
  void warn(const std::string& text) override { self->send(monitor, warning_report{"coordinator", text}); }
  void remark(const std::string& text) override { self->send(monitor, remark_report{"coordinator", text}); }
  void finished(const run_summary& result) override {
    summary = result;
    if (context->nodes) {
      nodes_present = true;
      report_members();
      const bool final = result.status != run_status::interrupted && result.status != run_status::starved;
      context->nodes->finish(
          final, [me = caf::actor_cast<coordinator_actor>(self)] { caf::anon_send(me, nodes_dismissed{}); });
    }
    for (const auto& child : children)
      self->send_exit(caf::actor_cast<caf::actor>(child), caf::exit_reason::user_shutdown);
    end_when_alone();
  }

  /// By-products wait for the next message to the sampler: waking it costs this thread more than the rest of
  /// a step's messages, and it does nothing with them before.
  void send_byproducts() {
    for (auto& m : unsent)
      self->send(sampler, std::move(m));
    unsent.clear();
  }

  // -- arrivals
  // -----------------------------------------------------------------------------------------------

  // What workers send is taken up when the mailbox has been read: under asp several results that came during
  // a merge are then merged in one pass over the parameters, and parts of gradients are added together.

  void arrived() {
    if (!std::exchange(arrivals_announced, true))
      self->send(self, arrivals_due{});
  }
  void take_up_arrivals() {
    arrivals_announced = false;
    if (!parts.empty())
      controller->parts_arrived(parts);
    parts.clear();
    if (results.empty())
      return;
    const auto span = lane.span("merge", results.front().base_version);
    controller->results_arrived(results);
    results.clear();
  }

  // -- bookkeeping
  // ---------------------------------------------------------------------------------------------

  struct worker_entry {
    std::uint64_t member;
    worker_actor handle;
    std::string name;
    bool remote;
  };
  const worker_entry* find(std::uint64_t member) const {
    const auto at =
        std::find_if(workers.begin(), workers.end(), [&](const auto& w) { return w.member == member; });
    return at == workers.end() ? nullptr : &*at;
  }

  /// Everybody that this actor has spawned is watched: the run is over when the last one has ended.
  template <class Handle>
  Handle watch(Handle child) {
    self->monitor(child);
    children.push_back(caf::actor_cast<caf::strong_actor_ptr>(child));
    return child;
  }
  [[nodiscard]] bool is_child(const caf::actor_addr& address) const {
    return std::any_of(children.begin(), children.end(),
                       [&](const auto& child) { return child->address() == address; });
  }
  void break_off(const std::string& problem);
  void end_without_controller(const std::string& problem);
  void report_members();
  void answer_status(caf::typed_response_promise<status_answer> promise);
  void end_when_alone();
  void spawn_everybody(std::optional<resume_point>& resume);
  void actor_down(const caf::down_msg& down);
  void worker_gone(const caf::actor_addr& address, const std::string& reason);

  coordinator_actor::stateful_pointer<coordinator_state> self;
  shared_context context;
  std::unique_ptr<run_controller> controller;
  monitor_actor monitor;
  sampler_actor sampler;
  evaluator_actor evaluator;
  checkpointer_actor checkpointer;
  std::vector<worker_entry> workers;
  std::vector<byproducts> unsent;
  std::vector<gradient_part> parts; ///< that have arrived and are not taken up, as the results
  std::vector<train_result> results;
  bool arrivals_announced = false; ///< an arrivals_due is on its way
  std::vector<caf::strong_actor_ptr> children;
  std::optional<run_summary> summary; ///< set when the run is over
  std::uint64_t ticks = 0;
  stall_meter stalls{std::chrono::duration<double>(watch_interval).count(), longest_hiccup};
  bool nodes_present = false; ///< they have not all taken their leave
  lane_recorder lane;
};

void coordinator_state::spawn_everybody(std::optional<resume_point>& resume) {
  const coordinator_actor me = caf::actor_cast<coordinator_actor>(self);
  const auto& config = context->setup->config;
  sampler = watch(
      spawn_sampler(*self, context, me, monitor, resume ? resume->state.below("sampler") : saved_state{}));
  evaluator = watch(spawn_evaluator(*self, context, me, monitor));
  checkpointer = watch(spawn_checkpointer(*self, context, me));
  self->send(monitor, run_started{me, sampler});
  if (context->setup->uses_estimators)
    for (std::int64_t i = 0; i < config.estimators; ++i)
      watch(spawn_priority_estimator(*self, context, sampler, monitor, fmt::format("estimator-{}", i)));
  controller->expect_members(static_cast<std::size_t>(config.workers));
  for (std::int64_t i = 0; i < config.workers; ++i)
    watch(spawn_worker(*self, context, me, monitor, fmt::format("worker-{}", i)));
}

void coordinator_state::report_members() {
  self->send(monitor, members_report{members_json(controller->state(), context->nodes->nodes())});
}

void coordinator_state::answer_status(caf::typed_response_promise<status_answer> promise) {
  const auto answer = [this, promise](const sampling_status& sampling) {
    const auto nodes = context->nodes ? context->nodes->nodes() : std::vector<remote_node::figures>{};
    auto open_promise = promise;
    open_promise.deliver(status_answer{
        dump_json(status_json(context->setup->config.name, controller->state(), sampling, nodes))});
  };
  self->request(sampler, status_patience, sampling_status_request{.with_shards = true})
      .then([answer](const sampling_status& s) { answer(s); }, [answer](const caf::error&) { answer({}); });
}

/// A handler threw. Of what was at hand nothing is tried again.
void coordinator_state::break_off(const std::string& problem) {
  parts.clear();
  results.clear();
  if (!guarded([&] { controller->break_off("the coordinator failed: " + problem); }).empty())
    end_without_controller(problem);
}

/// Where the controller cannot end the run: it never came to life, or fails at that, too.
void coordinator_state::end_without_controller(const std::string& problem) {
  for (const auto& child : children)
    self->send_exit(caf::actor_cast<caf::actor>(child), caf::exit_reason::user_shutdown);
  run_summary failed;
  failed.status = run_status::failed;
  failed.problem = problem;
  self->send(monitor, run_finished{failed, blob()});
  self->quit();
}

void coordinator_state::end_when_alone() {
  if (!summary || !children.empty() || nodes_present)
    return;
  lane.close();
  self->send(monitor, run_finished{*summary, controller->current().parameters});
  self->quit();
}

void coordinator_state::worker_gone(const caf::actor_addr& address, const std::string& reason) {
  const auto at = std::find_if(workers.begin(), workers.end(),
                               [&](const auto& w) { return w.handle.address() == address; });
  if (at != workers.end()) {
    const auto member = at->member;
    workers.erase(at);
    return controller->member_lost(member, reason);
  }
}

void coordinator_state::actor_down(const caf::down_msg& down) {
  std::erase_if(children, [&](const auto& child) { return child->address() == down.source; });
  take_up_arrivals(); // what a member had still sent counts
  if (summary)
    return end_when_alone();
  const std::string reason = self->system().render(down.reason);
  if (down.source == sampler.address())
    controller->fail("the sampler ended: " + reason, false);
  else if (down.source == evaluator.address())
    controller->fail("the evaluator ended: " + reason, true);
  else if (down.source == checkpointer.address())
    controller->fail("the checkpointer ended: " + reason, false);
  else
    worker_gone(down.source, "it ended (" + reason + ")");
}

coordinator_actor::behavior_type coordinator(coordinator_actor::stateful_pointer<coordinator_state> self,
                                             shared_context context, monitor_actor monitor,
                                             std::optional<resume_point> resume) {
  auto& state = self->state;
  state.context = std::move(context);
  state.monitor = std::move(monitor);
  state.lane.open(state.context, state.monitor, "coordinator");
  self->set_down_handler([self](const caf::down_msg& down) {
    if (const auto trouble = guarded([&] { self->state.actor_down(down); }); !trouble.empty())
      self->state.break_off(trouble);
  });
  const auto begun = guarded([&] {
    state.controller = std::make_unique<run_controller>(state.context->setup, *state.context->time, state,
                                                        state.context->merge_threads);
    if (resume)
      if (auto restored = state.controller->restore(resume->parameters.view(), resume->state); !restored.ok())
        throw std::runtime_error(restored.error().message);
    if (state.context->nodes)
      state.controller->open_to_nodes();
    if (has_own_thread(*state.context))
      state.controller->runs_beside_workers();
    state.spawn_everybody(resume); // which needs threads, and may not get them
    state.controller->start();
    if (state.context->nodes) {
      state.context->nodes->open(self->system(), state.context, caf::actor_cast<coordinator_actor>(self),
                                 state.sampler, state.monitor);
      self->delayed_send(self, watch_interval, watch_tick{});
    }
  });
  if (!begun.empty())
    state.end_without_controller(begun);
  // What a handler throws ends the run, with its reason and without a last checkpoint: the parameters may
  // have been half merged.
  const auto safe = [self](auto handler) {
    return guarded_handler([self](const std::string& problem) { self->state.break_off(problem); },
                           std::move(handler));
  };
  return {
      safe([self](const join_request& request) {
        auto& s = self->state;
        const auto handle = caf::actor_cast<worker_actor>(self->current_sender());
        // The entry must exist before the controller may send the first order.
        const auto member = s.controller->next_member();
        const bool remote = !s.is_child(handle.address());
        if (remote)
          s.watch(handle);
        s.workers.push_back({member, handle, request.name, remote});
        self->send(handle, welcome{member});
        s.controller->member_joined(request.name, request.node);
      }),
      safe([self](const failure_notice& notice) {
        auto& s = self->state;
        const auto address = caf::actor_cast<caf::actor_addr>(self->current_sender());
        if (address == s.sampler.address())
          return s.controller->fail("the sampler failed: " + notice.reason, false);
        const bool joined = std::any_of(s.workers.begin(), s.workers.end(),
                                        [&](const auto& w) { return w.handle.address() == address; });
        if (joined)
          return s.worker_gone(address, notice.reason);
        s.controller->member_not_started(notice.name, notice.reason);
      }),
      safe([self](train_result& result) {
        self->state.results.push_back(std::move(result));
        self->state.arrived();
      }),
      safe([self](gradient_part& part) {
        self->state.parts.push_back(std::move(part));
        self->state.arrived();
      }),
      safe([self](const drawn_batches& m) { self->state.controller->batches_arrived(m.batches); }),
      safe([self](sampler_report& m) { self->state.controller->sampler_state_arrived(std::move(m)); }),
      safe([self](const evaluation_outcome& m) {
        auto& controller = *self->state.controller;
        if (m.problem.empty())
          controller.evaluation_arrived(m.figures);
        else
          controller.fail("the evaluator failed: " + m.problem, true);
      }),
      safe([self](const checkpoint_outcome& m) {
        if (!m.best_problem.empty())
          self->state.controller->best_not_kept(m.best_problem);
        self->state.controller->checkpoint_done(m.path, m.problem);
      }),
      safe([self](const stop_request&) { self->state.controller->stop(); }),
      [self](const status_query&) {
        auto promise = self->make_response_promise<status_answer>();
        self->state.answer_status(promise);
        return promise;
      },
      safe([self](const watch_tick&) {
        auto& s = self->state;
        s.controller->tick(s.stalls.seconds(s.context->time->now()));
        if (s.summary)
          return;
        if (++s.ticks % ticks_between_reports == 0)
          s.report_members();
        self->delayed_send(self, watch_interval, watch_tick{});
      }),
      safe([self](const arrivals_due&) { self->state.take_up_arrivals(); }),
      [self](const nodes_dismissed&) {
        self->state.nodes_present = false;
        self->state.end_when_alone();
      },
  };
}

} // namespace

coordinator_actor spawn_coordinator(caf::actor_system& system, const shared_context& context,
                                    const monitor_actor& monitor, const std::optional<resume_point>& resume) {
  return has_own_thread(*context) ? system.spawn<caf::detached>(coordinator, context, monitor, resume)
                                  : system.spawn(coordinator, context, monitor, resume);
}

} // namespace triage
