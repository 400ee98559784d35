#include "core/checkpoint_files.hpp"

#include "core/files.hpp"
#include "core/hash.hpp"
#include "core/json.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace triage {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view set_aside_ending = ".old";

constexpr std::int64_t schema_version = 1;
constexpr std::size_t most_manifest_bytes = std::size_t{16} << 20U; ///< what parse_json takes

std::string hash_of(std::string_view bytes) {
  return sha256_hex(std::as_bytes(std::span(bytes)));
}

std::string hash_of(const saved_state::values& values) {
  return std::visit([](const auto& v) { return sha256_hex(std::as_bytes(std::span(v))); }, values);
}

json_value to_json(const tensor_file_record& record) {
  json_value hashes{json_value::object{}};
  for (const auto& [name, hash] : record.tensors)
    hashes.as_object().emplace_back(name, json_value(hash));
  json_value out;
  out.set("bytes", json_value(record.bytes));
  out.set("sha256", json_value(record.hash));
  out.set("tensors", std::move(hashes));
  return out;
}

/// False when something is missing or of another type.
bool from_json(const json_value* json, tensor_file_record& record) {
  const json_value* bytes = json == nullptr ? nullptr : json->find("bytes");
  const json_value* hash = json == nullptr ? nullptr : json->find("sha256");
  const json_value* tensors = json == nullptr ? nullptr : json->find("tensors");
  if (bytes == nullptr || !bytes->is_integer() || bytes->as_integer() < 0 || hash == nullptr ||
      !hash->is_string() || tensors == nullptr || !tensors->is_object())
    return false;
  record.bytes = static_cast<std::uint64_t>(bytes->as_integer());
  record.hash = hash->as_string();
  for (const auto& [name, value] : tensors->as_object()) {
    if (!value.is_string())
      return false;
    record.tensors.emplace_back(name, value.as_string());
  }
  return true;
}

/// Which part of a damaged file is hit.
std::string find_damage(std::string_view bytes, const std::string& path, const tensor_file_record& record) {
  const auto tensors = decode_safetensors(bytes, path);
  if (!tensors.ok())
    return tensors.error().message;
  std::vector<std::string> hit;
  for (const auto& t : *tensors)
    if (std::find(record.tensors.begin(), record.tensors.end(), std::pair(t.name, hash_of(t.values))) ==
        record.tensors.end())
      hit.push_back(t.name);
  return hit.empty() ? "its header is damaged" : fmt::format("damaged: {}", fmt::join(hit, ", "));
}

} // namespace

std::string checkpoint_name(std::int64_t step, bool set_aside) {
  return fmt::format("step-{:012}{}", step, set_aside ? set_aside_ending : "");
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code ec;
  // `increment` instead of ++, which throws.
  for (fs::directory_iterator at(directory, ec), end; !ec && at != end; at.increment(ec))
    names.push_back(at->path().filename().string());
  return names;
}

std::vector<checkpoint_place> find_checkpoints(const std::string& directory) {
  std::vector<checkpoint_place> found;
  for (const auto& name : names_in(directory)) {
    checkpoint_place place{0, name.ends_with(set_aside_ending), (fs::path(directory) / name).string()};
    const auto digits = name.find_first_of("0123456789");
    if (digits == std::string::npos)
      continue;
    std::from_chars(name.data() + digits, name.data() + name.size(), place.step);
    std::error_code ec;
    if (name == checkpoint_name(place.step, place.set_aside) && fs::is_directory(place.path, ec))
      found.push_back(std::move(place));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::pair(-a.step, a.set_aside) < std::pair(-b.step, b.set_aside);
  });
  return found;
}

tensor_file_record describe_tensor_file(std::string_view bytes, const std::vector<stored_tensor>& tensors) {
  tensor_file_record record{bytes.size(), hash_of(bytes), {}};
  for (const auto& t : tensors)
    record.tensors.emplace_back(t.name, hash_of(t.values));
  return record;
}

std::string encode_manifest(const checkpoint_manifest& manifest) {
  json_value files;
  files.set(checkpoint_files::model, to_json(manifest.model));
  files.set(checkpoint_files::state, to_json(manifest.state));
  json_value out;
  out.set("schema_version", json_value(schema_version));
  out.set("step", json_value(manifest.step));
  out.set("files", std::move(files));
  return dump_json(out, 1) + "\n";
}

std::string seal_of(std::string_view manifest_bytes) {
  return hash_of(manifest_bytes) + "\n";
}

result<checkpoint_manifest> read_manifest(const std::string& directory) {
  const std::string path = directory + "/" + checkpoint_files::manifest;
  const auto done = read_file(directory + "/" + checkpoint_files::done, 1024);
  if (!done.ok())
    return data_error(fmt::format("{}: incomplete, its DONE file cannot be read", directory));
  const auto bytes = read_file(path, most_manifest_bytes);
  if (!bytes.ok())
    return data_error(bytes.error().message);
  if (*done != seal_of(*bytes))
    return data_error(fmt::format("{}: does not match DONE; one of the two is damaged", path));
  const auto json = parse_json(*bytes, path);
  if (!json.ok())
    return data_error(json.error().message);
  const json_value* version = json->find("schema_version");
  if (version == nullptr || !version->is_integer() || version->as_integer() != schema_version)
    return data_error(
        fmt::format("{}: has the schema version {}, this program reads {}; use the program that "
                    "wrote the checkpoint",
                    path, version == nullptr ? "(none)" : dump_json(*version), schema_version));
  const json_value* step = json->find("step");
  const json_value* files = json->find("files");
  checkpoint_manifest out;
  if (step == nullptr || !step->is_integer() || files == nullptr ||
      !from_json(files->find(checkpoint_files::model), out.model) ||
      !from_json(files->find(checkpoint_files::state), out.state))
    return data_error(fmt::format("{}: lacks the step or a proper record of each file", path));
  out.step = step->as_integer();
  return out;
}

result<std::vector<stored_tensor>> read_tensor_file(const std::string& path,
                                                    const tensor_file_record& record) {
  // One byte more than recorded: a file that has grown is damaged, one that is huge is not read.
  const auto bytes = read_file(path, record.bytes + 1);
  if (!bytes.ok())
    return data_error(bytes.error().message);
  if (bytes->size() != record.bytes || hash_of(*bytes) != record.hash)
    return data_error(
        fmt::format("{}: does not match its SHA-256: {}", path, find_damage(*bytes, path, record)));
  return decode_safetensors(*bytes, path);
}

} // namespace triage
