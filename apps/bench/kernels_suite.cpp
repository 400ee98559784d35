#include "apps/bench/models.hpp"
#include "apps/bench/roofline.hpp"
#include "apps/bench/step.hpp"
#include "apps/bench/suites.hpp"

#include <fmt/format.h>

namespace triage {

namespace {

struct subject {
  const char* model;
  std::int64_t batch;
  double wanted; ///< share of the step spent in kernels at their best; 0: no goal
};

/// One line a stage: microseconds forward and backward, after the figures that contain them.
void show_profile(training_step& step, const bench_options& options, bench_report& report) {
  const steady_clock time;
  stage_profile profile{time, {}};
  step.compute().profile(&profile);
  double calls = 0.0;
  (void)calls_per_second(options.seconds, [&] {
    step.gradient();
    calls += 1.0;
  });
  step.compute().profile(nullptr);
  std::string text = "stages, microseconds forward + backward:";
  for (const auto& e : profile.entries)
    text += fmt::format(" {} {:.0f}+{:.0f}", e.stage, 1e6 * e.forward_seconds / calls,
                        1e6 * e.backward_seconds / calls);
  report.remark(text);
}

} // namespace

void bench_kernels(const bench_options& options, bench_report& report) {
  for (const auto& s : {subject{"mlp", 64, 0.0}, subject{"mlp", 256, 0.85}, subject{"cnn", 64, 0.80},
                        subject{"resnet8", 64, 0.0}}) {
    if (!options.wants(s.model, s.batch))
      continue;
    const auto setup = make_bench_setup(s.model, s.batch);
    training_step step(setup);
    bare_kernels bare(*setup->net, s.batch);
    const auto microseconds = [&](auto work) {
      return [&options, work] { return 1e6 / calls_per_second(options.seconds, work); };
    };
    const std::vector<contender> contenders = {{"kernels alone", microseconds([&] { bare.run(); })},
                                               {"step", microseconds([&] { step.run(); })},
                                               {"gradient", microseconds([&] { step.gradient(); })},
                                               {"update", microseconds([&] { step.update(); })},
                                               {"gather", microseconds([&] { step.gather(); })}};
    const auto figures = alternate(contenders, options.rounds);
    const std::string name = fmt::format("{}, batch {}: ", s.model, s.batch);
    for (std::size_t i = 0; i < contenders.size(); ++i)
      report.add({name + contenders[i].name, "us", figures[i]});
    bench_report::row roofline{name + "kernels alone / step", "", ratio(figures[0], figures[1])};
    if (s.wanted > 0.0)
      roofline.wanted = s.wanted;
    report.add(std::move(roofline));
    show_profile(step, options, report);
  }
}

} // namespace triage
