#pragma once

#include "core/dataset.hpp"

#include <string>

namespace triage {

/// Samples without targets, for a model with inputs of `shape`: .npy (numbers, first axis samples, images as
/// in the training data: `channels_last`), IDX images (plain or .gz), or CSV numbers (a header line is
/// skipped when it is one).
[[nodiscard]] result<dataset> read_prediction_input(const std::string& path, const sample_shape& shape,
                                                    bool channels_last = false);

} // namespace triage
