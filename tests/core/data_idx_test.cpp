#include "tests/core/data_support.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

using namespace triage;
using namespace triage::test;

namespace {

std::string with_path(const temp_folder& folder, const std::string& more = {}) {
  return "{'format': 'idx', 'path': '" + folder.path() + "', 'standardize': false" + more + "}";
}

/// Four training and two test images of 2 x 3.
void write_small(const temp_folder& folder) {
  folder.write("train-images-idx3-ubyte", idx_file({4, 2, 3}, counting(24)));
  folder.write("train-labels-idx1-ubyte", idx_file({4}, {"\0\1\2\1", 4}));
  folder.write("t10k-images-idx3-ubyte", idx_file({2, 2, 3}, counting(12)));
  folder.write("t10k-labels-idx1-ubyte", idx_file({2}, {"\2\0", 2}));
}

long peak_kilobytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

} // namespace

TEST_CASE("idx: the published folder layout, plain and gzip") {
  const temp_folder folder;
  write_small(folder);
  SUBCASE("plain") {}
  SUBCASE("gzip") {
    for (const char* name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}) {
      std::ifstream in(folder.path(name), std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(in)), {});
      folder.write(std::string(name) + ".gz", gzip(bytes));
      std::filesystem::remove(folder.path(name));
    }
  }
  const auto data = load(with_path(folder));
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.size == 4);
  CHECK(data->train.shape == sample_shape{1, 2, 3});
  CHECK(data->train.classes == 3);
  CHECK(data->train.labels == std::vector<std::int32_t>{0, 1, 2, 1});
  CHECK(data->train.bytes[23] == 23);
  CHECK(data->test.size == 2);
  CHECK(data->test.labels == std::vector<std::int32_t>{2, 0});
  CHECK(data->standard.scale == std::vector<float>{1.0F / 255.0F});
}

TEST_CASE("idx: explicit files, with derived and with given names of the labels") {
  const temp_folder folder;
  write_small(folder);
  const auto derived = load("{'format': 'idx', 'train': '" + folder.path("train-images-idx3-ubyte") +
                            "', 'test': '" + folder.path("t10k-images-idx3-ubyte") + "'}");
  REQUIRE_MESSAGE(derived.ok(), derived.error().message);
  CHECK(derived->test.size == 2);
  const auto given = load(with_path(folder, ", 'train': 't10k-images-idx3-ubyte', 'train_labels': "
                                            "'t10k-labels-idx1-ubyte', 'test_fraction': 0"));
  REQUIRE_MESSAGE(given.ok(), given.error().message);
  CHECK(given->train.size == 2);
  CHECK(given->test.size == 0);

  folder.write("pixels", idx_file({4, 2, 3}, counting(24)));
  const auto no_name = load(with_path(folder, ", 'train': 'pixels'"));
  REQUIRE(!no_name.ok());
  CHECK(contains(no_name.error().message, "train_labels"));
}

TEST_CASE("idx: files that are named stand in for those of the folder") {
  const temp_folder folder;
  write_small(folder);
  folder.write("other-images-idx3-ubyte", idx_file({1, 2, 3}, counting(6)));
  folder.write("other-labels-idx1-ubyte", idx_file({1}, {"\1", 1}));
  folder.write("more-labels", idx_file({1}, {"\2", 1}));
  folder.write("corrected", idx_file({4}, {"\2\2\0\1", 4}));
  const auto test = load(with_path(folder, ", 'test': 'other-images-idx3-ubyte'"));
  REQUIRE_MESSAGE(test.ok(), test.error().message);
  CHECK(test->train.size == 4);
  CHECK(test->test.labels == std::vector<std::int32_t>{1});
  const auto labels =
      load(with_path(folder, ", 'test': 'other-images-idx3-ubyte', 'test_labels': 'more-labels', "
                             "'train_labels': 'corrected'"));
  REQUIRE_MESSAGE(labels.ok(), labels.error().message);
  CHECK(labels->train.labels == std::vector<std::int32_t>{2, 2, 0, 1});
  CHECK(labels->test.labels == std::vector<std::int32_t>{2});
  folder.write("test-corrected", idx_file({2}, {"\1\1", 2}));
  const auto own_images = load(with_path(folder, ", 'test_labels': 'test-corrected'"));
  REQUIRE_MESSAGE(own_images.ok(), own_images.error().message);
  CHECK(own_images->test.labels == std::vector<std::int32_t>{1, 1});
  CHECK(
      contains(data_problem(load(with_path(folder, ", 'test': 'no-images-idx3-ubyte'"))), "no-labels-idx1"));
  // Half a test set in the folder does not matter to one that is named.
  std::filesystem::remove(folder.path("t10k-labels-idx1-ubyte"));
  CHECK(load(with_path(folder, ", 'test': 'other-images-idx3-ubyte'")).ok());
}

TEST_CASE("idx: one to four dimensions give features and images") {
  const std::vector<std::pair<std::vector<std::uint32_t>, sample_shape>> cases = {
      {{2}, {1, 1, 1}}, {{2, 5}, {5, 1, 1}}, {{2, 3, 4}, {1, 3, 4}}, {{2, 3, 4, 5}, {3, 4, 5}}};
  for (const auto& [dimensions, shape] : cases) {
    const temp_folder folder;
    const auto name =
        "train-images-idx" + std::to_string(std::max<std::size_t>(2, dimensions.size())) + "-ubyte";
    folder.write(name, idx_file(dimensions, counting(2 * static_cast<std::size_t>(shape.size()))));
    folder.write("train-labels-idx1-ubyte", idx_file({2}, {"\0\1", 2}));
    const auto data = load(with_path(folder));
    REQUIRE_MESSAGE(data.ok(), data.error().message);
    CHECK(data->train.shape == shape);
  }
}

TEST_CASE("idx: what does not belong together is refused by name") {
  const temp_folder folder;
  write_small(folder);
  const auto broken = [&](const std::string& name, const std::string& bytes) {
    write_small(folder);
    const auto path = folder.write(name, bytes);
    const auto message = data_problem(load(with_path(folder)));
    CHECK_MESSAGE(contains(message, path), message);
    return message;
  };
  CHECK(contains(broken("train-labels-idx1-ubyte", idx_file({3}, {"\0\1\2", 3})), "3 labels"));
  CHECK(contains(broken("train-labels-idx1-ubyte", idx_file({4, 2, 3}, counting(24))), "swapped"));
  CHECK(contains(broken("t10k-labels-idx1-ubyte", idx_file({2}, {"\0\3", 2})), "label 3 of sample 1"));
  CHECK(contains(broken("train-images-idx3-ubyte", "\x89PNG\r\n"), "no IDX file"));
  CHECK(contains(broken("train-images-idx3-ubyte", idx_file({4, 2, 3}, counting(25))), "more bytes"));
  CHECK(contains(broken("train-images-idx3-ubyte", idx_file({4, 0, 3}, "")), "dimension 1 is 0"));
  CHECK(contains(broken("train-images-idx3-ubyte", idx_file({1, 1, 1, 1, 1}, "x")), "5 dimensions"));
  auto floats = idx_file({4, 2, 3}, counting(24));
  floats[2] = '\x0D';
  CHECK(contains(broken("train-images-idx3-ubyte", floats), "0x0d"));
  std::filesystem::remove(folder.path("t10k-labels-idx1-ubyte"));
  CHECK(contains(data_problem(load(with_path(folder))), "t10k-labels-idx1-ubyte"));
}

TEST_CASE("idx: absurd headers are refused at once, without the memory they ask for") {
  const temp_folder folder;
  write_small(folder);
  const auto before = peak_kilobytes();
  const std::vector<std::vector<std::uint32_t>> headers = {{0x80000000U, 28, 28},
                                                           {0xFFFFFFFFU, 0xFFFFFFFFU, 0xFFFFFFFFU},
                                                           {0x10000U, 0x10000U, 0x10000U, 0x10000U},
                                                           {0x40000000U, 2, 3}};
  for (const auto& dimensions : headers) {
    const auto absurd = idx_file(dimensions, counting(24));
    for (const auto& bytes : {absurd, gzip(absurd)}) {
      folder.write("train-images-idx3-ubyte", bytes);
      const auto message = data_problem(load(with_path(folder)));
      CHECK_MESSAGE(contains(message, "the header promises"), message);
    }
  }
  CHECK(peak_kilobytes() - before < 16 * 1024);
}

TEST_CASE("idx: a gzip file that promises more than it unpacks to costs no more than it holds") {
  const temp_folder folder;
  write_small(folder);
  // 1 MiB of zeros packs so well that a file of that size might also hold the 4 KiB more that are promised.
  const auto packed = gzip(idx_file({1028, 32, 32}, std::string(std::size_t{1} << 20U, '\0')));
  const auto path = folder.write("train-images-idx3-ubyte", packed);
  const auto message = data_problem(load(with_path(folder)));
  CHECK_MESSAGE((contains(message, path) && contains(message, "ends after 1048592 bytes")), message);
}

TEST_CASE("idx: Fashion-MNIST where it is installed") {
  const std::string folder = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::exists(folder))
    return;
  const auto data = load("{'format': 'idx', 'path': '" + folder + "', 'validation_fraction': 0.1}");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.size == 54000);
  CHECK(data->validation.size == 6000);
  CHECK(data->test.size == 10000);
  CHECK(data->train.classes == 10);
  CHECK(data->standard.scale[0] * 255.0F == doctest::Approx(1.0 / 0.3530).epsilon(0.01));
}
