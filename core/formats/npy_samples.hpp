#pragma once

#include "core/dataset.hpp"
#include "core/npy.hpp"

#include <string>

namespace triage {

/// An array as the samples of a set, without targets: (n, features), (n, h, w), (n, c, h, w), or with
/// `channels_last` (n, h, w, c). Bytes stay bytes, integers become floats; values that are not finite are an
/// error of kind data, which names `file`.
[[nodiscard]] result<void> assign_npy_samples(npy_array array, bool channels_last, const std::string& file,
                                              dataset& set);
/// The same of an array that stays in its file; images must have their channels first. Its values are not
/// looked at yet.
[[nodiscard]] result<void> assign_mapped_samples(mapped_npy array, const std::string& file, dataset& set);

} // namespace triage
