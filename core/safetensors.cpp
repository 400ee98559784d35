#include "core/safetensors.hpp"

#include "core/element_count.hpp"
#include "core/json.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>
#include <unordered_set>

namespace triage {

namespace {

static_assert(std::endian::native == std::endian::little, "the format is little endian");

constexpr std::string_view metadata_name = "__metadata__";
constexpr std::uint64_t most_header_bytes = 100'000'000;

struct type_name {
  std::string_view name;
  std::size_t bytes;
};
/// In the order of saved_state::values.
constexpr type_name types[] = {{"F32", 4}, {"F64", 8}, {"I32", 4}, {"U32", 4},
                               {"I64", 8}, {"U64", 8}, {"U8", 1}};

std::size_t bytes_of(const saved_state::values& v) {
  return std::visit([](const auto& x) { return x.size() * sizeof(x[0]); }, v);
}

error bad(const std::string& file, const std::string& why) {
  return data_error(fmt::format("{}: not a usable safetensors file: {}", file, why));
}

result<tensor_info> read_entry(const std::string& name, const json_value& entry, std::uint64_t data_bytes,
                               const std::string& file) {
  const auto complain = [&](const char* why) {
    return bad(file, fmt::format("tensor \"{:.80}\" {}", name, why));
  };
  const json_value* type = entry.find("dtype");
  const json_value* shape = entry.find("shape");
  const json_value* offsets = entry.find("data_offsets");
  if (type == nullptr || !type->is_string() || shape == nullptr || !shape->is_array() || offsets == nullptr ||
      !offsets->is_array() || offsets->as_array().size() != 2 || entry.as_object().size() != 3)
    return complain("has no proper dtype, shape and data_offsets");
  tensor_info info;
  info.name = name;
  info.type = type->as_string();
  const auto known =
      std::find_if(std::begin(types), std::end(types), [&](const auto& t) { return t.name == info.type; });
  if (known == std::end(types))
    return complain("has a dtype that is not supported");
  for (const auto& d : shape->as_array()) {
    if (!d.is_integer())
      return complain("has a shape that is not made of integers");
    info.shape.push_back(d.as_integer());
  }
  for (const auto& o : offsets->as_array())
    if (!o.is_integer() || o.as_integer() < 0)
      return complain("has offsets that are not positions");
  info.begin = static_cast<std::uint64_t>(offsets->as_array()[0].as_integer());
  info.end = static_cast<std::uint64_t>(offsets->as_array()[1].as_integer());
  const auto count = element_count(info.shape);
  if (!count)
    return complain("has an impossible shape");
  if (info.begin > info.end || info.end > data_bytes)
    return complain("lies outside the file; the file may be truncated");
  if (info.end - info.begin != *count * known->bytes)
    return complain("has offsets that do not fit its shape");
  return info;
}

template <class T>
std::vector<T> copy_values(std::string_view bytes) {
  std::vector<T> out(bytes.size() / sizeof(T));
  if (!out.empty())
    std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

saved_state::values read_values(const std::string& type, std::string_view bytes) {
  if (type == "F32")
    return copy_values<float>(bytes);
  if (type == "F64")
    return copy_values<double>(bytes);
  if (type == "I32")
    return copy_values<std::int32_t>(bytes);
  if (type == "U32")
    return copy_values<std::uint32_t>(bytes);
  if (type == "I64")
    return copy_values<std::int64_t>(bytes);
  if (type == "U64")
    return copy_values<std::uint64_t>(bytes);
  return copy_values<std::uint8_t>(bytes);
}

result<std::string_view> header_text(std::string_view bytes, const std::string& file) {
  std::uint64_t length = 0;
  if (bytes.size() < sizeof length)
    return bad(file, fmt::format("it has {} bytes, fewer than the length of a header", bytes.size()));
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > most_header_bytes || length > bytes.size() - sizeof length)
    return bad(file, "its header is longer than the file or than permitted; the file may be truncated");
  const auto text = bytes.substr(sizeof length, length);
  if (text.empty() || text.front() != '{')
    return bad(file, "its header does not start with {");
  return text;
}

} // namespace

std::string_view dtype_of(const saved_state::values& values) {
  return types[values.index()].name;
}

result<void> check_storable(const std::vector<stored_tensor>& tensors, const std::string& file) {
  std::unordered_set<std::string_view> names;
  for (const auto& t : tensors) {
    const auto complain = [&](const char* why) {
      return data_error(fmt::format("{}: tensor \"{:.80}\" cannot be stored: {}", file, t.name, why));
    };
    if (t.name == metadata_name || !names.insert(t.name).second)
      return complain("its name is taken");
    const auto round_trip = parse_json(dump_json(json_value(t.name)), file);
    if (!round_trip.ok() || round_trip->as_string() != t.name)
      return complain("its name is not UTF-8");
    if (element_count(t.shape) != std::visit([](const auto& v) { return v.size(); }, t.values))
      return complain("its shape does not fit the number of its values");
  }
  return {};
}

std::string encode_safetensors(const std::vector<stored_tensor>& tensors) {
  json_value header{json_value::object{}};
  std::uint64_t at = 0;
  for (const auto& t : tensors) {
    json_value entry;
    entry.set("dtype", json_value(dtype_of(t.values)));
    entry.set("shape", json_value(json_value::array(t.shape.begin(), t.shape.end())));
    const std::uint64_t end = at + bytes_of(t.values);
    entry.set("data_offsets", json_value(json_value::array{json_value(at), json_value(end)}));
    header.as_object().emplace_back(t.name, std::move(entry));
    at = end;
  }
  std::string text = dump_json(header);
  text.resize((text.size() + 7) / 8 * 8, ' '); // data starts aligned
  const std::uint64_t length = text.size();
  std::string out;
  out.reserve(sizeof length + text.size() + at);
  out.append(reinterpret_cast<const char*>(&length), sizeof length);
  out += text;
  for (const auto& t : tensors)
    std::visit(
        [&](const auto& v) {
          if (!v.empty())
            out.append(reinterpret_cast<const char*>(v.data()), v.size() * sizeof(v[0]));
        },
        t.values);
  return out;
}

result<std::vector<tensor_info>> decode_safetensors_header(std::string_view bytes, const std::string& file) {
  const auto text = header_text(bytes, file);
  if (!text.ok())
    return text.error();
  const auto header = parse_json(*text, file);
  if (!header.ok())
    return bad(file, header.error().message);
  const std::uint64_t data_bytes = bytes.size() - sizeof(std::uint64_t) - text->size();
  std::vector<tensor_info> out;
  for (const auto& [name, entry] : header->as_object()) {
    if (name == metadata_name) {
      if (!entry.is_object())
        return bad(file, "__metadata__ is not an object");
      for (const auto& [key, value] : entry.as_object())
        if (!value.is_string())
          return bad(file, fmt::format("__metadata__ entry \"{:.80}\" is not a string", key));
      continue;
    }
    auto info = read_entry(name, entry, data_bytes, file);
    if (!info.ok())
      return info.error();
    out.push_back(info.take());
  }
  std::vector<const tensor_info*> by_place;
  by_place.reserve(out.size());
  for (const auto& t : out)
    by_place.push_back(&t);
  std::sort(by_place.begin(), by_place.end(), [](const auto* a, const auto* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  std::uint64_t at = 0;
  for (const auto* t : by_place) {
    if (t->begin != at)
      return bad(file, fmt::format("tensor \"{:.80}\" overlaps another one or leaves a hole", t->name));
    at = t->end;
  }
  if (at != data_bytes)
    return bad(file, "there are bytes after the last tensor, or some are missing");
  return out;
}

result<std::vector<stored_tensor>> decode_safetensors(std::string_view bytes, const std::string& file) {
  const auto infos = decode_safetensors_header(bytes, file);
  if (!infos.ok())
    return infos.error();
  const auto data = bytes.substr(sizeof(std::uint64_t) + header_text(bytes, file)->size());
  std::vector<stored_tensor> out;
  out.reserve(infos->size());
  for (const auto& i : *infos)
    out.push_back({i.name, i.shape, read_values(i.type, data.substr(i.begin, i.end - i.begin))});
  return out;
}

std::vector<stored_tensor> to_stored(std::vector<named_tensor> tensors) {
  std::vector<stored_tensor> out;
  out.reserve(tensors.size());
  for (auto& t : tensors)
    out.push_back({std::move(t.name), std::move(t.shape), std::move(t.values)});
  return out;
}

std::vector<stored_tensor> to_stored(saved_state state) {
  std::vector<stored_tensor> out;
  for (auto& e : std::move(state).entries()) {
    const auto n = std::visit([](const auto& v) { return static_cast<std::int64_t>(v.size()); }, e.data);
    out.push_back({std::move(e.name), {n}, std::move(e.data)});
  }
  return out;
}

} // namespace triage
