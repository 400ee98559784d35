#include "actors/monitor.hpp"

#include <caf/all.hpp>
#include <chrono>

namespace triage {

namespace {
constexpr std::chrono::seconds figures_timeout{10};
}

namespace {

struct monitor_state {
  static inline const char* name = "monitor";
  shared_context context;
  std::shared_ptr<run_reporter> reporter;
  caf::actor launcher;
  trace_sink traced;
  std::vector<trace_lane> lanes;
  sampler_actor sampler;
  bool over = false;
};

monitor_actor::behavior_type monitor(monitor_actor::stateful_pointer<monitor_state> self,
                                     shared_context context, std::shared_ptr<run_reporter> reporter,
                                     caf::actor launcher, trace_sink traced) {
  auto& state = self->state;
  state.context = std::move(context);
  state.reporter = std::move(reporter);
  state.launcher = std::move(launcher);
  state.traced = std::move(traced);
  const auto end_run = [self](const run_finished& end) {
    auto& s = self->state;
    if (s.over)
      return;
    s.over = true;
    if (s.traced)
      if (auto written = s.traced(s.lanes); !written.ok())
        s.reporter->warning("monitor", written.error().message);
    s.reporter->finished(end.summary);
    caf::anon_send(s.launcher, end);
    self->quit();
  };
  self->set_down_handler([self, end_run](const caf::down_msg& down) {
    run_summary summary;
    summary.status = run_status::failed;
    summary.problem = "the coordinator ended without a word: " + self->system().render(down.reason);
    end_run({summary, blob()});
  });
  return {
      [self](const run_started& m) {
        self->state.sampler = m.sampler;
        self->monitor(m.coordinator);
      },
      [self](const progress_report& progress) {
        auto& s = self->state;
        if (!s.sampler)
          return s.reporter->progress(progress, {});
        self->request(s.sampler, figures_timeout, sampling_status_request{})
            .then(
                [self, progress](const sampling_status& status) {
                  self->state.reporter->progress(progress, status);
                },
                // The sampler may have ended with the run: the report is worth printing without its figures.
                [self, progress](const caf::error&) { self->state.reporter->progress(progress, {}); });
      },
      [self](const evaluation_report& m) {
        self->state.reporter->evaluation(m.progress, m.figures, m.sampling);
      },
      [self](const members_report& m) { self->state.reporter->members(m.record); },
      [self](const warning_report& m) { self->state.reporter->warning(m.source, m.text); },
      [self](const remark_report& m) { self->state.reporter->remark(m.source, m.text); },
      [self](trace_lane& lane) { self->state.lanes.push_back(std::move(lane)); },
      [end_run](const run_finished& m) { end_run(m); },
  };
}

} // namespace

monitor_actor spawn_monitor(caf::actor_system& system, const shared_context& context,
                            const std::shared_ptr<run_reporter>& reporter, const caf::actor& launcher,
                            const trace_sink& traced) {
  return spawn_compute(system, context, monitor, reporter, launcher, traced);
}

} // namespace triage
