#pragma once

#include "core/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace triage {

/// The contents of an IDX file.
struct idx_array {
  std::vector<std::uint64_t> dimensions;
  std::vector<std::uint8_t> values;
};

/// The IDX container of the MNIST page, plain or gzip: two zero bytes, type, number of dimensions, big-endian
/// sizes, values. Only unsigned bytes (type 8) are read: that is what the published sets use. `what` says in
/// messages what the file should hold.
[[nodiscard]] result<idx_array> read_idx(const std::string& path, std::string_view what);

} // namespace triage
