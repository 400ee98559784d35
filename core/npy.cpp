#include "core/npy.hpp"

#include "core/element_count.hpp"
#include "core/files.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>

namespace triage {

namespace {

constexpr std::size_t most_bytes = std::size_t{1} << 38U;
constexpr std::string_view magic = "\x93NUMPY";

error bad(const std::string& file, const std::string& why) {
  return data_error(fmt::format("{}: not a usable .npy array: {}", file, why));
}

struct layout {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::size_t data_begin = 0;
};

/// The text after `'key':` in the header's Python dictionary.
std::optional<std::string_view> value_of(std::string_view header, std::string_view key) {
  for (const char quote : {'\'', '"'}) {
    const auto at = header.find(fmt::format("{}{}{}", quote, key, quote));
    if (at == std::string_view::npos)
      continue;
    const auto colon = header.find(':', at);
    if (colon == std::string_view::npos)
      return std::nullopt;
    auto rest = header.substr(colon + 1);
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    return rest;
  }
  return std::nullopt;
}

std::optional<std::vector<std::int64_t>> parse_shape(std::string_view text) {
  std::vector<std::int64_t> shape;
  if (text.empty() || text.front() != '(' || text.find(')') == std::string_view::npos)
    return std::nullopt;
  text = text.substr(1, text.find(')') - 1);
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(" ,"), text.size()));
    if (text.empty())
      return shape;
    std::int64_t d = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), d);
    if (ec != std::errc() || d < 0 || shape.size() == 32)
      return std::nullopt;
    shape.push_back(d);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
}

result<layout> read_header(std::string_view bytes, const std::string& file) {
  if (bytes.size() < 10 || bytes.substr(0, 6) != magic)
    return bad(file, "it does not start with \\x93NUMPY and a version");
  const auto version = static_cast<unsigned char>(bytes[6]);
  if (version < 1 || version > 3)
    return bad(file, fmt::format("version {} is not known", version));
  const std::size_t width = version == 1 ? 2 : 4;
  if (bytes.size() < 8 + width)
    return bad(file, "it ends inside the header");
  std::size_t length = 0;
  for (std::size_t i = 0; i < width; ++i)
    length |= static_cast<std::size_t>(static_cast<unsigned char>(bytes[8 + i])) << (8 * i);
  if (length > bytes.size() - 8 - width)
    return bad(file, "its header is longer than the file; the file may be truncated");
  const auto header = bytes.substr(8 + width, length);
  layout out;
  out.data_begin = 8 + width + length;
  const auto descr = value_of(header, "descr");
  const auto order = value_of(header, "fortran_order");
  const auto shape_text = value_of(header, "shape");
  if (!descr || !order || !shape_text || descr->size() < 2)
    return bad(file, "its header lacks descr, fortran_order or shape");
  if (!order->starts_with("False"))
    return bad(file, "it is in Fortran order; save it with numpy.ascontiguousarray");
  const char quote = descr->front();
  const auto close = descr->find(quote, 1);
  if ((quote != '\'' && quote != '"') || close == std::string_view::npos)
    return bad(file, "its dtype is structured or unreadable");
  out.dtype = std::string(descr->substr(1, close - 1));
  const auto shape = parse_shape(*shape_text);
  if (!shape)
    return bad(file, "its shape is unreadable");
  out.shape = *shape;
  return out;
}

template <class Stored, class Wanted>
std::vector<Wanted> convert(std::string_view bytes) {
  std::vector<Wanted> out(bytes.size() / sizeof(Stored));
  for (std::size_t i = 0; i < out.size(); ++i) {
    Stored v{};
    std::memcpy(&v, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    out[i] = static_cast<Wanted>(v);
  }
  return out;
}

struct type_entry {
  std::string_view name;
  std::size_t bytes;
  decltype(npy_array::values) (*read)(std::string_view);
};

template <class Stored, class Wanted>
decltype(npy_array::values) reader(std::string_view bytes) {
  return convert<Stored, Wanted>(bytes);
}

constexpr std::array types = {
    type_entry{"f4", 4, reader<float, float>},
    type_entry{"f8", 8, reader<double, float>},
    type_entry{"u1", 1, reader<std::uint8_t, std::uint8_t>},
    type_entry{"b1", 1, reader<std::uint8_t, std::int64_t>}, // 0 and 1, no pixels
    type_entry{"i1", 1, reader<std::int8_t, std::int64_t>},
    type_entry{"i2", 2, reader<std::int16_t, std::int64_t>},
    type_entry{"i4", 4, reader<std::int32_t, std::int64_t>},
    type_entry{"i8", 8, reader<std::int64_t, std::int64_t>},
    type_entry{"u2", 2, reader<std::uint16_t, std::int64_t>},
    type_entry{"u4", 4, reader<std::uint32_t, std::int64_t>},
};

/// In the order of npy_values.
constexpr std::array<std::string_view, std::variant_size_v<npy_values>> written_types = {"<f4", "|u1", "<i8"};

} // namespace

namespace {

/// The header, with what it promises compared with what is there.
result<std::pair<layout, const type_entry*>> read_layout(std::string_view bytes, const std::string& file) {
  auto header = read_header(bytes, file);
  if (!header.ok())
    return header.error();
  const std::string_view dtype = header->dtype;
  const auto type = std::find_if(types.begin(), types.end(), [&](const auto& t) {
    return dtype.size() == 3 && dtype.substr(1) == t.name && (dtype[0] == '<' || t.bytes == 1);
  });
  if (type == types.end())
    return bad(file, fmt::format("its dtype \"{:.20}\" is not supported; save it as float32, uint8 or int64",
                                 dtype));
  const auto present = bytes.size() - header->data_begin;
  const auto count = element_count(header->shape);
  if (!count)
    return bad(file, "its shape is impossibly large");
  if (*count * type->bytes != present)
    return bad(file,
               fmt::format("its shape [{}] needs {} bytes of data, the file has {}; it may be truncated",
                           fmt::join(header->shape, ", "), *count * type->bytes, present));
  return std::pair(header.take(), &*type);
}

} // namespace

result<npy_array> decode_npy(std::string_view bytes, const std::string& file) {
  auto found = read_layout(bytes, file);
  if (!found.ok())
    return found.error();
  const auto& [header, type] = *found;
  const auto values = bytes.substr(header.data_begin);
  npy_array out{header.dtype, header.shape, type->read(values)};
  if (type->name == "f8" && out.shape.size() <= 2)
    out.roundings = roundings_of(values.size() / sizeof(double), out.shape, [&](std::size_t i) {
      double v = 0.0;
      std::memcpy(&v, values.data() + i * sizeof(double), sizeof(double));
      return v;
    });
  return out;
}

result<std::optional<mapped_npy>> map_npy(const std::string& path) {
  auto file = mapped_file::open(path);
  if (!file.ok())
    return file.error();
  const auto bytes = (*file)->bytes();
  auto found = read_layout({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
  if (!found.ok())
    return found.error();
  const auto& [header, type] = *found;
  const bool floats = type->name == "f4";
  if ((!floats && type->name != "u1") || (floats && header.data_begin % alignof(float) != 0))
    return std::optional<mapped_npy>();
  return std::optional(mapped_npy{header.shape, file.take(), header.data_begin, floats});
}

result<npy_array> read_npy(const std::string& path) {
  const auto bytes = read_file(path, most_bytes);
  if (!bytes.ok())
    return data_error(bytes.error().message);
  return decode_npy(*bytes, path);
}

std::string encode_npy(const std::vector<std::int64_t>& shape, const npy_values& values) {
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}",
                  written_types.at(values.index()), fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  // The data starts on a 64-byte boundary; the header ends with a newline.
  header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  header += '\n';
  std::string out(magic);
  out += '\x01';
  out += '\x00';
  out += static_cast<char>(header.size() & 0xFFU);
  out += static_cast<char>(header.size() >> 8U);
  out += header;
  std::visit(
      [&](const auto& v) {
        if (!v.empty())
          out.append(reinterpret_cast<const char*>(v.data()), v.size_bytes());
      },
      values);
  return out;
}

result<void> write_npy(const std::string& path, const std::vector<std::int64_t>& shape,
                       const npy_values& values) {
  const auto count = std::visit([](const auto& v) { return v.size(); }, values);
  if (element_count(shape) != count)
    return data_error(fmt::format("{}: cannot be written: {} values do not fill the shape [{}]", path, count,
                                  fmt::join(shape, ", ")));
  return write_file_atomic(path, encode_npy(shape, values));
}

} // namespace triage
