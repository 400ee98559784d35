#include "apps/commands.hpp"
#include "apps/support.hpp"
#include "apps/train_run.hpp"

#include <memory>

namespace triage {

command_action add_train_command(CLI::App& program, const std::vector<std::string>& arguments) {
  struct options {
    std::string file;
    std::vector<std::string> overrides;
    std::string run_directory;
    std::string trace;
    bool quiet = false;
  };
  auto o = std::make_shared<options>();
  auto* command = program.add_subcommand("train", "train what a run description describes");
  command->add_option("RUN.json", o->file, "the run description")->required();
  command->add_option("--set", o->overrides, "override: path=value, value as JSON (repeatable)")
      ->allow_extra_args(false);
  command->add_option("--run-dir", o->run_directory, "directory of the run (default: runs/<name>-<time>)");
  command->add_option("--trace", o->trace, "write a Chrome trace of all actors to this file");
  command->add_flag("--quiet", o->quiet, "no progress");
  return [o, arguments] {
    auto document = read_description(o->file, o->overrides);
    if (!document.ok())
      return complain(document.error());
    auto setup = prepare_run(*document, o->file);
    if (!setup.ok())
      return complain(setup.error());
    auto directory = run_directory::create(o->run_directory, (*setup)->config.name);
    if (!directory.ok())
      return complain(directory.error());
    if (auto written =
            directory->write_descriptions((*setup)->resolved, arguments, (*setup)->data.fingerprint);
        !written.ok())
      return complain(written.error());
    return run_and_report(*setup, *directory, o->trace, o->quiet, std::nullopt);
  };
}

} // namespace triage
