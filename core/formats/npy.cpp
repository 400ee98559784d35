#include "core/excerpt.hpp"
#include "core/formats/files.hpp"
#include "core/formats/formats.hpp"
#include "core/formats/mapping_option.hpp"
#include "core/formats/npy_samples.hpp"
#include "core/npz.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

namespace triage {

namespace {

constexpr const char* default_x_test = "x_test";
constexpr const char* default_y_test = "y_test";

error problem(const std::string& file, const std::string& why) {
  return data_error(fmt::format("{}: {}", file, why));
}

result<void> assign_labels(std::vector<std::int64_t> labels, const std::string& file, dataset& set) {
  constexpr std::int64_t most_classes = 1'000'000;
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (labels[i] < 0 || labels[i] >= most_classes)
      return problem(file, fmt::format("label {} of sample {} is out of range; classes are counted from 0",
                                       labels[i], i));
  set.labels.assign(labels.begin(), labels.end());
  set.classes = *std::max_element(labels.begin(), labels.end()) + 1;
  return {};
}

result<void> assign_targets(npy_array array, const std::string& file, dataset& set) {
  const auto& shape = array.shape;
  if (shape.empty() || shape.size() > 2 || static_cast<std::size_t>(shape[0]) != set.size)
    return problem(file, fmt::format("targets have the shape [{}], but there are {} samples",
                                     fmt::join(shape, ", "), set.size));
  const std::int64_t width = shape.size() == 2 ? shape[1] : 1;
  if (auto* floats = std::get_if<std::vector<float>>(&array.values)) {
    if (width < 1)
      return problem(file, "targets have no values");
    set.outputs = width;
    set.targets = std::move(*floats);
    const auto at =
        std::find_if(set.targets.begin(), set.targets.end(), [](float v) { return !std::isfinite(v); });
    if (at != set.targets.end())
      return problem(
          file, fmt::format("the target of sample {} is not finite", (at - set.targets.begin()) / width));
    return {};
  }
  if (width != 1)
    return problem(file, "integer targets are classes: one per sample");
  if (auto* bytes = std::get_if<std::vector<std::uint8_t>>(&array.values))
    return assign_labels({bytes->begin(), bytes->end()}, file, set);
  return assign_labels(std::get<std::vector<std::int64_t>>(std::move(array.values)), file, set);
}

std::string excerpt_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 20;
  std::vector<std::string> shown;
  for (const auto& name : names)
    if (shown.size() < most)
      shown.push_back(excerpt(name, 40));
  return fmt::format("{}{}", fmt::join(shown, ", "), names.size() > most ? ", …" : "");
}

class npy_format : public dataset_format {
public:
  void visit(option_visitor& v) override {
    v.field(
        {.name = "train_labels", .doc = "targets of the training .npy; default: NAME_labels.npy beside it"},
        train_labels_);
    v.field({.name = "test_labels", .doc = "targets of the test .npy; default: NAME_labels.npy beside it"},
            test_labels_);
    v.field({.name = "channels_last", .doc = "images are (n, h, w, c) instead of (n, c, h, w)"},
            channels_last_);
    map_.visit(v);
    v.field({.name = "x_train", .doc = "array of training samples in an archive"}, x_train_);
    v.field({.name = "y_train", .doc = "array of training targets in an archive"}, y_train_);
    v.field({.name = "x_test", .doc = "array of test samples in an archive"}, x_test_);
    v.field({.name = "y_test", .doc = "array of test targets in an archive"}, y_test_);
  }

  [[nodiscard]] result<void> check() const override {
    if (std::set<std::string_view>{x_train_, y_train_, x_test_, y_test_}.size() != 4)
      return configuration_error(
          "\"x_train\", \"y_train\", \"x_test\" and \"y_test\" must name four different arrays");
    return {};
  }

  [[nodiscard]] result<loaded_data> load(const data_source& source) const override {
    const std::string train = source.train.empty() ? source.path : resolve_path(source, source.train);
    if (train.ends_with(".npz")) {
      if (!source.test.empty())
        return problem(source.test, "cannot stand beside an archive: put x_test and y_test into the archive");
      return load_archive(train);
    }
    if (!train.ends_with(".npy"))
      return problem(train, "must be a .npz archive with arrays of samples and targets, or a .npy file");
    loaded_data out;
    if (auto set = load_pair(train, labels_file(source, train_labels_, train), part::train, out.train);
        !set.ok())
      return set.error();
    if (!source.test.empty()) {
      const std::string test = resolve_path(source, source.test);
      if (!test.ends_with(".npy"))
        return problem(test, "must be a .npy file, like the training file");
      if (auto set = load_pair(test, labels_file(source, test_labels_, test), part::test, out.test.emplace());
          !set.ok())
        return set.error();
    }
    return finish(std::move(out), train);
  }

private:
  static std::string labels_file(const data_source& source, const std::string& given,
                                 const std::string& samples) {
    return given.empty() ? samples.substr(0, samples.size() - 4) + "_labels.npy"
                         : resolve_path(source, given);
  }

  enum class part : std::uint8_t { train, test };

  result<void> assign(npy_array samples, npy_array targets, const std::string& x_name,
                      const std::string& y_name, part of, dataset& set) const {
    const auto roundings = npy_roundings(samples);
    if (auto done = assign_npy_samples(std::move(samples), channels_last_, x_name, set); !done.ok())
      return done;
    if (of == part::train)
      if (auto precise = check_npy_precision(roundings, x_name); !precise.ok())
        return precise;
    return assign_checked(std::move(targets), y_name, of, set);
  }

  /// Integer targets are classes and stay what they are.
  static result<void> assign_checked(npy_array targets, const std::string& name, part of, dataset& set) {
    const auto roundings = targets.roundings;
    if (auto done = assign_targets(std::move(targets), name, set); !done.ok())
      return done;
    return of == part::train ? check_npy_precision(roundings, name) : result<void>();
  }

  result<void> load_pair(const std::string& x_file, const std::string& y_file, part of, dataset& set) const {
    auto mapped = map_samples(x_file, set);
    if (!mapped.ok())
      return mapped.error();
    auto y = read_npy(y_file);
    if (!y.ok())
      return y.error();
    if (*mapped)
      return assign_checked(y.take(), y_file, of, set);
    auto x = read_npy(x_file);
    if (!x.ok())
      return x.error();
    return assign(x.take(), y.take(), x_file, y_file, of, set);
  }

  /// False: they are to be read instead.
  result<bool> map_samples(const std::string& file, dataset& set) const {
    std::error_code unknown; // then reading says what is wrong
    const auto size = std::filesystem::file_size(file, unknown);
    if (unknown || !map_.wanted(size))
      return false;
    auto array = map_npy(file);
    if (!array.ok())
      return array.error();
    const bool as_it_is = *array && !(channels_last_ && (*array)->shape.size() == 4);
    if (!as_it_is && map_.demanded())
      return problem(file, "cannot be mapped: only float32 (from a multiple of 4 bytes on) and uint8 can "
                           "stay in a file, images with their channels "
                           "first; convert it, or set \"map\" to \"auto\"");
    if (!as_it_is)
      return false;
    if (auto assigned = assign_mapped_samples(std::move(**array), file, set); !assigned.ok())
      return assigned.error();
    return true;
  }

  result<loaded_data> load_archive(const std::string& path) const {
    if (map_.demanded())
      return problem(path,
                     "is an archive and cannot be mapped; save the arrays as .npy files, or set \"map\" to "
                     "\"auto\"");
    const auto names = names_in_npz(path);
    if (!names.ok())
      return names.error();
    const auto has = [&](const std::string& name) {
      return std::find(names->begin(), names->end(), name) != names->end();
    };
    // A test set may be absent, but not one that was asked for by name.
    const bool wants_test =
        x_test_ != default_x_test || y_test_ != default_y_test || has(x_test_) || has(y_test_);
    std::vector<std::string> wanted = {x_train_, y_train_};
    if (wants_test)
      wanted.insert(wanted.end(), {x_test_, y_test_});
    auto arrays = read_npz(path, wanted);
    if (!arrays.ok())
      return arrays.error();
    const auto find = [&](const std::string& name) -> npy_array* {
      const auto at =
          std::find_if(arrays->begin(), arrays->end(), [&](const auto& a) { return a.first == name; });
      return at == arrays->end() ? nullptr : &at->second;
    };
    const auto load = [&](const std::string& x, const std::string& y, part of, dataset& set) -> result<void> {
      for (const auto& name : {x, y})
        if (find(name) == nullptr)
          return problem(path, fmt::format("has no array {}; it has: {}", name, excerpt_of(*names)));
      return assign(std::move(*find(x)), std::move(*find(y)), fmt::format("{}[{}]", path, x),
                    fmt::format("{}[{}]", path, y), of, set);
    };
    loaded_data out;
    if (auto set = load(x_train_, y_train_, part::train, out.train); !set.ok())
      return set.error();
    if (wants_test)
      if (auto set = load(x_test_, y_test_, part::test, out.test.emplace()); !set.ok())
        return set.error();
    return finish(std::move(out), path);
  }

  /// Train and test must agree; the classes are those of the training set.
  static result<loaded_data> finish(loaded_data data, const std::string& file) {
    if (!data.test)
      return data;
    if (!(data.test->shape == data.train.shape) || data.test->outputs != data.train.outputs)
      return problem(file, "training and test samples have different shapes or targets");
    if (data.test->classes > data.train.classes)
      return problem(file, "the test set has classes that the training set does not have");
    data.test->classes = data.train.classes;
    return data;
  }

  std::string train_labels_;
  std::string test_labels_;
  std::string x_train_ = "x_train";
  std::string y_train_ = "y_train";
  std::string x_test_ = default_x_test;
  std::string y_test_ = default_y_test;
  bool channels_last_ = false;
  mapping_option map_;
};

} // namespace

std::unique_ptr<dataset_format> make_npy_format() {
  return std::make_unique<npy_format>();
}

} // namespace triage
