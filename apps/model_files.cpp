#include "apps/model_files.hpp"

#include "core/files.hpp"
#include "core/safetensors.hpp"
#include "nn/model_tensors.hpp"

#include <filesystem>
#include <fmt/format.h>

namespace triage {

namespace {

json_value numbers(const std::vector<float>& values) {
  json_value::array out;
  for (const float v : values)
    out.emplace_back(static_cast<double>(v));
  return json_value(std::move(out));
}

json_value texts(const std::vector<std::string>& values) {
  json_value::array out;
  for (const auto& v : values)
    out.emplace_back(v);
  return json_value(std::move(out));
}

json_value describe_model(const run_setup& setup) {
  const auto& shape = setup.net->input_shape();
  json_value out;
  out.set("input_shape", json_value(json_value::array{json_value(shape.channels), json_value(shape.height),
                                                      json_value(shape.width)}));
  json_value standard;
  standard.set("scale", numbers(setup.data.standard.scale));
  standard.set("shift", numbers(setup.data.standard.shift));
  out.set("standardisation", std::move(standard));
  json_value names;
  names.set("features", texts(setup.data.names.features));
  names.set("classes", texts(setup.data.names.classes));
  names.set("outputs", texts(setup.data.names.outputs));
  out.set("names", std::move(names));
  out.set("loss", *setup.resolved.find("loss"));
  out.set("model", setup.net->describe());
  return out;
}

} // namespace

result<void> write_model_files(const run_setup& setup, std::span<const float> parameters,
                               const std::string& directory) {
  std::error_code ec;
  std::filesystem::create_directories(directory, ec);
  if (ec)
    return io_error(fmt::format("{}: cannot be created: {}", directory, ec.message()));
  const auto bytes = encode_safetensors(to_stored(read_model(setup.net->parameters(), parameters)));
  if (auto written = write_file_atomic(directory + "/model.safetensors", bytes); !written.ok())
    return written;
  return write_file_atomic(directory + "/model.json", dump_json(describe_model(setup), 2) + "\n");
}

} // namespace triage
