#include "core/inspect.hpp"
#include "apps/commands.hpp"
#include "apps/support.hpp"

#include <cstdio>
#include <memory>

namespace triage {

command_action add_inspect_command(CLI::App& program) {
  auto path = std::make_shared<std::string>();
  auto* command = program.add_subcommand(
      "inspect", "describe a run directory, a checkpoint, or a safetensors, npy, npz or idx file");
  command->add_option("PATH", *path, "what to look at")->required();
  return [path] {
    const auto text = inspect_file(*path);
    if (!text.ok())
      return complain(text.error());
    std::fputs(text->c_str(), stdout);
    if (!text->ends_with('\n'))
      std::fputc('\n', stdout);
    return 0;
  };
}

} // namespace triage
