#include "apps/commands.hpp"
#include "apps/support.hpp"
#include "apps/train_flags.hpp"
#include "apps/train_run.hpp"

#include <memory>

namespace triage {

command_action add_train_command(CLI::App& program, const std::vector<std::string>& arguments) {
  struct options {
    std::string file;
    std::string run_directory;
    train_flags flags;
  };
  auto o = std::make_shared<options>();
  auto* command = program.add_subcommand("train", "train what a run description describes");
  command->add_option("RUN.json", o->file, "the run description")->required();
  command->add_option("--run-dir", o->run_directory, "directory of the run (default: runs/<name>-<time>)");
  o->flags.add_to(*command);
  return [o, arguments] {
    const auto listen = o->flags.cluster();
    if (!listen.ok())
      return complain(listen.error());
    auto document = read_description(o->file, o->flags.all_overrides());
    if (!document.ok())
      return complain(document.error());
    const run_choices choices{o->flags.trace, o->flags.quiet, std::nullopt, *listen, {}};
    auto run = start_run(*document, o->file, o->run_directory, arguments, choices);
    if (!run.ok())
      return complain(run.error());
    return run_and_report(*run, choices);
  };
}

} // namespace triage
