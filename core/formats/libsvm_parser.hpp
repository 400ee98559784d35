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

/// Whether a line may begin with its first feature, which has a colon where a label has none.
enum class libsvm_labels { required, optional };

/// Checks the whole text ("LABEL INDEX:VALUE INDEX:VALUE … # comment" per line, indices ascending) and
/// collects the labels, which point into `text`. Errors are of kind `data` and name path, line and the odd
/// part. Labels that are missing are empty. Where a line has none, no line between two samples may be empty:
/// it could be a sample without features.
[[nodiscard]] result<libsvm_summary> scan_libsvm(std::string_view text, target_cells& labels,
                                                 libsvm_labels wanted = libsvm_labels::required);

/// Refuses dense samples that would take absurdly more memory than a text of so many bytes.
[[nodiscard]] result<void> check_dense_libsvm(const std::string& path, std::size_t text_bytes,
                                              std::uint64_t rows, std::uint64_t features);

/// Calls `entry(row, index, value)` for every feature of a text that `scan_libsvm` has accepted.
void visit_libsvm(std::string_view text,
                  const std::function<void(std::uint64_t row, std::uint64_t index, double value)>& entry);

} // namespace triage
