#include "core/formats/files.hpp"
#include "core/formats/formats.hpp"
#include "core/formats/idx_array.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/format.h>

namespace triage {

namespace {

namespace fs = std::filesystem;

/// "train-images-idx3-ubyte" -> "train-labels-idx1-ubyte", in the file name only.
std::string labels_path_of(const std::string& images) {
  fs::path path(images);
  std::string name = path.filename().string();
  const auto replace = [&](std::string_view from, std::string_view to) {
    const auto at = name.find(from);
    if (at != std::string::npos)
      name.replace(at, from.size(), to);
    return at != std::string::npos;
  };
  if (!replace("images", "labels"))
    return {};
  for (const auto* from : {"idx2", "idx3", "idx4"})
    if (replace(from, "idx1"))
      break;
  return path.replace_filename(name).string();
}

class idx_format : public dataset_format {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "train_labels",
             .doc = "labels of the file \"train\"; empty: its name with images -> labels and idx3 -> idx1"},
            train_labels_);
    v.field({.name = "test_labels", .doc = "labels of the file \"test\"; empty: named alike"}, test_labels_);
    v.field({.name = "classes",
             .doc = "number of classes; 0: the largest training label plus one",
             .min = 0,
             .max = 256},
            classes_);
    map_.visit(v);
  }

  [[nodiscard]] result<loaded_data> load(const data_source& source) const override {
    auto files = find_files(source);
    if (!files.ok())
      return files.error();
    auto train = read_set(files->train_images, files->train_labels, classes_, map_);
    if (!train.ok())
      return train.error();
    loaded_data out{train.take(), std::nullopt, {}};
    if (!files->test_images.empty()) {
      auto test = read_set(files->test_images, files->test_labels, out.train.classes, map_);
      if (!test.ok())
        return test.error();
      out.test = test.take();
    }
    return out;
  }

private:
  struct file_names {
    std::string train_images, train_labels, test_images, test_labels;
  };

  [[nodiscard]] result<file_names> find_files(const data_source& source) const {
    auto files = source.train.empty() ? folder_files(source) : train_files(source);
    if (!files.ok() || source.test.empty())
      return files;
    files->test_images = resolve_path(source, source.test);
    if (test_labels_.empty())
      files->test_labels = labels_path_of(files->test_images);
    if (files->test_labels.empty())
      return no_labels_name(source.test, "test_labels");
    return files;
  }

  static error no_labels_name(const std::string& images, std::string_view option) {
    return configuration_error(fmt::format(
        "{}: the name holds no \"images\" to derive the labels' name from; give \"{}\"", images, option));
  }

  [[nodiscard]] result<file_names> train_files(const data_source& source) const {
    file_names f;
    f.train_images = resolve_path(source, source.train);
    f.train_labels =
        train_labels_.empty() ? labels_path_of(f.train_images) : resolve_path(source, train_labels_);
    if (f.train_labels.empty())
      return no_labels_name(source.train, "train_labels");
    f.test_labels = resolve_path(source, test_labels_);
    return f;
  }

  /// What the folder holds, but for what is named beside it.
  [[nodiscard]] result<file_names> folder_files(const data_source& source) const {
    if (auto folder = require_folder(source.path, "train-images-idx3-ubyte and its like, plain or .gz");
        !folder.ok())
      return folder.error();
    const auto labels = [&](const std::string& given, const char* stem) {
      return given.empty() ? find_array(source.path, stem, "1") : resolve_path(source, given);
    };
    file_names f;
    f.train_images = find_array(source.path, "train-images", "234");
    f.train_labels = labels(train_labels_, "train-labels");
    f.test_images = find_array(source.path, "t10k-images", "234");
    f.test_labels = labels(test_labels_, "t10k-labels");
    std::vector<std::string> missing;
    if (f.train_images.empty())
      missing.emplace_back("train-images-idx3-ubyte");
    if (f.train_labels.empty())
      missing.emplace_back("train-labels-idx1-ubyte");
    if (source.test.empty() && f.test_images.empty() != f.test_labels.empty())
      missing.emplace_back(f.test_images.empty() ? "t10k-images-idx3-ubyte" : "t10k-labels-idx1-ubyte");
    if (!missing.empty())
      return data_error(
          fmt::format("{}: contains no {} (plain or .gz); put it there, or name the files with \"train\" "
                      "and \"test\"",
                      source.path, join_names(missing, " and no ")));
    return f;
  }

  /// The page writes "idx3-ubyte"; unpackers of other systems write "idx3.ubyte" or "idx3-ubyte.idx".
  static std::string find_array(const std::string& folder, const std::string& stem,
                                std::string_view dimensions) {
    std::vector<std::string> names;
    for (const char d : dimensions)
      for (const char* pattern : {"{}-idx{}-ubyte", "{}.idx{}-ubyte", "{}-idx{}.ubyte"})
        names.push_back(fmt::format(fmt::runtime(pattern), stem, d));
    return find_in_folder(folder, names);
  }

  static result<dataset> read_set(const std::string& images_path, const std::string& labels_path,
                                  std::int64_t classes, const mapping_option& map) {
    auto labels = read_idx(labels_path, "labels");
    if (!labels.ok())
      return labels.error();
    if (labels->dimensions.size() != 1)
      return data_error(
          fmt::format("{}: labels have one dimension, this file has {}; were images and labels swapped?",
                      labels_path, labels->dimensions.size()));
    auto images = read_idx(images_path, "images", map);
    if (!images.ok())
      return images.error();
    dataset set;
    set.shape = sample_shape_of(*images);
    set.size = images->dimensions[0];
    if (labels->dimensions[0] != set.size)
      return data_error(
          fmt::format("{}: holds {} labels, but {} holds {} images; they do not belong together", labels_path,
                      labels->dimensions[0], images_path, set.size));
    set.bytes = std::move(images->values);
    set.mapped = {std::move(images->file), images->offset, false};
    const int largest = *std::max_element(labels->values.begin(), labels->values.end());
    set.classes = classes > 0 ? classes : largest + 1;
    if (largest >= set.classes) {
      const auto at = std::find_if(labels->values.begin(), labels->values.end(),
                                   [&](std::uint8_t l) { return l >= set.classes; });
      return data_error(
          fmt::format("{}: label {} of sample {} is out of range for {} classes; check the file, or set "
                      "\"classes\"",
                      labels_path, *at, at - labels->values.begin(), set.classes));
    }
    set.labels.assign(labels->values.begin(), labels->values.end());
    return set;
  }

  std::string train_labels_;
  std::string test_labels_;
  std::int64_t classes_ = 0;
  mapping_option map_;
};

} // namespace

std::unique_ptr<dataset_format> make_idx_format() {
  return std::make_unique<idx_format>();
}

} // namespace triage
