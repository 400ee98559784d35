#include "core/npy.hpp"
#include "core/rng.hpp"
#include "tests/core/data_support.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <functional>
#include <string>
#include <vector>

// Random data sets, written as each format says, come back sample by sample. The writers here are independent
// of the readers and know nothing but the formats' descriptions.

using namespace triage;
using namespace triage::test;

namespace {

/// What a format has to give back.
struct original {
  sample_shape shape;
  std::size_t size = 0;
  std::int64_t classes = 0;
  std::vector<std::uint8_t> bytes;
  std::vector<float> floats;
  std::vector<std::int32_t> labels;
};

/// Every class occurs, so that the number of classes can be seen in the data.
std::vector<std::int32_t> labels_of(rng& random, std::size_t n, std::int64_t classes) {
  std::vector<std::int32_t> labels(n);
  for (std::size_t i = 0; i < n; ++i)
    labels[i] = i < static_cast<std::size_t>(classes)
                    ? static_cast<std::int32_t>(i)
                    : static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(classes)));
  shuffle(labels, random);
  return labels;
}

original random_images(rng& random, sample_shape shape, std::int64_t classes) {
  original o{shape, static_cast<std::size_t>(classes) + random.below(20), classes, {}, {}, {}};
  o.labels = labels_of(random, o.size, classes);
  o.bytes.resize(o.size * static_cast<std::size_t>(shape.size()));
  for (auto& b : o.bytes)
    b = static_cast<std::uint8_t>(random.below(256));
  return o;
}

original random_table(rng& random, std::int64_t classes) {
  original o{{1 + static_cast<std::int64_t>(random.below(6)), 1, 1},
             static_cast<std::size_t>(classes) + random.below(20),
             classes,
             {},
             {},
             {}};
  o.labels = labels_of(random, o.size, classes);
  o.floats.resize(o.size * static_cast<std::size_t>(o.shape.channels));
  for (auto& f : o.floats)
    switch (random.below(5)) {
    case 0:
      f = static_cast<float>(static_cast<int>(random.below(2000)) - 1000);
      break;
    case 1:
      f = static_cast<float>(random.normal() * 1e30);
      break;
    case 2:
      f = static_cast<float>(random.normal() * 1e-40); // denormal
      break;
    case 3:
      f = 0.0F;
      break;
    default:
      f = static_cast<float>(random.normal());
    }
  return o;
}

/// The training set of a description is the original, in its order.
void check_loaded(const std::string& description, const original& o) {
  CAPTURE(description);
  const auto data = load(description);
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  const dataset& set = data->train;
  CHECK(set.size == o.size);
  CHECK(to_string(set.shape) == to_string(o.shape));
  CHECK(set.classes == o.classes);
  CHECK(set.bytes == o.bytes);
  CHECK(set.floats == o.floats);
  CHECK(set.labels == o.labels);
}

std::string text_of(const std::vector<std::uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}

std::string labels_text(const std::vector<std::int32_t>& labels) {
  std::string out;
  for (const auto l : labels)
    out += static_cast<char>(l);
  return out;
}

/// A number in one of the forms that people and programs write.
std::string written(rng& random, float value) {
  switch (random.below(4)) {
  case 0:
    return fmt::format("{}", value); // the shortest that reads back
  case 1:
    return fmt::format("{:.9e}", value);
  case 2:
    return (value >= 0.0F ? "+" : "") + fmt::format("{:.12G}", value);
  default:
    return "\t " + fmt::format("{}", value) + " \t";
  }
}

std::string random_space(rng& random) {
  return std::string(random.below(3), ' ');
}

} // namespace

TEST_CASE("round trip: idx, images of any size") {
  rng random(1, 0);
  for (int round = 0; round < 50; ++round) {
    const auto h = 1 + static_cast<std::int64_t>(random.below(5));
    const auto w = 2 + static_cast<std::int64_t>(random.below(5));
    const auto o = random_images(random, {1, h, w}, 2 + static_cast<std::int64_t>(random.below(9)));
    const temp_folder folder;
    const auto n = static_cast<std::uint32_t>(o.size);
    const auto images =
        idx_file({n, static_cast<std::uint32_t>(h), static_cast<std::uint32_t>(w)}, text_of(o.bytes));
    folder.write("a-images-idx3-ubyte", random.below(2) == 0 ? gzip(images) : images);
    folder.write("a-labels-idx1-ubyte", idx_file({n}, labels_text(o.labels)));
    check_loaded(
        "{'format': 'idx', 'train': '" + folder.path("a-images-idx3-ubyte") + "', 'test_fraction': 0}", o);
  }
}

TEST_CASE("round trip: cifar10 and both label sets of cifar100") {
  rng random(2, 0);
  for (const std::string format : {"cifar10", "cifar100"})
    for (const bool coarse : {false, true}) {
      if (coarse && format == "cifar10")
        continue;
      const std::int64_t classes = format == "cifar10" ? 10 : coarse ? 20 : 100;
      auto o = random_images(random, {3, 32, 32}, classes);
      std::string file;
      for (std::size_t i = 0; i < o.size; ++i) {
        const auto label = static_cast<char>(o.labels[i]);
        const auto other = static_cast<char>(random.below(coarse ? 100 : 20));
        if (format == "cifar100")
          file += coarse ? std::string{label, other} : std::string{other, label}; // coarse stands first
        else
          file += label;
        file += text_of(o.bytes).substr(3072 * i, 3072);
      }
      const temp_folder folder;
      check_loaded(
          "{'format': '" + format + "', 'train': '" + folder.write("x.bin", file) + "', 'test_fraction': 0" +
              (format == "cifar100" ? std::string(", 'labels': '") + (coarse ? "coarse" : "fine") + "'"
                                    : "") +
              "}",
          o);
    }
}

TEST_CASE(
    "round trip: csv and tsv, with and without header, any delimiter, quotes, line ends and label column") {
  rng random(3, 0);
  for (int round = 0; round < 300; ++round) {
    const auto o = random_table(random, 2 + static_cast<std::int64_t>(random.below(4)));
    const auto width = static_cast<std::size_t>(o.shape.channels);
    const bool tabs = random.below(3) == 0;
    const char delimiter = tabs ? '\t' : ",;|:"[random.below(4)];
    const std::size_t at = random.below(width + 1);
    const bool header = random.below(2) == 0;
    const std::string end = random.below(2) == 0 ? "\n" : "\r\n";
    const auto row_of = [&](const std::function<std::string(std::size_t)>& feature,
                            const std::string& label) {
      std::string row;
      for (std::size_t c = 0, f = 0; c <= width; ++c) {
        if (c > 0)
          row += delimiter;
        std::string cell = c == at ? label : feature(f++);
        if (tabs) // a tab is no space between tabs
          std::replace(cell.begin(), cell.end(), '\t', ' ');
        row += random.below(4) == 0 ? '"' + cell + '"' : cell;
      }
      return row + end;
    };
    std::string file = random.below(3) == 0 ? "\xEF\xBB\xBF" : "";
    if (header)
      file += row_of([](std::size_t f) { return "f" + std::to_string(f); }, "kind");
    for (std::size_t i = 0; i < o.size; ++i)
      file += row_of([&](std::size_t f) { return written(random, o.floats[i * width + f]); },
                     std::to_string(o.labels[i]));
    if (random.below(2) == 0)
      file.resize(file.size() - end.size()); // no line end at the end of the file
    CAPTURE(file);
    const temp_folder folder;
    const std::string format = tabs ? "'tsv'" : std::string("'csv', 'delimiter': '") + delimiter + "'";
    const std::string label = header && random.below(2) == 0 ? "'kind'" : std::to_string(at);
    check_loaded("{'format': " + format + ", 'train': '" + folder.write("x.txt", file) +
                     "', 'label_column': " + label + ", 'header': '" + (header ? "yes" : "no") +
                     "', 'task': 'classification', 'test_fraction': 0}",
                 o);
  }
}

TEST_CASE(
    "round trip: libsvm leaves out zeros, counts from 0 or 1, and takes spaces, comments and blank lines") {
  rng random(4, 0);
  for (int round = 0; round < 300; ++round) {
    auto o = random_table(random, 2 + static_cast<std::int64_t>(random.below(4)));
    const auto width = static_cast<std::size_t>(o.shape.channels);
    const bool zero_based = random.below(2) == 0;
    std::string file;
    for (std::size_t i = 0; i < o.size; ++i) {
      file += std::to_string(o.labels[i]);
      for (std::size_t f = 0; f < width; ++f) {
        const float value = o.floats[i * width + f];
        if (value != 0.0F || random.below(3) == 0)
          file += " " + random_space(random) + std::to_string(f + (zero_based ? 0 : 1)) + ":" +
                  fmt::format("{}", value);
      }
      file += random.below(4) == 0 ? " # a comment 1:2\n" : random_space(random) + "\n";
      if (random.below(6) == 0)
        file += "\n";
    }
    CAPTURE(file);
    const temp_folder folder;
    check_loaded("{'format': 'libsvm', 'train': '" + folder.write("x.libsvm", file) + "', 'zero_based': '" +
                     (zero_based ? "yes" : "no") + "', 'features': " + std::to_string(width) +
                     ", 'task': 'classification', 'test_fraction': 0}",
                 o);
  }
}

TEST_CASE("round trip: npy, bytes and floats, images with channels in front and behind") {
  rng random(5, 0);
  for (int round = 0; round < 60; ++round) {
    const std::int64_t c = 1 + static_cast<std::int64_t>(random.below(4));
    const std::int64_t h = 2 + static_cast<std::int64_t>(random.below(4));
    const std::int64_t w = 2 + static_cast<std::int64_t>(random.below(4));
    auto o = random_images(random, {c, h, w}, 3);
    const bool last = random.below(2) == 0;
    const auto n = static_cast<std::int64_t>(o.size);
    std::vector<std::uint8_t> stored = o.bytes;
    if (last)
      for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t k = 0; k < c; ++k)
          for (std::int64_t p = 0; p < h * w; ++p)
            stored[static_cast<std::size_t>((i * h * w + p) * c + k)] =
                o.bytes[static_cast<std::size_t>((i * c + k) * h * w + p)];
    const std::vector<std::int64_t> shape =
        last ? std::vector<std::int64_t>{n, h, w, c} : std::vector{n, c, h, w};
    const temp_folder folder;
    const bool as_floats = random.below(2) == 0;
    std::vector<float> floats(stored.begin(), stored.end());
    if (as_floats) {
      o.floats.assign(o.bytes.begin(), o.bytes.end());
      o.bytes.clear();
    }
    folder.write("x.npy", as_floats ? encode_npy(shape, std::span<const float>(floats))
                                    : encode_npy(shape, std::span<const std::uint8_t>(stored)));
    const std::vector<std::int64_t> labels(o.labels.begin(), o.labels.end());
    folder.write("x_labels.npy", encode_npy({n}, std::span<const std::int64_t>(labels)));
    check_loaded("{'format': 'npy', 'train': '" + folder.path("x.npy") +
                     "', 'channels_last': " + (last ? "true" : "false") + ", 'test_fraction': 0}",
                 o);
  }
}
