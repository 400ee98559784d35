#include "apps/commands.hpp"
#include "apps/support.hpp"
#include "apps/train_flags.hpp"
#include "apps/train_run.hpp"

#include <memory>

namespace triage {

command_action add_resume_command(CLI::App& program, const std::vector<std::string>&) {
  struct options {
    std::string directory;
    train_flags flags;
  };
  auto o = std::make_shared<options>();
  auto* command = program.add_subcommand("resume", "continue a run from its newest healthy checkpoint");
  command->add_option("DIR", o->directory, "the run directory")->required();
  o->flags.add_to(*command);
  return [o] {
    const auto listen = o->flags.cluster();
    if (!listen.ok())
      return complain(listen.error());
    const auto overrides = o->flags.all_overrides();
    auto run = open_run(o->directory, overrides);
    if (!run.ok())
      return complain(run.error());
    if (auto same = check_data(*run); !same.ok())
      return complain(same.error());
    return run_and_report(
        run->setup, run->directory,
        {o->flags.trace, o->flags.quiet, std::move(run->checkpoint), *listen, {}, !overrides.empty()});
  };
}

} // namespace triage
