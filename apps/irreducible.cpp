#include "actors/batch_trainer.hpp"
#include "actors/train.hpp"
#include "apps/commands.hpp"
#include "apps/irreducible/folds.hpp"
#include "apps/support.hpp"
#include "core/data_split.hpp"
#include "core/files.hpp"
#include "nn/workspace.hpp"
#include "sampling/irreducible_losses.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <memory>

namespace triage {

namespace {

struct irreducible_options {
  std::string file;
  std::string output;
  std::vector<std::string> overrides;
  std::size_t folds = 2;
};

/// The loss of each of the points under the parameters.
void measure_losses(const run_setup& setup, std::span<const float> parameters,
                    const std::vector<std::uint32_t>& ids, std::vector<float>& losses) {
  constexpr std::size_t chunk = 200;
  workspace w(setup.net);
  std::vector<std::int32_t> labels;
  std::vector<float> values;
  for (std::size_t at = 0; at < ids.size(); at += chunk) {
    const auto part = std::span(ids).subspan(at, std::min(chunk, ids.size() - at));
    const auto batch = static_cast<std::int64_t>(part.size());
    gather_samples(setup.data.train, setup.data.standard, part, w.input(batch));
    const auto targets = gather_targets(setup.data.train, part, labels, values);
    const auto s = w.measure(parameters, batch, targets, *setup.loss, static_cast<signal_set>(signal::loss));
    for (std::size_t i = 0; i < part.size(); ++i)
      losses[part[i]] = s.loss[i];
  }
}

result<void> find_losses(const irreducible_options& o) {
  if (!o.output.ends_with(".npz") && !o.output.ends_with(".npy"))
    return configuration_error(fmt::format("{}: irreducible losses are written as .npz or .npy", o.output));
  if (auto writable = check_writable(o.output); !writable.ok()) // before the training that it costs
    return writable;
  auto document = read_description(o.file, o.overrides);
  if (!document.ok())
    return document.error();
  document->set("sampling",
                json_value("uniform")); // also because a score may want the file that is made here
  const auto whole = prepare_run(*document, o.file);
  if (!whole.ok())
    return whole.error();
  const dataset& train_set = (*whole)->data.train;
  const json_value* regime = (*whole)->resolved.find("data")->find("regime");
  const auto copies = static_cast<std::size_t>(regime->find("duplication")->as_number());
  if (const std::size_t originals = train_set.size / std::max<std::size_t>(copies, 1); originals < o.folds)
    return configuration_error(fmt::format(
        "--folds {}: there are only {} points to leave out, give at most as many", o.folds, originals));
  const auto fold_of = make_folds(train_set, o.folds, copies, (*whole)->seed());
  std::vector<float> losses(train_set.size);
  double seconds = 0.0;
  for (std::uint32_t fold = 0; fold < o.folds; ++fold) {
    std::vector<std::uint32_t> held_out;
    for (std::uint32_t id = 0; id < fold_of.size(); ++id)
      if (fold_of[id] == fold)
        held_out.push_back(id);
    run_extensions without_fold;
    without_fold.change_data = [&](data_splits& data) { (void)take_samples(data.train, held_out); };
    const auto setup = prepare_run(*document, o.file, without_fold);
    if (!setup.ok())
      return setup.error();
    const auto outcome = train(*setup);
    if (!outcome.ok())
      return outcome.error();
    if (outcome->summary.status == run_status::failed)
      return configuration_error(
          fmt::format("{}: the model of fold {} failed: {}", o.file, fold, outcome->summary.problem));
    if (outcome->summary.steps == 0)
      return configuration_error(
          fmt::format("{}, /duration: the models would not take a single step, and judge nothing", o.file));
    seconds += outcome->summary.train_seconds;
    measure_losses(**whole, outcome->parameters.view(), held_out, losses);
    double sum = 0.0;
    for (const auto id : held_out)
      sum += static_cast<double>(losses[id]);
    std::fprintf(stderr, "fold %u of %zu: %.1f s, loss of the points it has not seen %.4f\n", fold + 1,
                 o.folds, outcome->summary.train_seconds, sum / static_cast<double>(held_out.size()));
  }
  if (auto written = write_irreducible_losses(o.output, losses, (*whole)->data.fingerprint); !written.ok())
    return written;
  fmt::print("{}: irreducible losses of {} points, {:.1f} s of training\n", o.output, losses.size(), seconds);
  return {};
}

} // namespace

command_action add_irreducible_command(CLI::App& program) {
  auto o = std::make_shared<irreducible_options>();
  auto* command = program.add_subcommand(
      "irreducible",
      "measure the losses of points under models that have not seen them, for the score rho and the guard");
  command->add_option("RUN.json", o->file, "the run description; a smaller model will do")->required();
  command->add_option("--output", o->output, "the file: .npz, which names its data, or .npy")->required();
  command->add_option("--folds", o->folds, "models, each trained without one part of the points")
      ->check(CLI::Range(2, 100));
  command->add_option("--set", o->overrides, "override: path=value, value as JSON (repeatable)")
      ->allow_extra_args(false);
  return [o] {
    const auto found = find_losses(*o);
    return found.ok() ? 0 : complain(found.error());
  };
}

} // namespace triage
