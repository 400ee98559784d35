#include "actors/model_evaluator.hpp"
#include "apps/commands.hpp"
#include "apps/support.hpp"
#include "core/excerpt.hpp"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <memory>

namespace triage {

namespace {

error other_meaning(const std::string& what, const std::string& here, const std::string& in_training) {
  return data_error(
      fmt::format("the other test set does not fit the model: its {} is {}, and in training {}; "
                  "give data.test=FILE with the columns and classes of the training data",
                  what, quoted_excerpt(here), quoted_excerpt(in_training)));
}

/// A source need not name its columns.
result<void> check_same_columns(const char* what, const std::vector<std::string>& here,
                                const std::vector<std::string>& in_training) {
  for (std::size_t i = 0; i < std::min(here.size(), in_training.size()); ++i)
    if (here[i] != in_training[i])
      return other_meaning(fmt::format("{} {}", what, i), here[i], in_training[i]);
  return {};
}

/// Whether columns and classes mean what they did in training.
result<void> check_same_names(const data_names& here, const data_names& in_training, std::int64_t classes) {
  if (auto same = check_same_columns("feature", here.features, in_training.features); !same.ok())
    return same;
  if (auto same = check_same_columns("output", here.outputs, in_training.outputs); !same.ok())
    return same;
  for (std::int32_t c = 0; c < classes; ++c)
    if (here.of_class(c) != in_training.of_class(c))
      return other_meaning(fmt::format("class {}", c), here.of_class(c), in_training.of_class(c));
  if (here.first_index && in_training.first_index && *here.first_index != *in_training.first_index)
    return other_meaning("first index", std::to_string(*here.first_index),
                         std::to_string(*in_training.first_index));
  return {};
}

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
  asked_for.emplace_back("data.test_fraction=0"); // no part may be taken for the whole
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
  if (auto same = check_same_names((*source)->data.names, run.setup->data.names, test.classes); !same.ok())
    return same.error();
  if (auto alike = check_same_kind(run.setup->data.kind, test, "the other test set"); !alike.ok())
    return alike.error();
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
