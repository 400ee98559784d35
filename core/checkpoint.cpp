#include "core/checkpoint.hpp"

#include "core/files.hpp"
#include "core/hash.hpp"
#include "core/json.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace triage {

namespace fs = std::filesystem;

namespace {

constexpr const char* model_file = "model.safetensors";
constexpr const char* state_file = "state.safetensors";
constexpr const char* manifest_file = "manifest.json";
constexpr const char* done_file = "DONE";
constexpr std::size_t most_bytes = std::size_t{1} << 36U;

std::string hash_of(std::string_view bytes) {
  return sha256_hex(std::as_bytes(std::span(bytes)));
}

std::string hash_of(const saved_state::values& values) {
  return std::visit([](const auto& v) { return sha256_hex(std::as_bytes(std::span(v))); }, values);
}

json_value describe_file(const std::string& bytes, const std::vector<stored_tensor>& tensors) {
  json_value hashes{json_value::object{}};
  for (const auto& t : tensors)
    hashes.as_object().emplace_back(t.name, json_value(hash_of(t.values)));
  json_value out;
  out.set("bytes", json_value(std::uint64_t{bytes.size()}));
  out.set("sha256", json_value(hash_of(bytes)));
  out.set("tensors", std::move(hashes));
  return out;
}

/// Which tensor of a damaged file is hit, as far as its header can still be read.
std::string damaged_tensors(const std::string& bytes, const std::string& path, const json_value& manifest) {
  const auto tensors = decode_safetensors(bytes, path);
  if (!tensors.ok())
    return tensors.error().message;
  std::vector<std::string> hit;
  const json_value* hashes = manifest.find("tensors");
  for (const auto& t : *tensors) {
    const json_value* expected = hashes == nullptr ? nullptr : hashes->find(t.name);
    if (expected == nullptr || !expected->is_string() || expected->as_string() != hash_of(t.values))
      hit.push_back(t.name);
  }
  return hit.empty() ? "its header is damaged" : fmt::format("damaged: {}", fmt::join(hit, ", "));
}

result<std::vector<stored_tensor>> read_verified(const std::string& path, const json_value* manifest) {
  if (manifest == nullptr)
    return data_error(fmt::format("{}: the manifest does not mention it", path));
  const auto bytes = read_file(path, most_bytes);
  if (!bytes.ok())
    return data_error(bytes.error().message);
  const json_value* expected = manifest->find("sha256");
  if (expected == nullptr || !expected->is_string() || expected->as_string() != hash_of(*bytes))
    return data_error(
        fmt::format("{}: does not match its SHA-256: {}", path, damaged_tensors(*bytes, path, *manifest)));
  return decode_safetensors(*bytes, path);
}

/// Carries out the operations of a write one by one, so that a test can stop it between any two.
class write_steps {
public:
  explicit write_steps(const std::function<bool(const char*)>& before) : before_(before) {}
  template <class Operation>
  void operator()(const char* name, Operation operation) {
    if (!outcome.ok() || crashed)
      return;
    if (before_ && !before_(name)) {
      crashed = true;
      outcome = run_error("stopped by the caller");
      return;
    }
    outcome = operation();
  }
  result<void> outcome;
  bool crashed = false;

private:
  const std::function<bool(const char*)>& before_;
};

result<void> from_code(const std::error_code& ec, const std::string& path) {
  if (ec)
    return io_error(fmt::format("{}: {}", path, ec.message()));
  return {};
}

result<void> point_latest(const std::string& directory, const std::string& name) {
  const std::string link = directory + "/latest";
  const std::string temporary = directory + "/.latest.tmp";
  std::error_code ec;
  fs::remove(temporary, ec);
  fs::create_directory_symlink(name, temporary, ec);
  if (!ec)
    fs::rename(temporary, link, ec);
  return from_code(ec, link);
}

void remove_leftovers(const std::string& directory) {
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(directory, ec))
    if (entry.path().filename().string().starts_with(".writing-"))
      fs::remove_all(entry.path(), ec);
}

} // namespace

result<std::string> write_checkpoint(const std::string& directory, const checkpoint_content& content,
                                     std::int64_t keep, const std::function<bool(const char*)>& before_step) {
  const std::string name = fmt::format("step-{:012}", content.step);
  const std::string target = directory + "/" + name;
  const std::string hidden = directory + "/.writing-" + name;
  const auto model = to_stored(content.model);
  const auto state = to_stored(content.state);
  const std::string model_bytes = encode_safetensors(model);
  const std::string state_bytes = encode_safetensors(state);
  json_value files;
  files.set(model_file, describe_file(model_bytes, model));
  files.set(state_file, describe_file(state_bytes, state));
  json_value manifest;
  manifest.set("schema_version", json_value(1));
  manifest.set("step", json_value(content.step));
  manifest.set("files", std::move(files));
  const std::string manifest_bytes = dump_json(manifest, 1) + "\n";

  write_steps step(before_step);
  std::error_code ec;
  step("make directory", [&] {
    fs::create_directories(directory, ec);
    if (!ec) {
      remove_leftovers(directory);
      fs::create_directory(hidden, ec);
    }
    return from_code(ec, hidden);
  });
  step("model", [&] { return write_file_durable(hidden + "/" + model_file, model_bytes); });
  step("state", [&] { return write_file_durable(hidden + "/" + state_file, state_bytes); });
  step("manifest", [&] { return write_file_durable(hidden + "/" + manifest_file, manifest_bytes); });
  step("done", [&] { return write_file_durable(hidden + "/" + done_file, hash_of(manifest_bytes) + "\n"); });
  step("sync hidden", [&] { return sync_directory(hidden); });
  step("remove same step", [&] {
    // The same step was saved before (a resumed run that had nothing left to do): equal by construction.
    fs::remove_all(target, ec);
    return from_code(ec, target);
  });
  step("rename", [&] {
    fs::rename(hidden, target, ec);
    return from_code(ec, target);
  });
  step("sync directory", [&] { return sync_directory(directory); });
  step("latest", [&] { return point_latest(directory, name); });
  step("prune", [&]() -> result<void> {
    const auto all = list_checkpoints(directory);
    for (std::size_t i = static_cast<std::size_t>(std::max<std::int64_t>(keep, 1)); i < all.size(); ++i)
      fs::remove_all(all[i], ec);
    return {};
  });
  if (step.outcome.ok())
    return target;
  if (!step.crashed)
    fs::remove_all(hidden, ec);
  return step.outcome.error();
}

result<checkpoint_content> read_checkpoint(const std::string& path) {
  const auto manifest_bytes = read_file(path + "/" + manifest_file, most_bytes);
  if (!manifest_bytes.ok())
    return data_error(manifest_bytes.error().message);
  const auto done = read_file(path + "/" + done_file, 1024);
  if (!done.ok())
    return data_error(fmt::format("{}: incomplete, it has no DONE file", path));
  if (*done != hash_of(*manifest_bytes) + "\n")
    return data_error(
        fmt::format("{}/{}: does not match DONE; one of the two is damaged", path, manifest_file));
  const auto manifest = parse_json(*manifest_bytes, path + "/" + manifest_file);
  if (!manifest.ok())
    return data_error(manifest.error().message);
  const json_value* step = manifest->find("step");
  const json_value* files = manifest->find("files");
  if (step == nullptr || !step->is_integer() || files == nullptr)
    return data_error(fmt::format("{}/{}: lacks step or files", path, manifest_file));
  auto model = read_verified(path + "/" + model_file, files->find(model_file));
  if (!model.ok())
    return model.error();
  auto state = read_verified(path + "/" + state_file, files->find(state_file));
  if (!state.ok())
    return state.error();
  checkpoint_content content;
  content.step = step->as_integer();
  for (auto& t : *model) {
    auto* values = std::get_if<std::vector<float>>(&t.values);
    if (values == nullptr)
      return data_error(fmt::format("{}/{}: tensor {} is not F32", path, model_file, t.name));
    content.model.push_back({t.name, t.shape, std::move(*values)});
  }
  for (auto& t : *state)
    content.state.put(t.name, std::move(t.values));
  return content;
}

std::vector<std::string> list_checkpoints(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(directory, ec))
    if (entry.path().filename().string().starts_with("step-") && entry.is_directory(ec))
      names.push_back(entry.path().filename().string());
  // Twelve digits: the order of names is the order of steps.
  std::sort(names.rbegin(), names.rend());
  for (auto& n : names)
    n = directory + "/" + n;
  return names;
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
  if (out.rejected.empty())
    return data_error(fmt::format("{}: holds no checkpoint", directory));
  return data_error(
      fmt::format("{}: holds no usable checkpoint: {}", directory, fmt::join(out.rejected, "; ")));
}

} // namespace triage
