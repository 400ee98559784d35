#pragma once

#include "core/formats/targets.hpp"

#include <cstdint>
#include <functional>
#include <string_view>

namespace triage {

/// What one pass over a LIBSVM text found.
struct libsvm_summary {
  std::uint64_t rows = 0;
  std::uint64_t smallest_index = 0; ///< of all features present; 0 when there is none
  std::uint64_t largest_index = 0;
  bool any_feature = false;
};

/// Checks the whole text ("LABEL INDEX:VALUE INDEX:VALUE … # comment" per line, indices ascending) and
/// collects the labels, which point into `text`. Errors are of kind `data` and name path, line and the odd
/// part.
[[nodiscard]] result<libsvm_summary> scan_libsvm(std::string_view text, target_cells& labels);

/// Calls `entry(row, index, value)` for every feature of a text that `scan_libsvm` has accepted.
void visit_libsvm(std::string_view text,
                  const std::function<void(std::uint64_t row, std::uint64_t index, float value)>& entry);

} // namespace triage
