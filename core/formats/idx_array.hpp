#pragma once

#include "core/formats/mapping_option.hpp"
#include "core/mapped_file.hpp"
#include "core/result.hpp"
#include "core/shape.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace triage {

/// The contents of an IDX file.
struct idx_array {
  std::vector<std::uint64_t> dimensions;
  std::vector<std::uint8_t> values; ///< empty when they stay in the file
  std::shared_ptr<const mapped_file> file = nullptr;
  std::size_t offset = 0; ///< of the values in it
};

/// Of one sample, from the dimensions after the first one: none is one feature, N features, rows x columns,
/// or channels x rows x columns.
[[nodiscard]] sample_shape sample_shape_of(const idx_array& array);

/// The IDX container of the MNIST page, plain or gzip: two zero bytes, type, number of dimensions, big-endian
/// sizes, values. Only unsigned bytes (type 8) are read: that is what the published sets use. `what` says in
/// messages what the file should hold. Only a plain file can be mapped.
[[nodiscard]] result<idx_array> read_idx(const std::string& path, std::string_view what,
                                         const mapping_option& map = {.mode = "never"});

} // namespace triage
