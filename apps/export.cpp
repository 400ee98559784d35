#include "apps/commands.hpp"
#include "apps/support.hpp"
#include "core/files.hpp"
#include "core/npz.hpp"
#include "core/registry.hpp"
#include "core/safetensors.hpp"
#include "nn/model_tensors.hpp"
#include "nn/onnx/onnx_export.hpp"

#include <array>
#include <cstdio>
#include <fmt/format.h>
#include <memory>

namespace triage {

namespace {

using exporter = result<void> (*)(const opened_run&, const std::string&);

std::vector<named_tensor> tensors_of(const opened_run& run) {
  return read_model(run.setup->net->parameters(), run.parameters.view());
}

result<void> export_safetensors(const opened_run& run, const std::string& path) {
  return write_file_atomic(path, encode_safetensors(to_stored(tensors_of(run))));
}

result<void> export_npz(const opened_run& run, const std::string& path) {
  return write_npz(tensors_of(run), path);
}

result<void> export_onnx(const opened_run& run, const std::string& path) {
  const auto& setup = *run.setup;
  const auto& kind = setup.data.kind;
  const auto range = kind.bytes ? std::string("bytes, 0 to 255")
                                : fmt::format("from about {} to {}", kind.smallest, kind.largest);
  const auto input = "unscaled, as in the training data: " + range;
  const auto file =
      to_onnx(*setup.net, run.parameters.view(), setup.data.standard, *setup.loss,
              {setup.config.name, TRIAGE_VERSION, prediction_names(setup), setup.data.names.features, input});
  return file.ok() ? write_file_atomic(path, *file) : file.error();
}

registry_table<exporter> exporters() {
  static constexpr std::array table = {
      registry_entry<exporter>{"safetensors", "tensors by name; read by most tools", export_safetensors},
      registry_entry<exporter>{"npz", "NumPy archive, one array per tensor", export_npz},
      registry_entry<exporter>{"onnx", "the whole model, from unscaled samples to predictions", export_onnx},
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
  auto* command = program.add_subcommand("export", "write a run's newest model for other programs");
  command->add_option("DIR", o->directory, "the run directory")->required();
  add_best_option(*command, o->which);
  command->add_option("--format", o->format,
                      "safetensors, npz or onnx; by default what the output is called");
  command->add_option("--output", o->output, "the file to write")->required();
  return [o] {
    if (o->format.empty())
      for (const auto& e : exporters())
        if (o->output.ends_with(fmt::format(".{}", e.name)))
          o->format = e.name;
    if (o->format.empty())
      return complain(configuration_error(
          fmt::format("{}: the ending names no format; give .safetensors, .npz or .onnx, or --format as well",
                      o->output)));
    const auto entry = find_entry(exporters(), "export format", o->format);
    if (!entry.ok())
      return complain(entry.error());
    auto run = open_model(o->directory, o->which);
    if (!run.ok())
      return complain(run.error());
    if (auto written = (*entry)->make(*run, o->output); !written.ok())
      return complain(written.error());
    std::printf("%s: %zu tensors\n", o->output.c_str(), run->setup->net->parameters().tensors().size());
    return 0;
  };
}

} // namespace triage
