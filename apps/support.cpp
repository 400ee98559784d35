#include "apps/support.hpp"

#include "actors/run_controller.hpp"
#include "core/data_facts.hpp"
#include "core/overrides.hpp"
#include "nn/model_tensors.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace triage {

int complain(const error& e) {
  std::fprintf(stderr, "triage: %s\n", e.message.c_str());
  return exit_code(e.kind);
}

result<json_value> read_description(const std::string& file, const std::vector<std::string>& overrides) {
  auto document = read_json_file(file);
  if (!document.ok())
    return document;
  const auto remarks = apply_overrides(*document, overrides);
  if (!remarks.ok())
    return remarks.error();
  for (const auto& remark : *remarks)
    std::fprintf(stderr, "triage: --set %s\n", remark.c_str());
  return document;
}

namespace {

result<loaded_checkpoint> chosen_checkpoint(const run_directory& directory, checkpoint_choice which) {
  const bool best = which == checkpoint_choice::best;
  if (best && list_checkpoints(directory.best()).empty())
    return data_error(directory.path() + ": no best checkpoint is kept; train with --set "
                                         "checkpoint.best=validation_loss or another figure");
  auto loaded = read_latest_checkpoint(best ? directory.best() : directory.checkpoints());
  if (!loaded.ok())
    return loaded;
  for (const auto& reason : loaded->rejected)
    std::fprintf(stderr, "triage: passed over a damaged checkpoint: %s\n", reason.c_str());
  if (loaded->content.step == 0)
    std::fprintf(stderr, "triage: %s is from before the first step: nothing has been trained in it\n",
                 loaded->path.c_str());
  return loaded;
}

result<opened_run> with_parameters(run_directory directory, std::shared_ptr<const run_setup> setup,
                                   loaded_checkpoint loaded) {
  const auto& layout = setup->net->parameters();
  mutable_blob block(layout.size());
  if (auto written = write_model(layout, loaded.content.model, block.values()); !written.ok())
    return with_context(written.error(), loaded.path);
  return opened_run{std::move(directory), std::move(setup), std::move(loaded.content),
                    std::move(block).freeze()};
}

} // namespace

void add_best_option(CLI::App& command, checkpoint_choice& which) {
  command.add_flag_callback(
      "--best", [&which] { which = checkpoint_choice::best; },
      "the checkpoint whose figure was best (checkpoint.best), not the newest");
}

result<opened_run> open_run(const std::string& path, const std::vector<std::string>& overrides,
                            checkpoint_choice which) {
  auto directory = run_directory::open(path);
  if (!directory.ok())
    return directory.error();
  auto document = read_description(directory->config_file(), overrides);
  if (!document.ok())
    return document.error();
  auto setup = prepare_run(*document, directory->config_file());
  if (!setup.ok())
    return setup.error();
  auto loaded = chosen_checkpoint(*directory, which);
  if (!loaded.ok())
    return loaded.error();
  return with_parameters(directory.take(), setup.take(), loaded.take());
}

result<opened_run> open_model(const std::string& path, checkpoint_choice which) {
  auto directory = run_directory::open(path);
  if (!directory.ok())
    return directory.error();
  auto loaded = chosen_checkpoint(*directory, which);
  if (!loaded.ok())
    return loaded.error();
  const auto file = directory->config_file();
  auto document = read_description(file, {});
  if (!document.ok())
    return document.error();
  auto facts = load_data_facts(loaded->content.state.below("data"));
  if (!facts.ok())
    return with_context(facts.error(), loaded->path);
  auto setup = prepare_model(*document, file, facts.take());
  if (!setup.ok())
    return setup.error();
  return with_parameters(directory.take(), setup.take(), loaded.take());
}

result<void> check_data(const opened_run& run) {
  return run_controller::check_data(*run.setup, run.checkpoint.state);
}

bool stderr_is_terminal() {
  return ::isatty(STDERR_FILENO) == 1;
}

std::vector<std::string> prediction_names(const run_setup& setup) {
  const auto width = static_cast<std::size_t>(setup.net->output_width());
  const auto& names = setup.data.names;
  const auto& known = setup.data.train.is_classification() ? names.classes : names.outputs;
  if (known.size() == width)
    return known;
  if (width == 1 && known.size() == 2) // one probability, of the second class
    return {known[1]};
  std::vector<std::string> numbered;
  for (std::size_t j = 0; j < width; ++j)
    numbered.push_back(fmt::format("output_{}", j));
  return numbered;
}

} // namespace triage
