#include "tests/core/data_support.hpp"

#include <doctest/doctest.h>

using namespace triage;
using namespace triage::test;

namespace {

std::string record(const std::string& labels, char pixel) {
  return labels + std::string(3072, pixel);
}

std::string ten(const std::string& path) {
  return "{'format': 'cifar10', 'path': '" + path + "', 'standardize': false}";
}

void write_batches(const temp_folder& folder, const std::string& below = {}) {
  for (int b = 1; b <= 5; ++b)
    folder.write(below + "data_batch_" + std::to_string(b) + ".bin",
                 record(std::string(1, static_cast<char>(b)), static_cast<char>(10 * b)) +
                     record(std::string(1, '\0'), 'x'));
  folder.write(below + "test_batch.bin", record(std::string(1, '\x9'), 'y'));
}

} // namespace

TEST_CASE("cifar10: five batches in order, and the test batch") {
  const temp_folder folder;
  SUBCASE("files in the folder") {
    write_batches(folder);
  }
  SUBCASE("files where the archive puts them") {
    write_batches(folder, "cifar-10-batches-bin/");
  }
  SUBCASE("one of them packed") {
    write_batches(folder);
    std::filesystem::remove(folder.path("data_batch_3.bin"));
    folder.write("data_batch_3.bin.gz", gzip(record("\3", 30) + record(std::string(1, '\0'), 'x')));
  }
  const auto data = load(ten(folder.path()));
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.shape == sample_shape{3, 32, 32});
  CHECK(data->train.labels == std::vector<std::int32_t>{1, 0, 2, 0, 3, 0, 4, 0, 5, 0});
  CHECK(data->train.bytes[4 * 3072] == 30);
  CHECK(data->train.bytes[5 * 3072 - 1] == 30);
  CHECK(data->train.bytes[5 * 3072] == 'x');
  CHECK(data->test.labels == std::vector<std::int32_t>{9});
  CHECK(data->train.classes == 10);
}

TEST_CASE("cifar10: a test file that is named stands in for the folder's") {
  const temp_folder folder;
  write_batches(folder);
  folder.write("other.bin", record("\4", 'z') + record("\5", 'z'));
  const auto with_test = [&](const std::string& name) {
    return load("{'format': 'cifar10', 'path': '" + folder.path() + "', 'test': '" + name + "'}");
  };
  const auto data = with_test("other.bin");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.size == 10);
  CHECK(data->test.labels == std::vector<std::int32_t>{4, 5});
  CHECK(contains(data_problem(with_test("none.bin")), "none.bin"));
}

TEST_CASE("cifar: classes are called as the archive calls them, where it says so") {
  const temp_folder folder;
  write_batches(folder);
  CHECK(load(ten(folder.path()))->names.classes.empty());
  folder.write("batches.meta.txt",
               "airplane\nautomobile\r\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n");
  const auto data = load(ten(folder.path()));
  REQUIRE(data.ok());
  REQUIRE(data->names.classes.size() == 10);
  CHECK(data->names.of_class(1) == "automobile");
  CHECK(data->names.of_class(9) == "truck");
  folder.write("batches.meta.txt", "airplane\nbird\n"); // of something else
  CHECK(load(ten(folder.path()))->names.classes.empty());
}

TEST_CASE("cifar10: more records than are read at once, across the edges of the buffer") {
  const temp_folder folder;
  std::string bytes;
  for (int i = 0; i < 600; ++i)
    bytes += record(std::string(1, static_cast<char>(i % 10)), static_cast<char>(i % 251));
  folder.write("some.bin", bytes);
  const auto data =
      load("{'format': 'cifar10', 'path': '" + folder.path() + "', 'train': 'some.bin', 'test_fraction': 0}");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  REQUIRE(data->train.size == 600);
  for (std::size_t i = 0; i < 600; ++i) {
    CHECK(data->train.labels[i] == static_cast<std::int32_t>(i % 10));
    CHECK(data->train.bytes[i * 3072 + 1000] == i % 251);
  }
}

TEST_CASE("cifar100: fine or coarse labels") {
  const temp_folder folder;
  folder.write("train.bin", record("\x13\x63", 1) + record("\x02\x05", 2));
  const auto description = "{'format': 'cifar100', 'test_fraction': 0, 'path': '" + folder.path() + "'";
  const auto fine = load(description + "}");
  REQUIRE_MESSAGE(fine.ok(), fine.error().message);
  CHECK(fine->train.labels == std::vector<std::int32_t>{99, 5});
  CHECK(fine->train.classes == 100);
  const auto coarse = load(description + ", 'labels': 'coarse'}");
  REQUIRE_MESSAGE(coarse.ok(), coarse.error().message);
  CHECK(coarse->train.labels == std::vector<std::int32_t>{19, 2});
  CHECK(coarse->train.classes == 20);
  CHECK(fine->fingerprint != coarse->fingerprint);
}

TEST_CASE("cifar: missing batches, cut records and foreign labels are named") {
  const temp_folder folder;
  write_batches(folder);
  const auto whole = record("\1", 7);
  auto path = folder.write("data_batch_2.bin", whole + whole.substr(0, 100));
  auto message = data_problem(load(ten(folder.path())));
  CHECK_MESSAGE((contains(message, path) && contains(message, "ends inside a record")), message);
  path = folder.write("data_batch_2.bin", whole + record("\x0A", 7));
  message = data_problem(load(ten(folder.path())));
  CHECK_MESSAGE((contains(message, path) && contains(message, "label 10 of record 1")), message);
  std::filesystem::remove(folder.path("data_batch_2.bin"));
  message = data_problem(load(ten(folder.path())));
  CHECK_MESSAGE((contains(message, folder.path()) && contains(message, "data_batch_2.bin")), message);
}
