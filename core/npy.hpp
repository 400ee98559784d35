#pragma once

#include "core/mapped_file.hpp"
#include "core/result.hpp"
#include "core/single_rounding.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace triage {

/// A NumPy array in C order. Floats of both widths become float, integers of all widths int64 except bytes.
struct npy_array {
  std::string dtype; ///< as in the file: "<f4", "|u1", …
  std::vector<std::int64_t> shape;
  std::variant<std::vector<float>, std::vector<std::uint8_t>, std::vector<std::int64_t>> values;
  /// Of an array of one or two dimensions that holds doubles, which `values` does not any more; else empty.
  std::vector<single_rounding> roundings = {};
};

/// What single precision leaves of each column of an array of one or two dimensions; `value_at(i)`: of the
/// `count` values that fill it.
template <class ValueAt>
std::vector<single_rounding> roundings_of(std::size_t count, const std::vector<std::int64_t>& shape,
                                          const ValueAt& value_at) {
  if (count == 0) // then the other size may be anything
    return {};
  const std::size_t columns = shape.size() == 2 ? static_cast<std::size_t>(shape[1]) : 1;
  std::vector<single_rounding> out(columns);
  for (std::size_t i = 0; i < count; ++i)
    out[i % columns].add(value_at(i));
  return out;
}

/// Decodes version 1 to 3 files with dtype f4, f8, u1, b1, i1, i2, i4, i8, u2, u4, little endian, C order.
/// `file` names the source in errors (kind data). Trusts no number: memory grows with the bytes given only.
[[nodiscard]] result<npy_array> decode_npy(std::string_view bytes, const std::string& file);
[[nodiscard]] result<npy_array> read_npy(const std::string& path);

/// A NumPy array that stays in its file: floats or bytes, as they are.
struct mapped_npy {
  std::vector<std::int64_t> shape;
  std::shared_ptr<const mapped_file> file;
  std::size_t offset = 0; ///< of the values
  bool floats = false;    ///< dtype f4; else u1
};
/// Other types than f4 and u1 would have to be converted: nothing. Errors as those of `decode_npy`.
[[nodiscard]] result<std::optional<mapped_npy>> map_npy(const std::string& path);

/// Values to write, as dtype <f4, |u1 or <i8. A vector converts to it.
using npy_values =
    std::variant<std::span<const float>, std::span<const std::uint8_t>, std::span<const std::int64_t>>;

/// The bytes of a version 1 file. Precondition: the values fill the shape.
[[nodiscard]] std::string encode_npy(const std::vector<std::int64_t>& shape, const npy_values& values);
/// Replaces a file in one step. Values that do not fill the shape are an error (kind data).
[[nodiscard]] result<void> write_npy(const std::string& path, const std::vector<std::int64_t>& shape,
                                     const npy_values& values);

} // namespace triage
