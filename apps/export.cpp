#include "apps/commands.hpp"
#include "apps/support.hpp"
#include "core/files.hpp"
#include "core/npz.hpp"
#include "core/registry.hpp"
#include "core/safetensors.hpp"
#include "nn/model_tensors.hpp"

#include <array>
#include <cstdio>
#include <fmt/format.h>
#include <memory>

namespace triage {

namespace {

using exporter = result<void> (*)(const std::vector<named_tensor>&, const std::string&);

result<void> export_safetensors(const std::vector<named_tensor>& model, const std::string& path) {
  return write_file_atomic(path, encode_safetensors(to_stored(model)));
}

registry_table<exporter> exporters() {
  static constexpr std::array table = {
      registry_entry<exporter>{"safetensors", "tensors by name; read by most tools", export_safetensors},
      registry_entry<exporter>{"npz", "NumPy archive, one array per tensor", write_npz},
  };
  return table;
}

} // namespace

command_action add_export_command(CLI::App& program) {
  struct options {
    std::string directory;
    checkpoint_choice which = checkpoint_choice::newest;
    std::string format; ///< empty: what the name of the output says
    std::string output;
  };
  auto o = std::make_shared<options>();
  auto* command = program.add_subcommand("export", "write a run's newest parameters for other programs");
  command->add_option("DIR", o->directory, "the run directory")->required();
  add_best_option(*command, o->which);
  command->add_option("--format", o->format, "safetensors or npz; by default what the output is called");
  command->add_option("--output", o->output, "the file to write")->required();
  return [o] {
    if (o->format.empty())
      for (const auto& e : exporters())
        if (o->output.ends_with(fmt::format(".{}", e.name)))
          o->format = e.name;
    if (o->format.empty())
      return complain(configuration_error(fmt::format(
          "{}: the ending names no format; give .safetensors or .npz, or --format as well", o->output)));
    const auto entry = find_entry(exporters(), "export format", o->format);
    if (!entry.ok())
      return complain(entry.error());
    auto run = open_model(o->directory, o->which);
    if (!run.ok())
      return complain(run.error());
    const auto model = read_model(run->setup->net->parameters(), run->parameters.view());
    if (auto written = (*entry)->make(model, o->output); !written.ok())
      return complain(written.error());
    std::printf("%s: %zu tensors\n", o->output.c_str(), model.size());
    return 0;
  };
}

} // namespace triage
