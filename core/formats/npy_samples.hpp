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
/// What single precision leaves of the columns of numbers that become floats and may not be ones; empty where
/// nothing can be lost, and for images.
[[nodiscard]] std::vector<single_rounding> npy_roundings(const npy_array& array);
/// An error where it leaves too little. Of training data: a small test set's may lie close together.
[[nodiscard]] result<void> check_npy_precision(const std::vector<single_rounding>& roundings,
                                               const std::string& file);
/// The same of an array that stays in its file; images must have their channels first. Its values are not
/// looked at yet.
[[nodiscard]] result<void> assign_mapped_samples(mapped_npy array, const std::string& file, dataset& set);

} // namespace triage
