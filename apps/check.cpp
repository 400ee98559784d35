#include "actors/batch_trainer.hpp"
#include "actors/memory_need.hpp"
#include "actors/model_evaluator.hpp"
#include "actors/parameter_store.hpp"
#include "actors/point_scorer.hpp"
#include "apps/commands.hpp"
#include "apps/support.hpp"
#include "core/clock.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fmt/format.h>
#include <memory>
#include <numeric>

namespace triage {

namespace {

constexpr int timed_steps = 8;

/// What one step of every phase costs, measured on this machine.
struct check_figures {
  double loss = 0.0;
  std::size_t batch = 0; ///< samples of a step: as many as the description says, or as there are
  double step_seconds = 0.0;
  double score_seconds = 0.0;
  double evaluate_seconds = 0.0;
};

shared_batch first_points(const run_setup& setup, std::size_t count) {
  drawn_batch batch;
  batch.ids.resize(std::min(count, setup.data.train.size));
  std::iota(batch.ids.begin(), batch.ids.end(), 0U);
  batch.weights.assign(batch.ids.size(), 1.0F);
  return std::make_shared<const drawn_batch>(std::move(batch));
}

result<check_figures> run_every_phase(const std::shared_ptr<const run_setup>& setup) {
  const steady_clock time;
  check_figures out;
  parameter_store store(setup->net->parameters(), *setup->rule, setup->config.gradient_clipping);
  store.initialise(setup->seed());
  batch_trainer trainer(setup);
  const auto batch = first_points(*setup, static_cast<std::size_t>(setup->config.batch_size));
  out.batch = batch->ids.size();
  for (int i = 0; i <= timed_steps; ++i) {
    const double begin = time.now(); // the first step builds the kernels and is not counted
    const auto trained = trainer.train({store.version(), store.current()}, *batch, 1);
    if (!trained.finite)
      return run_error(
          "the first steps give values that are not finite; look at the data and the learning rate");
    const contribution c{trained.gradient, static_cast<double>(batch->ids.size())};
    store.merge({&c, 1}, setup->rule->learning_rate() * setup->learning_schedule->factor({}));
    if (i == 0)
      out.loss = trained.loss_sum / static_cast<double>(batch->ids.size());
    else
      out.step_seconds += (time.now() - begin) / timed_steps;
  }
  if (setup->point_score) {
    point_scorer scorer(setup, time);
    const auto points = first_points(*setup, static_cast<std::size_t>(setup->config.scoring_batch_size));
    (void)scorer.measure({store.version(), store.current()}, points->ids);
    const double begin = time.now();
    (void)scorer.measure({store.version(), store.current()}, points->ids);
    out.score_seconds = (time.now() - begin) / static_cast<double>(points->ids.size());
  }
  model_evaluator evaluator(setup);
  const auto points = first_points(*setup, 1000);
  const double begin = time.now();
  (void)evaluator.measure(store.current().view(), setup->data.train, points->ids);
  out.evaluate_seconds = (time.now() - begin) / static_cast<double>(points->ids.size());
  return out;
}

/// What the description leaves to nodes, which only a command that listens gets.
std::vector<std::string> needs_of_nodes(const run_config& c) {
  constexpr const char* way = "triage train --listen HOST:PORT, or triage launch";
  std::vector<std::string> out;
  if (c.workers == 0)
    out.push_back(fmt::format("runtime.workers is 0, so nodes must do the work: {}", way));
  if (c.min_workers > std::max<std::int64_t>(c.workers, 1))
    out.push_back(fmt::format("runtime.min_workers is {}, so training waits until nodes have joined: {}",
                              c.min_workers, way));
  if (c.shards > 0)
    out.push_back(
        fmt::format("network.shards divides the points among nodes, and does nothing without: {}", way));
  return out;
}

void print_estimate(const run_setup& setup, const check_figures& f) {
  const auto& c = setup.config;
  const auto workers = std::max<std::int64_t>(c.workers, 1); // of nodes, where none is here
  const auto points = static_cast<double>(setup.data.train.size);
  const auto batch = static_cast<double>(f.batch);
  const double epoch_seconds = points / batch * f.step_seconds / static_cast<double>(workers);
  const auto memory = static_cast<double>(memory_of_data(setup) + memory_beside_data(setup));
  fmt::print("data: {} training, {} validation, {} test samples of shape {}\n", setup.data.train.size,
             setup.data.validation.size, setup.data.test.size, to_string(setup.data.train.shape));
  fmt::print("{}", setup.net->summary());
  fmt::print("first loss {:.4f}; one step of {} samples takes {:.2f} ms ({:.0f} samples/s per worker)\n",
             f.loss, f.batch, 1e3 * f.step_seconds, batch / f.step_seconds);
  if (setup.point_score)
    fmt::print("scoring one point costs {:.2f} of training it\n", f.score_seconds * batch / f.step_seconds);
  fmt::print("about {:.1f} s per epoch with {} worker(s) on cores of their own", epoch_seconds, workers);
  if (c.epochs)
    fmt::print(", {:.0f} s for {:g} epochs", epoch_seconds * *c.epochs, *c.epochs);
  fmt::print(", about {:.0f} MB of memory\n", memory / 1e6);
  for (const auto& remark : needs_of_nodes(c))
    fmt::print("note: {}\n", remark);
  fmt::print("{}: everything fits\n", setup.source);
}

} // namespace

command_action add_check_command(CLI::App& program) {
  struct options {
    std::string file;
    std::vector<std::string> overrides;
  };
  auto o = std::make_shared<options>();
  auto* command = program.add_subcommand(
      "check", "read a run description, load its data and run one step of every phase");
  command->add_option("RUN.json", o->file, "the run description")->required();
  command->add_option("--set", o->overrides, "override: path=value (repeatable)")->allow_extra_args(false);
  return [o] {
    auto document = read_description(o->file, o->overrides);
    if (!document.ok())
      return complain(document.error());
    auto setup = prepare_run(*document, o->file);
    if (!setup.ok())
      return complain(setup.error());
    const auto figures = run_every_phase(*setup);
    if (!figures.ok())
      return complain(figures.error());
    print_estimate(**setup, *figures);
    return 0;
  };
}

} // namespace triage
