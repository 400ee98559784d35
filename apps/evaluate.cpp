#include "actors/model_evaluator.hpp"
#include "apps/commands.hpp"
#include "apps/support.hpp"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <memory>

namespace triage {

namespace {

/// The run with the test set of the changed data. What was trained, held out and standardised stays.
result<std::shared_ptr<const run_setup>> with_other_test_set(const opened_run& run,
                                                             const std::vector<std::string>& overrides) {
  const auto of_data = [](const std::string& o) { return o.starts_with("data.") || o.starts_with("data="); };
  const auto other = std::find_if_not(overrides.begin(), overrides.end(), of_data);
  if (other != overrides.end())
    return configuration_error(
        fmt::format("--set {}: evaluate takes changes of \"data\" only, for another test set", *other));
  // These decide which points were trained and what the network was fed: changed, they would make training
  // points a test set, or feed it something else.
  for (const char* key : {"test_fraction", "validation_fraction", "standardize", "regime"})
    for (const auto& o : overrides)
      if (o.starts_with(fmt::format("data.{}", key)))
        return configuration_error(
            fmt::format("--set {}: evaluate measures on another test set; what was held "
                        "out and how data is fed stays. Give data.test=FILE",
                        o));
  const auto file = run.directory.config_file();
  auto asked_for = overrides;
  const bool other_files = std::any_of(overrides.begin(), overrides.end(),
                                       [](const auto& o) { return o.starts_with("data.path="); });
  if (other_files) // of which no part may be taken for the whole
    asked_for.emplace_back("data.test_fraction=0");
  const auto changed = read_description(file, asked_for);
  const auto original = read_description(file, {});
  if (!changed.ok())
    return changed.error();
  if (!original.ok())
    return original.error();
  const auto source = prepare_run(*changed, file);
  if (!source.ok())
    return source.error();
  const auto& test = (*source)->data.test;
  if (test.size == 0)
    return data_error("the changed data has no test set of its own to measure on; give data.test=FILE");
  if (!(test.shape == run.setup->data.train.shape) || test.classes > run.setup->data.train.classes ||
      test.outputs != run.setup->data.train.outputs)
    return data_error(
        fmt::format("the other test set does not fit the model: samples of shape {} with {} classes, "
                    "where it has {} with {}",
                    to_string(test.shape), test.classes, to_string(run.setup->data.train.shape),
                    run.setup->data.train.classes));
  run_extensions replacing;
  replacing.change_data = [&](data_splits& splits) { splits.test = test; };
  return prepare_run(*original, file, replacing);
}

} // namespace

command_action add_evaluate_command(CLI::App& program) {
  struct options {
    std::string directory;
    checkpoint_choice which = checkpoint_choice::newest;
    std::vector<std::string> overrides;
  };
  auto o = std::make_shared<options>();
  auto* command =
      program.add_subcommand("evaluate", "measure a run's newest checkpoint on its data; prints JSON");
  command->add_option("DIR", o->directory, "the run directory")->required();
  add_best_option(*command, o->which);
  command
      ->add_option("--set", o->overrides,
                   "another test set, e.g. data.test=other.csv (repeatable); what was trained on stays")
      ->allow_extra_args(false);
  return [o] {
    auto run = open_run(o->directory, {}, o->which);
    if (!run.ok())
      return complain(run.error());
    if (auto same = check_data(*run); !same.ok())
      return complain(same.error());
    std::shared_ptr<const run_setup> setup = run->setup;
    if (!o->overrides.empty()) {
      auto other = with_other_test_set(*run, o->overrides);
      if (!other.ok())
        return complain(other.error());
      setup = other.take();
    }
    model_evaluator evaluator(setup);
    std::puts(dump_json(to_json(evaluator.evaluate(run->parameters.view())), 2).c_str());
    return 0;
  };
}

} // namespace triage
