#include "apps/bench/models.hpp"
#include "apps/bench/step.hpp"
#include "apps/bench/suites.hpp"
#include "apps/bench/whole_run.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace triage {

namespace {

/// How many epochs of the benchmark's data take about so many seconds.
double epochs_for(double seconds, double samples_per_second, std::size_t points) {
  return seconds * samples_per_second / static_cast<double>(points);
}

} // namespace

void bench_train(const bench_options& options, bench_report& report) {
  struct subject {
    const char* model;
    std::int64_t batch;
  };
  for (const auto& s :
       {subject{"mlp", 64}, subject{"mlp", 256}, subject{"cnn", 64}, subject{"resnet8", 64}}) {
    if (!options.wants(s.model, s.batch))
      continue;
    const std::string precision = "runtime.training_precision=" + options.precision;
    const auto setup = make_bench_setup(s.model, s.batch, {precision});
    training_step step(setup);
    const auto step_rate = [&] {
      return static_cast<double>(s.batch) * calls_per_second(options.seconds, [&] { step.run(); });
    };
    const double epochs = epochs_for(options.run_seconds(), step_rate(), setup->data.train.size);
    const auto run_setup = make_bench_setup(
        s.model, s.batch, {fmt::format("duration.epochs={:.3f}", std::max(epochs, 0.05)), precision});
    const std::vector<contender> contenders = {{"step", step_rate},
                                               {"whole run", [&] { return run_rate(run_setup); }}};
    const auto figures = alternate(contenders, options.rounds);
    const std::string name = fmt::format("{}, batch {}: ", s.model, s.batch);
    for (std::size_t i = 0; i < contenders.size(); ++i)
      report.add({name + contenders[i].name, "samples/s", figures[i]});
    report.add({name + "whole run / step", "", ratio(figures[1], figures[0]), 0.97});
  }
}

} // namespace triage
