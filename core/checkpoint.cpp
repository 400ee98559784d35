#include "core/checkpoint.hpp"

#include "core/checkpoint_files.hpp"

#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace triage {

result<checkpoint_content> read_checkpoint(const std::string& path) {
  const auto manifest = read_manifest(path);
  if (!manifest.ok())
    return manifest.error();
  const std::string model_path = path + "/" + checkpoint_files::model;
  auto model = read_tensor_file(model_path, manifest->model);
  if (!model.ok())
    return model.error();
  auto state = read_tensor_file(path + "/" + checkpoint_files::state, manifest->state);
  if (!state.ok())
    return state.error();
  checkpoint_content content;
  content.step = manifest->step;
  for (auto& t : *model) {
    auto* values = std::get_if<std::vector<float>>(&t.values);
    if (values == nullptr)
      return data_error(fmt::format("{}: tensor {} is not F32", model_path, t.name));
    content.model.push_back({t.name, t.shape, std::move(*values)});
  }
  for (auto& t : *state)
    content.state.put(t.name, std::move(t.values));
  return content;
}

std::vector<std::string> list_checkpoints(const std::string& directory) {
  std::vector<std::string> paths;
  for (auto& place : find_checkpoints(directory))
    paths.push_back(std::move(place.path));
  return paths;
}

result<loaded_checkpoint> read_latest_checkpoint(const std::string& directory) {
  loaded_checkpoint out;
  for (const auto& path : list_checkpoints(directory)) {
    auto content = read_checkpoint(path);
    if (content.ok()) {
      out.content = content.take();
      out.path = path;
      return out;
    }
    out.rejected.push_back(content.error().message);
  }
  std::error_code ec;
  const std::filesystem::directory_iterator listed(directory, ec);
  if (ec && ec != std::errc::no_such_file_or_directory)
    return data_error(fmt::format("{}: cannot be read: {}; check its permissions", directory, ec.message()));
  if (out.rejected.empty())
    return data_error(fmt::format(
        "{}: holds no checkpoint: the run ended before its first one; start it again with triage resume",
        directory));
  return data_error(
      fmt::format("{}: holds no usable checkpoint: {}", directory, fmt::join(out.rejected, "; ")));
}

} // namespace triage
