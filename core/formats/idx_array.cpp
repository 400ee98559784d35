#include "core/formats/idx_array.hpp"

#include "core/formats/files.hpp"

#include <array>
#include <fmt/format.h>

namespace triage {

sample_shape sample_shape_of(const idx_array& array) {
  const auto& d = array.dimensions;
  const auto at = [&](std::size_t i) { return static_cast<std::int64_t>(d[i]); };
  if (d.size() == 4)
    return {at(1), at(2), at(3)};
  if (d.size() == 3)
    return {1, at(1), at(2)};
  return {d.size() == 2 ? at(1) : 1, 1, 1};
}

result<idx_array> read_idx(const std::string& path, std::string_view what, const mapping_option& map) {
  auto opened = input_file::open(path);
  if (!opened.ok())
    return opened.error();
  input_file file = opened.take();
  std::array<std::uint8_t, 4> magic{};
  if (auto read = file.read_exactly(magic, "the IDX header"); !read.ok())
    return read.error();
  if (magic[0] != 0 || magic[1] != 0)
    return file.problem(
        fmt::format("is no IDX file: it starts with {:02x} {:02x} instead of 00 00", magic[0], magic[1]));
  if (magic[2] != 8)
    return file.problem(fmt::format(
        "holds IDX type 0x{:02x}; only unsigned bytes (0x08) are supported, convert it", magic[2]));
  if (magic[3] < 1 || magic[3] > 4)
    return file.problem(fmt::format("has {} dimensions; 1 to 4 are possible", magic[3]));
  idx_array array;
  std::uint64_t count = 1;
  bool too_many = false;
  std::string product; // for the message
  for (int d = 0; d < magic[3]; ++d) {
    std::array<std::uint8_t, 4> b{};
    if (auto read = file.read_exactly(b, "the IDX header"); !read.ok())
      return read.error();
    const std::uint64_t n =
        (std::uint64_t{b[0]} << 24U) | (std::uint64_t{b[1]} << 16U) | (std::uint64_t{b[2]} << 8U) | b[3];
    if (n == 0)
      return file.problem(fmt::format("dimension {} is 0: the file holds no {}", d, what));
    array.dimensions.push_back(n);
    product += fmt::format("{}{}", d == 0 ? "" : " x ", n);
    too_many = too_many || n > file.most_remaining() / count; // before the product could wrap
    count = too_many ? 1 : count * n;
  }
  if (too_many || count > file.most_remaining())
    return file.problem(
        fmt::format("the header promises {} bytes of {}, but at most {} can follow; the file is "
                    "truncated or damaged, fetch it again",
                    product, what, file.most_remaining()));
  if (map.demanded() && file.packed())
    return file.problem("is packed by gzip and cannot be mapped; unpack it, or set \"map\" to \"auto\"");
  if (map.wanted(count) && !file.packed()) {
    array.offset = file.position();
    auto mapped = mapped_file::open(path);
    if (!mapped.ok())
      return mapped.error();
    array.file = mapped.take();
    if (array.file->bytes().size() != array.offset + count)
      return file.problem(fmt::format("holds {} bytes instead of {}; the file is damaged, fetch it again",
                                      array.file->bytes().size(), array.offset + count));
    return array;
  }
  auto values = file.read_block(count, what);
  if (!values.ok())
    return values.error();
  if (auto end = file.expect_end(); !end.ok())
    return end.error();
  array.values = values.take();
  return array;
}

} // namespace triage
