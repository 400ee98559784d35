#include "actors/run_directory.hpp"
#include "apps/commands.hpp"

#include <cstdio>
#include <memory>

namespace triage {

command_action add_version_command(CLI::App& program) {
  auto build_info = std::make_shared<bool>(false);
  auto* command = program.add_subcommand("version", "print the version");
  command->add_flag("--build-info", *build_info, "compiler, build type and libraries too, as JSON");
  return [build_info] {
    if (*build_info)
      std::puts(dump_json(build_description(), 2).c_str());
    else
      std::puts("triage " TRIAGE_VERSION);
    return 0;
  };
}

} // namespace triage
