#pragma once

#include "core/result.hpp"
#include "core/saved_state.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace triage {

/// A float tensor with its name, row-major.
struct named_tensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

/// A tensor of any type that the format shares with saved_state.
struct stored_tensor {
  std::string name;
  std::vector<std::int64_t> shape;
  saved_state::values values;
};

/// What stands in the header of a file, without the data.
struct tensor_info {
  std::string name;
  std::string type; ///< "F32", …
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0; ///< in bytes, from the end of the header
  std::uint64_t end = 0;
};

/// Whether the tensors can stand together in one file: different names, which must be UTF-8, and as many
/// values as each shape says. The error (kind data) starts with `file`.
[[nodiscard]] result<void> check_storable(const std::vector<stored_tensor>& tensors, const std::string& file);

/// The bytes of a safetensors file: length of the header (u64, little endian), JSON header, data without
/// gaps. Precondition: the tensors are storable.
[[nodiscard]] std::string encode_safetensors(const std::vector<stored_tensor>& tensors);

/// The header, checked: types known, shapes and offsets consistent, no overlaps, no holes, nothing beyond the
/// end. `file` names it in errors (kind data). Trusts no number: memory grows with the file's size only. The
/// format permits headers of 100 MB, parse_json 16 MiB (some 100,000 tensors).
[[nodiscard]] result<std::vector<tensor_info>> decode_safetensors_header(std::string_view bytes,
                                                                         const std::string& file);
[[nodiscard]] result<std::vector<stored_tensor>> decode_safetensors(std::string_view bytes,
                                                                    const std::string& file);

/// "F32", "F64", "I32", "U32", "I64", "U64" or "U8".
[[nodiscard]] std::string_view dtype_of(const saved_state::values& values);

[[nodiscard]] std::vector<stored_tensor> to_stored(std::vector<named_tensor> tensors);
[[nodiscard]] std::vector<stored_tensor> to_stored(saved_state state);

} // namespace triage
