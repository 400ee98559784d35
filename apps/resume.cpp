#include "apps/commands.hpp"
#include "apps/support.hpp"
#include "apps/train_flags.hpp"
#include "apps/train_run.hpp"
#include "core/checkpoint.hpp"

#include <cstdio>
#include <memory>
#include <optional>

namespace triage {

namespace {

/// A run that ended before its first checkpoint has done nothing yet that could be lost.
int begin_again(const run_directory& directory, const std::vector<std::string>& overrides,
                const train_flags& flags, const std::optional<cluster_options>& listen) {
  const auto document = read_description(directory.config_file(), overrides);
  if (!document.ok())
    return complain(document.error());
  const auto setup = prepare_run(*document, directory.config_file());
  if (!setup.ok())
    return complain(setup.error());
  std::fprintf(stderr, "triage: %s holds no checkpoint yet; the run starts from its beginning\n",
               directory.path().c_str());
  return run_and_report(*setup, directory,
                        {flags.trace, flags.quiet, std::nullopt, listen, {}, !overrides.empty()});
}

} // namespace

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
    if (const auto directory = run_directory::open(o->directory);
        directory.ok() && list_checkpoints(directory->checkpoints()).empty())
      return begin_again(*directory, overrides, o->flags, *listen);
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
