#pragma once

#include "core/mapped_file.hpp"
#include "core/options.hpp"
#include "core/registry.hpp"
#include "core/result.hpp"
#include "core/shape.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace triage {

/// Where the samples of a set lie: in memory one after the other, or at any rows of a mapped file.
template <class T>
struct sample_rows {
  const T* values = nullptr;
  std::size_t width = 0;               ///< values of a sample
  std::span<const std::uint32_t> rows; ///< of each sample; empty: sample i is row i
  [[nodiscard]] const T* operator[](std::size_t sample) const {
    return values + (rows.empty() ? sample : rows[sample]) * width;
  }
  [[nodiscard]] std::span<const T> sample(std::size_t i) const { return {(*this)[i], width}; }
};

/// Samples that stay in their file.
struct mapped_samples {
  std::shared_ptr<const mapped_file> file; ///< null: there are none
  std::size_t offset = 0;                  ///< of the first row
  bool floats = false;                     ///< else bytes
};

/// Samples and their targets, as stored: bytes stay bytes (pixels are not inflated to float).
/// A sample's position is its stable index: nothing reorders a data set after loading.
/// Immutable once loaded; any thread may read it.
struct dataset {
  sample_shape shape;
  std::size_t size = 0;
  // In memory size * shape.size() values of one of the two types; none where samples are mapped.
  std::vector<std::uint8_t> bytes;
  std::vector<float> floats;
  mapped_samples mapped;
  /// Where each sample was in its file or what was generated; copies are where the first was. Empty: 0, 1, …
  std::vector<std::uint32_t> rows;

  std::int64_t classes = 0;         ///< classification: number of classes; regression: 0
  std::vector<std::int32_t> labels; ///< classification: one per sample, in [0, classes)
  std::int64_t outputs = 0;         ///< regression: values per sample; classification: 0
  std::vector<float> targets;       ///< regression: size * outputs

  [[nodiscard]] bool is_mapped() const { return mapped.file != nullptr; }
  [[nodiscard]] bool is_bytes() const { return is_mapped() ? !mapped.floats : !bytes.empty(); }
  /// Precondition: is_bytes(), or not. Valid while the set is.
  [[nodiscard]] sample_rows<std::uint8_t> byte_rows() const;
  [[nodiscard]] sample_rows<float> float_rows() const;
  [[nodiscard]] bool is_classification() const { return classes > 0; }
  /// The width of the network's output: classes or outputs.
  [[nodiscard]] std::int64_t target_width() const { return is_classification() ? classes : outputs; }
  [[nodiscard]] std::size_t row_of(std::size_t sample) const { return rows.empty() ? sample : rows[sample]; }
  /// Of one sample in the mapped file.
  [[nodiscard]] std::size_t mapped_row_bytes() const;
  /// In memory: without what stays in a file.
  [[nodiscard]] std::size_t stored_bytes() const;
};

/// x -> x * scale[c] + shift[c] for channel c (a feature is a channel of a vector).
struct standardisation {
  std::vector<float> scale;
  std::vector<float> shift;
};

/// From the mean and deviation of each channel over the set. A channel without spread is only centred (bytes
/// are divided by 255 as well). When `enabled` is false, bytes are divided by 255 and floats are left alone.
[[nodiscard]] standardisation measure_standardisation(const dataset& set, bool enabled);

/// Writes the standardised samples `ids`, in order, to `out` (ids.size() * shape.size() floats).
/// Precondition: every id is below set.size. Allocates nothing.
void gather_samples(const dataset& set, const standardisation& s, std::span<const std::uint32_t> ids,
                    std::span<float> out);

/// What people call things; empty where the source has no names. For inputs and reports only.
struct data_names {
  std::vector<std::string> features;        ///< one per value of a sample, from a header
  std::vector<std::string> classes;         ///< one per class, where classes are not called by their numbers
  std::vector<std::string> outputs;         ///< of a regression, one per output, from a header
  std::optional<std::uint64_t> first_index; ///< of the first feature, where features are called by numbers

  /// The class's name, or its number.
  [[nodiscard]] std::string of_class(std::int32_t label) const;
};

/// What a format reader returns; `test` is absent when the source has none.
struct loaded_data {
  dataset train;
  std::optional<dataset> test;
  data_names names;
};

/// Where a format finds its files.
struct data_source {
  std::string path;       ///< a folder in the format's published layout (or empty)
  std::string train;      ///< an explicit training file (or empty)
  std::string test;       ///< an explicit test file (or empty)
  std::uint64_t seed = 1; ///< for formats that generate
};

/// Reads one data format. Anything malformed (missing, truncated, absurd header numbers, non-finite values,
/// labels out of range) is an error of kind `data` that names the file, never a crash or a huge allocation.
class dataset_format : public configurable {
public:
  /// What is wrong with the options as they stand together, without touching a file.
  [[nodiscard]] virtual result<void> check() const { return {}; }
  /// False for formats that generate: they need neither "path" nor "train".
  [[nodiscard]] virtual bool reads_files() const { return true; }
  [[nodiscard]] virtual result<loaded_data> load(const data_source& source) const = 0;
};

using dataset_format_factory = std::unique_ptr<dataset_format> (*)();
/// idx, cifar10, cifar100, csv, tsv, libsvm, npy, synthetic.
[[nodiscard]] registry_table<dataset_format_factory> dataset_formats();

/// Whether a set keeps what `dataset` promises: sizes fit together, labels are in range, values are finite.
/// `name` says which set for the message, an error of kind `data`.
[[nodiscard]] result<void> check_dataset(const dataset& set, const std::string& name);

/// What the values of samples are.
struct value_kind {
  bool bytes = false;
  float smallest = 0.0F; ///< of floats
  float largest = 0.0F;
};
/// Looks at some thousand samples; of an empty set: floats that are all 0.
[[nodiscard]] value_kind kind_of(const dataset& set);
/// Whether a model that is trained on the one can be fed the other. Bytes and floats mix only where the
/// floats are from 0 to 255, as bytes are, and not from 0 to 1. `name` says which the other is, for the
/// message.
[[nodiscard]] result<void> check_same_kind(const value_kind& trained, const dataset& other,
                                           const std::string& name);

/// The options of the "data" object that every format has.
struct common_data_options : configurable {
  std::string format;
  std::string path;
  std::string train;
  std::string test;
  bool standardize = true;
  double validation_fraction = 0.0;
  double test_fraction = 0.2;

  void visit(option_visitor& v) override;
};

/// Training, validation (may be empty) and test set of a run, with the standardisation measured on the
/// training set and a fingerprint (SHA-256, hex) over contents, shapes and split.
struct data_splits {
  dataset train;
  dataset validation;
  dataset test;
  standardisation standard;
  data_names names;
  value_kind kind; ///< of the training samples
  std::string fingerprint;
};

/// Reads the "data" object of a run description: common options plus those of the format it names, loads
/// the data, holds out `validation_fraction` of the training set (seeded, stratified for classification)
/// and, when the source has no test set, `test_fraction` for the test. Resolved options go to `resolved`.
[[nodiscard]] result<data_splits> load_data(const json_value& json, const json_place& place,
                                            std::uint64_t seed, json_value* resolved);

/// Reads the options only, without touching a file: what `load_data` would complain about in the description.
[[nodiscard]] result<json_value> check_data_description(const json_value& json, const json_place& place);

} // namespace triage
