#pragma once

#include "core/dataset.hpp"

#include <cstdint>
#include <string>

namespace triage {

/// The samples of a LIBSVM file for a model that takes `features` features, the first of which has the index
/// `first`. Labels are checked and left, and may be missing. Features that the model does not take are an
/// error: they may also come from a file that numbers them from elsewhere.
[[nodiscard]] result<dataset> read_libsvm_samples(const std::string& path, std::uint64_t first,
                                                  std::uint64_t features);

} // namespace triage
