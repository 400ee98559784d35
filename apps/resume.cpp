#include "apps/commands.hpp"
#include "apps/support.hpp"
#include "apps/train_run.hpp"

#include <memory>

namespace triage {

command_action add_resume_command(CLI::App& program, const std::vector<std::string>&) {
  struct options {
    std::string directory;
    std::vector<std::string> overrides;
    std::string trace;
    bool quiet = false;
  };
  auto o = std::make_shared<options>();
  auto* command = program.add_subcommand("resume", "continue a run from its newest healthy checkpoint");
  command->add_option("DIR", o->directory, "the run directory")->required();
  command->add_option("--set", o->overrides, "override, e.g. duration.epochs=20 (repeatable)")
      ->allow_extra_args(false);
  command->add_option("--trace", o->trace, "write a Chrome trace of all actors to this file");
  command->add_flag("--quiet", o->quiet, "no progress");
  return [o] {
    auto run = open_run(o->directory, o->overrides);
    if (!run.ok())
      return complain(run.error());
    return run_and_report(run->setup, run->directory, o->trace, o->quiet, std::move(run->checkpoint));
  };
}

} // namespace triage
