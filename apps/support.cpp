#include "apps/support.hpp"

#include "actors/run_controller.hpp"
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

result<opened_run> open_run(const std::string& path, const std::vector<std::string>& overrides) {
  auto directory = run_directory::open(path);
  if (!directory.ok())
    return directory.error();
  auto document = read_description(directory->config_file(), overrides);
  if (!document.ok())
    return document.error();
  auto setup = prepare_run(*document, directory->config_file());
  if (!setup.ok())
    return setup.error();
  auto loaded = read_latest_checkpoint(directory->checkpoints());
  if (!loaded.ok())
    return loaded.error();
  for (const auto& reason : loaded->rejected)
    std::fprintf(stderr, "triage: passed over a damaged checkpoint: %s\n", reason.c_str());
  if (loaded->content.step == 0)
    std::fprintf(stderr, "triage: %s is from before the first step: nothing has been trained in it\n",
                 loaded->path.c_str());
  const auto& layout = (*setup)->net->parameters();
  mutable_blob block(layout.size());
  if (auto written = write_model(layout, loaded->content.model, block.values()); !written.ok())
    return with_context(written.error(), loaded->path);
  return opened_run{directory.take(), setup.take(), std::move(loaded->content), std::move(block).freeze()};
}

result<void> check_data(const opened_run& run) {
  return run_controller::check_data(*run.setup, run.checkpoint.state);
}

bool stderr_is_terminal() {
  return ::isatty(STDERR_FILENO) == 1;
}

} // namespace triage
