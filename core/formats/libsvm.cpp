#include "core/formats/files.hpp"
#include "core/formats/formats.hpp"
#include "core/formats/libsvm_parser.hpp"
#include "core/formats/text.hpp"
#include "core/single_rounding.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace triage {

namespace {

struct libsvm_file {
  libsvm_file() = default;
  libsvm_file(const libsvm_file&) = delete; // the labels point into the text
  libsvm_file& operator=(const libsvm_file&) = delete;

  std::string text;
  target_cells labels;
  libsvm_summary found;
};

result<void> read_libsvm(const std::string& path, libsvm_file& file) {
  auto text = read_text_file(path);
  if (!text.ok())
    return text.error();
  file.text = text.take();
  file.labels.path = path;
  file.labels.columns = {"label"};
  auto found = scan_libsvm(file.text, file.labels);
  if (!found.ok())
    return found.error();
  file.found = *found;
  return {};
}

class libsvm_format final : public dataset_format {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "zero_based",
             .doc = "whether the first feature has index 0; auto: when index 0 occurs",
             .choices = {"auto", "yes", "no"}},
            zero_based_);
    v.field({.name = "features",
             .doc = "number of features; 0: as many as the largest index in the files says",
             .min = 0,
             .max = 1e8},
            features_);
    visit_task(v, task_);
  }

  [[nodiscard]] result<loaded_data> load(const data_source& source) const override {
    auto names = find_file_pair(source, std::vector<std::string_view>{"libsvm", "svm", "txt"});
    if (!names.ok())
      return names.error();
    libsvm_file train;
    if (auto read = read_libsvm(names->train, train); !read.ok())
      return read.error();
    libsvm_file test;
    const bool has_test = !names->test.empty();
    if (has_test)
      if (auto read = read_libsvm(names->test, test); !read.ok())
        return read.error();

    if (zero_based_ == "auto" && has_test && begin_differently(train, test))
      return data_error(
          fmt::format("{} and {} seem to count features differently, one from 0 and one from 1; say "
                      "\"zero_based\": \"yes\" or \"no\", and change the other",
                      names->train, names->test));
    const bool zero = zero_based_ == "yes" || (zero_based_ == "auto" && (has_zero(train) || has_zero(test)));
    const std::uint64_t start = zero ? 0 : 1;
    const std::uint64_t largest = std::max(train.found.largest_index, test.found.largest_index);
    const std::uint64_t features =
        features_ > 0 ? static_cast<std::uint64_t>(features_) : (largest < start ? 0 : largest - start + 1);
    if (features == 0)
      return data_error(fmt::format("{}: holds no features", names->train));

    loaded_data data;
    data.names.first_index = start;
    if (auto done = fill(train, start, features, data.train); !done.ok())
      return done.error();
    if (auto precise = check_precision(train, start, features); !precise.ok())
      return precise.error();
    if (has_test)
      if (auto done = fill(test, start, features, data.test.emplace()); !done.ok())
        return done.error();
    if (auto done = assign_targets(task_, train.labels, has_test ? &test.labels : nullptr, data); !done.ok())
      return done.error();
    return data;
  }

private:
  static bool has_zero(const libsvm_file& file) {
    return file.found.any_feature && file.found.smallest_index == 0;
  }

  /// A file that counts from 0 and one that counts from 1, of the same features.
  static bool begin_differently(const libsvm_file& a, const libsvm_file& b) {
    if (has_zero(a) == has_zero(b) || !a.found.any_feature || !b.found.any_feature)
      return false;
    const auto& from_zero = has_zero(a) ? a.found : b.found;
    const auto& other = has_zero(a) ? b.found : a.found;
    return other.smallest_index == 1 && other.largest_index == from_zero.largest_index + 1;
  }

  static result<void> fill(const libsvm_file& file, std::uint64_t start, std::uint64_t features,
                           dataset& set) {
    const auto& path = file.labels.path;
    if (start == 1 && has_zero(file))
      return data_error(
          fmt::format("{}: has a feature with index 0; set \"zero_based\" to yes or auto", path));
    if (file.found.any_feature && file.found.largest_index - start >= features)
      return data_error(
          fmt::format("{}: has feature {}, but there are only {}; check \"features\" and \"zero_based\"",
                      path, file.found.largest_index, features));
    if (auto fits = check_dense_libsvm(path, file.text.size(), file.found.rows, features); !fits.ok())
      return fits;
    set.shape.channels = static_cast<std::int64_t>(features);
    set.size = file.found.rows;
    set.floats.resize(file.found.rows * features);
    visit_libsvm(file.text, [&](std::uint64_t row, std::uint64_t index, double value) {
      set.floats[row * features + index - start] = static_cast<float>(value);
    });
    return {};
  }

  /// As for columns of CSV files.
  static result<void> check_precision(const libsvm_file& file, std::uint64_t start, std::uint64_t features) {
    constexpr std::size_t shortest_entry = 4; // " 1:2"
    if (features > file.text.size() / shortest_entry)
      return {}; // hardly a feature occurs twice, and this would take more memory than the samples
    struct seen {
      single_rounding values;
      std::uint64_t times = 0;
    };
    std::vector<seen> all(features);
    visit_libsvm(file.text, [&](std::uint64_t, std::uint64_t index, double value) {
      all[index - start].values.add(value);
      ++all[index - start].times;
    });
    for (std::size_t k = 0; k < all.size(); ++k) {
      auto& [r, times] = all[k];
      if (times < file.found.rows)
        r.add(0.0); // what is left out
      if (r.loses_steps())
        return data_error(fmt::format("{}: feature {}: {}; subtract {} from all of them", file.labels.path,
                                      start + k, r.problem(), r.smallest));
    }
    return {};
  }

  std::string zero_based_ = "auto";
  std::int64_t features_ = 0;
  std::string task_ = "auto";
};

} // namespace

std::unique_ptr<dataset_format> make_libsvm_format() {
  return std::make_unique<libsvm_format>();
}

} // namespace triage
