#include "core/formats/files.hpp"
#include "core/formats/formats.hpp"
#include "core/formats/text.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>

namespace triage {

namespace {

/// The binary version of the CIFAR page: records of label bytes, then 3 planes of 32 x 32 pixels.
constexpr std::size_t pixels = 3 * 32 * 32;
constexpr std::size_t records_at_once = 256;

struct record_layout {
  std::size_t label_bytes; ///< before the pixels of each record
  std::size_t label_at;    ///< which of them is used
  std::int64_t classes;
};

/// Appends the records of one file to the set.
result<void> append_records(const std::string& path, const record_layout& layout, dataset& set) {
  auto opened = input_file::open(path);
  if (!opened.ok())
    return opened.error();
  input_file file = opened.take();
  const std::size_t record = layout.label_bytes + pixels;
  std::vector<std::uint8_t> buffer(record * records_at_once);
  while (true) {
    auto got = file.read_some(buffer);
    if (!got.ok())
      return got.error();
    if (*got % record != 0)
      return file.problem(
          fmt::format("ends inside a record: {} bytes are no multiple of {}; it is truncated, or not in "
                      "this format's binary version",
                      file.position(), record));
    for (std::size_t at = 0; at < *got; at += record) {
      const std::uint8_t* r = buffer.data() + at;
      const std::int32_t label = r[layout.label_at];
      if (label >= layout.classes)
        return file.problem(
            fmt::format("label {} of record {} is out of range for {} classes; is it in another format?",
                        label, (file.position() - *got + at) / record, layout.classes));
      set.labels.push_back(label);
      set.bytes.insert(set.bytes.end(), r + layout.label_bytes, r + record);
    }
    if (*got < buffer.size())
      break;
  }
  set.size = set.labels.size();
  return {};
}

result<dataset> read_records(const std::vector<std::string>& paths, const record_layout& layout) {
  dataset set;
  set.shape = {3, 32, 32};
  set.classes = layout.classes;
  std::uint64_t plain_bytes = 0;
  for (const auto& path : paths) {
    std::error_code ec;
    if (const auto size = std::filesystem::file_size(path, ec); !ec)
      plain_bytes += size;
  }
  // Right for plain files and harmless for packed ones: growing by doubling would need the memory twice.
  set.bytes.reserve(std::min<std::uint64_t>(plain_bytes, std::uint64_t{1} << 33U));
  for (const auto& path : paths)
    if (auto read = append_records(path, layout, set); !read.ok())
      return read.error();
  if (set.size == 0)
    return data_error(fmt::format("{}: holds no records", join_names(paths)));
  return set;
}

/// One name a line, as the archives have them beside the records. Nothing where there is no such file, or
/// another number of names: they are for people only.
std::vector<std::string> read_class_names(const std::string& path, std::int64_t classes) {
  std::error_code ec;
  if (!std::filesystem::exists(path, ec))
    return {};
  const auto text = read_text_file(path);
  if (!text.ok())
    return {};
  std::vector<std::string> names;
  for (std::size_t at = 0; at < text->size();) {
    const auto end = std::min(text->find('\n', at), text->size());
    auto line = trim(std::string_view(*text).substr(at, end - at));
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    if (!line.empty())
      names.emplace_back(line);
    at = end + 1;
  }
  return names.size() == static_cast<std::size_t>(classes) ? names : std::vector<std::string>{};
}

class cifar_format : public dataset_format {
public:
  [[nodiscard]] result<loaded_data> load(const data_source& source) const override {
    std::vector<std::string> train;
    std::vector<std::string> test;
    if (!source.train.empty()) {
      train.push_back(resolve_path(source, source.train));
    } else if (auto found = find_files(source.path, train, test); !found.ok()) {
      return found.error();
    }
    if (!source.test.empty())
      test = {resolve_path(source, source.test)};
    auto train_set = read_records(train, layout());
    if (!train_set.ok())
      return train_set.error();
    loaded_data out{train_set.take(), std::nullopt, {}};
    if (!test.empty()) {
      auto test_set = read_records(test, layout());
      if (!test_set.ok())
        return test_set.error();
      out.test = test_set.take();
    }
    const auto folder = std::filesystem::path(train.front()).parent_path();
    out.names.classes = read_class_names((folder / class_names()).string(), layout().classes);
    return out;
  }

protected:
  [[nodiscard]] virtual record_layout layout() const = 0;
  [[nodiscard]] virtual std::vector<std::string> train_names() const = 0;
  [[nodiscard]] virtual std::string test_name() const = 0;
  /// The file of the names of the classes.
  [[nodiscard]] virtual std::string class_names() const = 0;
  /// What the published archive unpacks to.
  [[nodiscard]] virtual std::string subfolder() const = 0;

private:
  result<void> find_files(const std::string& path, std::vector<std::string>& train,
                          std::vector<std::string>& test) const {
    const auto names = train_names();
    const auto wanted = fmt::format("{} and {}, plain or .gz", join_names(names), test_name());
    if (auto folder = require_folder(path, wanted); !folder.ok())
      return folder.error();
    const std::vector<std::string> first = {names.front()};
    const auto below = (std::filesystem::path(path) / subfolder()).string();
    const auto folder =
        find_in_folder(path, first).empty() && !find_in_folder(below, first).empty() ? below : path;
    std::vector<std::string> missing;
    for (const auto& name : names) {
      train.push_back(find_in_folder(folder, std::vector<std::string>{name}));
      if (train.back().empty())
        missing.push_back(name);
    }
    if (!missing.empty())
      return data_error(
          fmt::format("{}: contains no {} (plain or .gz; the binary version is needed, not the Python "
                      "one); a single file is named by \"train\"",
                      folder, join_names(missing, ", no ")));
    test.push_back(find_in_folder(folder, std::vector<std::string>{test_name()}));
    if (test.back().empty())
      test.clear();
    return {};
  }
};

class cifar10_format final : public cifar_format {
protected:
  [[nodiscard]] record_layout layout() const override { return {1, 0, 10}; }
  [[nodiscard]] std::vector<std::string> train_names() const override {
    return {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
            "data_batch_5.bin"};
  }
  [[nodiscard]] std::string test_name() const override { return "test_batch.bin"; }
  [[nodiscard]] std::string class_names() const override { return "batches.meta.txt"; }
  [[nodiscard]] std::string subfolder() const override { return "cifar-10-batches-bin"; }
};

class cifar100_format final : public cifar_format {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "labels", .doc = "100 fine or 20 coarse classes", .choices = {"fine", "coarse"}},
            labels_);
  }

protected:
  [[nodiscard]] record_layout layout() const override {
    return labels_ == "fine" ? record_layout{2, 1, 100} : record_layout{2, 0, 20};
  }
  [[nodiscard]] std::vector<std::string> train_names() const override { return {"train.bin"}; }
  [[nodiscard]] std::string test_name() const override { return "test.bin"; }
  [[nodiscard]] std::string class_names() const override { return labels_ + "_label_names.txt"; }
  [[nodiscard]] std::string subfolder() const override { return "cifar-100-binary"; }

private:
  std::string labels_ = "fine";
};

} // namespace

std::unique_ptr<dataset_format> make_cifar10_format() {
  return std::make_unique<cifar10_format>();
}
std::unique_ptr<dataset_format> make_cifar100_format() {
  return std::make_unique<cifar100_format>();
}

} // namespace triage
