#include "core/inspect.hpp"

#include "core/checkpoint.hpp"
#include "core/excerpt.hpp"
#include "core/files.hpp"
#include "core/formats/idx_array.hpp"
#include "core/json.hpp"
#include "core/npz.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>

namespace triage {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_bytes = std::size_t{1} << 36U;
constexpr std::size_t longest_text = 4096; ///< of what a file says about itself

std::string shape_text(const auto& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string describe_values(const std::vector<float>& values) {
  float low = 0.0F;
  float high = 0.0F;
  std::size_t strange = 0;
  bool first = true;
  for (const float v : values) {
    if (!std::isfinite(v)) {
      ++strange;
      continue;
    }
    low = first ? v : std::min(low, v);
    high = first ? v : std::max(high, v);
    first = false;
  }
  return fmt::format("{:.4g} to {:.4g}{}", low, high,
                     strange > 0 ? fmt::format(", {} not finite", strange) : "");
}

std::string describe_tensors(const std::vector<stored_tensor>& tensors) {
  std::string text;
  for (const auto& t : tensors) {
    const auto* floats = std::get_if<std::vector<float>>(&t.values);
    text += fmt::format("  {:<32} {:<4} {:<20}{}\n", excerpt(t.name), dtype_of(t.values), shape_text(t.shape),
                        floats != nullptr && !floats->empty() ? " " + describe_values(*floats) : "");
  }
  return text;
}

result<std::string> inspect_checkpoint(const std::string& path) {
  const auto content = read_checkpoint(path);
  if (!content.ok())
    return content.error();
  std::size_t values = 0;
  for (const auto& t : content->model)
    values += t.values.size();
  return fmt::format("checkpoint at step {}, healthy: {} tensors with {} values\n{}state:\n{}", content->step,
                     content->model.size(), values, describe_tensors(to_stored(content->model)),
                     describe_tensors(to_stored(content->state)));
}

std::string member_text(const json_value& object, const char* name) {
  const json_value* v = object.find(name);
  if (v == nullptr)
    return "?";
  return excerpt(v->is_string() ? v->as_string() : dump_json(*v), longest_text);
}

/// The last complete line of a text file; empty when there is none, or it is very long.
std::string last_line(const std::string& path) {
  constexpr std::streamoff most = 1 << 16;
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = in ? static_cast<std::streamoff>(in.tellg()) : 0;
  std::string tail(static_cast<std::size_t>(std::clamp<std::streamoff>(size, 0, most)), '\0');
  in.seekg(size - static_cast<std::streamoff>(tail.size()));
  if (tail.empty() || !in.read(tail.data(), static_cast<std::streamsize>(tail.size())))
    return {};
  const auto end = tail.rfind('\n'); // what follows is still being written
  if (end == std::string::npos)
    return {};
  tail.resize(end);
  const auto begin = tail.rfind('\n');
  if (begin == std::string::npos && size > most)
    return {};
  return tail.substr(begin == std::string::npos ? 0 : begin + 1);
}

std::string inspect_checkpoints(const std::string& directory) {
  std::string text = "checkpoints:\n";
  for (const auto& c : list_checkpoints(directory)) {
    const auto content = read_checkpoint(c);
    text += fmt::format("  {}  {}\n", c, content.ok() ? "healthy" : content.error().message);
  }
  return text;
}

result<std::string> inspect_run(const std::string& path) {
  const auto config = read_json_file(path + "/config.json");
  if (!config.ok())
    return data_error(config.error().message);
  std::string text = fmt::format("run \"{}\"\n", member_text(*config, "name"));
  if (const auto summary = read_json_file(path + "/summary.json"); summary.ok()) {
    for (const char* key :
         {"status", "problem", "epochs", "train_seconds", "samples_per_second", "train_loss",
          "validation_loss", "validation_accuracy", "test_loss", "test_accuracy", "time_to_target"})
      if (const json_value* value = summary->find(key); value != nullptr && !value->is_null())
        text += fmt::format("  {:<20} {}\n", key, member_text(*summary, key));
  } else {
    text += "  not finished: no summary.json\n";
  }
  if (const auto line = last_line(path + "/metrics.jsonl"); !line.empty())
    text += fmt::format("last metrics:\n  {}\n", excerpt(line, longest_text));
  return text + inspect_checkpoints(path + "/checkpoints");
}

result<std::string> inspect_npz(const std::string& path) {
  const auto arrays = read_npz(path);
  if (!arrays.ok())
    return arrays.error();
  std::string text = fmt::format("npz archive, {} arrays\n", arrays->size());
  for (const auto& [name, array] : *arrays)
    text += fmt::format("  {:<32} {} {}\n", excerpt(name), array.dtype, shape_text(array.shape));
  return text;
}

} // namespace

result<std::string> inspect_file(const std::string& path) {
  std::error_code ec;
  if (!fs::exists(path, ec))
    return data_error(fmt::format("{}: does not exist", path));
  if (fs::is_directory(path, ec)) {
    if (fs::exists(path + "/config.json", ec))
      return inspect_run(path);
    if (fs::exists(path + "/manifest.json", ec))
      return inspect_checkpoint(path);
    if (!list_checkpoints(path).empty())
      return inspect_checkpoints(path);
    return data_error(
        fmt::format("{}: neither a run directory (config.json) nor a checkpoint (manifest.json)", path));
  }
  const auto bytes = read_file(path, most_bytes);
  if (!bytes.ok())
    return data_error(bytes.error().message);
  if (bytes->starts_with("\x93NUMPY")) {
    const auto array = decode_npy(*bytes, path);
    if (!array.ok())
      return array.error();
    return fmt::format("npy array, dtype {}, shape {}\n", array->dtype, shape_text(array->shape));
  }
  if (bytes->starts_with("PK"))
    return inspect_npz(path);
  if (bytes->size() > 8 && (*bytes)[8] == '{') {
    const auto tensors = decode_safetensors(*bytes, path);
    if (!tensors.ok())
      return tensors.error();
    return fmt::format("safetensors file, {} tensors\n{}", tensors->size(), describe_tensors(*tensors));
  }
  if (bytes->starts_with("\x1f\x8b") || bytes->starts_with(std::string_view("\0\0", 2))) {
    const auto array = read_idx(path, "values");
    if (!array.ok())
      return array.error();
    return fmt::format("IDX array, unsigned bytes, shape {}\n", shape_text(array->dimensions));
  }
  return data_error(fmt::format("{}: not a safetensors, npy, npz or IDX file", path));
}

} // namespace triage
