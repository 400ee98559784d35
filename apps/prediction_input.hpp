#pragma once

#include "core/dataset.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace triage {

/// What a model was trained on, as far as new samples must be like it.
struct expected_samples {
  sample_shape shape;
  bool channels_last = false;        ///< of images in .npy files
  char delimiter = ',';              ///< of text files; tabs in those that end in .tsv
  std::vector<std::string> features; ///< the names of the columns; empty: it was trained without names
  /// Of the first feature in LIBSVM files; none: it was trained on another format.
  std::optional<std::uint64_t> first_index = std::nullopt;
  bool tabs = false; ///< in .txt files: it was trained on .tsv
};

struct prediction_input {
  dataset samples;
  std::vector<std::string> ignored_columns; ///< of a text file: no features of the model
};

/// Samples without targets: .npy (numbers, first axis samples, images as in the training data), IDX images,
/// or text (.csv, .tsv, .txt) with one sample a row; all but .npy plain or .gz. A text file whose first row
/// names the features of the model may have its columns in any order, and others beside them; one without
/// names has the columns in the order of the training data. For a model that was trained on LIBSVM data all
/// files are that but .npy, .csv and .tsv, with or without labels; for others .libsvm and .svm are refused.
[[nodiscard]] result<prediction_input> read_prediction_input(const std::string& path,
                                                             const expected_samples& expected);

} // namespace triage
