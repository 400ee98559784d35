#include "core/npz.hpp"
#include "tests/core/npy_support.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <limits>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

using namespace triage;
using namespace triage::test;

namespace {

struct entry {
  std::string name;
  std::string bytes;
};

/// Packs entries as they are.
std::string write_archive(const temp_folder& folder, const std::vector<entry>& entries) {
  const auto path = folder.path("a.npz");
  std::filesystem::remove(path);
  zip_t* z = zip_open(path.c_str(), ZIP_CREATE, nullptr);
  for (const auto& e : entries)
    zip_file_add(z, e.name.c_str(), zip_source_buffer(z, e.bytes.data(), e.bytes.size(), 0), 0);
  zip_close(z);
  return path;
}

/// Sets the four bytes behind every occurrence of `mark` plus `offset`.
std::string patch(std::string bytes, std::string_view mark, std::size_t offset, std::uint32_t value) {
  for (auto at = bytes.find(mark); at != std::string::npos; at = bytes.find(mark, at + 1))
    if (at + offset + 4 <= bytes.size())
      std::memcpy(bytes.data() + at + offset, &value, 4);
  return bytes;
}

} // namespace

TEST_CASE("npz: tensors come back by name, bit by bit, and replace what was there") {
  const temp_folder folder;
  const auto path = folder.write("m.npz", "old");
  const std::vector<named_tensor> tensors{
      {"0/weights", {2, 2}, {1, -0.0F, std::nanf("3"), std::numeric_limits<float>::infinity()}},
      {"ü", {1}, {2}},
      {"zeros", {300, 300}, std::vector<float>(90'000)}};
  REQUIRE(write_npz(tensors, path).ok());
  const auto back = read_npz(path);
  REQUIRE_MESSAGE(back.ok(), back.error().message);
  REQUIRE(back->size() == tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CHECK((*back)[i].first == tensors[i].name);
    CHECK((*back)[i].second.shape == tensors[i].shape);
    CHECK(same_bits(std::get<std::vector<float>>((*back)[i].second.values), tensors[i].values));
  }
  CHECK(!std::filesystem::exists(path + ".tmp"));
}

TEST_CASE("npz: an archive as NumPy writes it is read") {
  const auto back = read_npz(TRIAGE_SOURCE_DIR "/tests/golden/arrays.npz");
  REQUIRE_MESSAGE(back.ok(), back.error().message);
  REQUIRE(back->size() == 4);
  CHECK((*back)[0].first == "x_train");
  CHECK((*back)[0].second.shape == std::vector<std::int64_t>{4, 2, 3});
  CHECK(std::get<std::vector<std::uint8_t>>((*back)[0].second.values)[23] == 23);
  CHECK(std::get<std::vector<std::int64_t>>((*back)[1].second.values) ==
        std::vector<std::int64_t>{0, 1, 2, 1});
}

TEST_CASE("npz: truncated at every byte, and with each byte flipped, it is read rightly or refused") {
  const temp_folder folder;
  const auto bytes = slurp(TRIAGE_SOURCE_DIR "/tests/golden/arrays.npz");
  const auto shape = std::vector<std::int64_t>{4, 2, 3};
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    CHECK(contains(data_problem(read_npz(folder.write("a.npz", bytes.substr(0, n)))), "a.npz"));
    auto damaged = bytes;
    damaged[n] = static_cast<char>(damaged[n] ^ 0x11);
    const auto back = read_npz(folder.write("a.npz", damaged));
    if (!back.ok())
      CHECK(back.error().kind == error_kind::data);
    else if (!back->empty() && back->front().first == "x_train") // values are guarded by a checksum
      CHECK(back->front().second.shape == shape);
  }
}

TEST_CASE("npz: entries that are no arrays are passed over, damaged arrays are named") {
  const temp_folder folder;
  const auto good = npy_bytes("|u1", "(1,)", "x");
  const auto back = read_npz(write_archive(folder, {{"notes.txt", "hello"}, {"a.npy", good}}));
  REQUIRE(back.ok());
  CHECK(back->size() == 1);
  const auto problem =
      data_problem(read_npz(write_archive(folder, {{"a.npy", good}, {"b.npy", "no array"}})));
  CHECK_MESSAGE(contains(problem, "a.npz[b.npy]"), problem);
}

TEST_CASE("npz: arrays that nobody asks for need not be readable") {
  const temp_folder folder;
  const auto path = write_archive(folder, {{"names.npy", npy_bytes("<U4", "(1,)", std::string(16, 'x'))},
                                           {"x_train.npy", npy_bytes("|u1", "(2, 1)", "ab")},
                                           {"y_train.npy", npy_bytes("|u1", "(2,)", {"\0\1", 2})}});
  CHECK(contains(data_problem(read_npz(path)), "names.npy"));
  CHECK(names_in_npz(path).take() == std::vector<std::string>{"names", "x_train", "y_train"});
  const std::vector<std::string> wanted = {"y_train", "none"};
  const auto some = read_npz(path, wanted);
  REQUIRE_MESSAGE(some.ok(), some.error().message);
  REQUIRE(some->size() == 1);
  CHECK(some->front().first == "y_train");
  const std::string description = "{'format': 'npy', 'test_fraction': 0, 'path': '" + path + "'";
  const auto data = load(description + "}");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.labels == std::vector<std::int32_t>{0, 1});
  CHECK(contains(data_problem(load(description + ", 'x_train': 'x'}")),
                 "has no array x; it has: names, x_train, y_train"));
}

TEST_CASE("npz: an entry that lies about its size is refused before memory is taken") {
  const temp_folder folder;
  const auto bytes =
      slurp(write_archive(folder, {{"a.npy", npy_bytes("|u1", "(50000,)", std::string(50'000, 'x'))}}));
  // The size before packing, in the local header (offset 22) and in the directory (offset 24).
  const auto with_size = [&](std::uint32_t size) {
    return folder.write("b.npz", patch(patch(bytes, "PK\3\4", 22, size), "PK\1\2", 24, size));
  };
  CHECK(contains(data_problem(read_npz(with_size(0xFFFF0000U))), "promise more data"));
  for (const std::uint32_t size : {1U, 49'000U, 60'000U})
    CHECK(contains(data_problem(read_npz(with_size(size))), "b.npz"));
}

TEST_CASE("npz: entries that share their packed bytes are counted together") {
  const temp_folder folder;
  // Zeros pack almost as tightly as deflate can; two directory entries for one of them exceed it.
  const auto zeros = npy_bytes("|u1", "(20000000,)", std::string(20'000'000, '\0'));
  CHECK(read_npz(write_archive(folder, {{"a.npy", zeros}})).ok());
  auto bytes = slurp(write_archive(folder, {{"a.npy", zeros}}));
  const auto directory = bytes.find("PK\1\2");
  const auto end = bytes.rfind("PK\5\6");
  REQUIRE(directory != std::string::npos);
  auto second = bytes.substr(directory, end - directory);
  bytes.insert(end, second);
  const auto new_end = end + second.size();
  bytes[new_end + 8] = bytes[new_end + 10] = 2; // entries
  const auto size = static_cast<std::uint32_t>(2 * second.size());
  std::memcpy(bytes.data() + new_end + 12, &size, 4);
  CHECK(contains(data_problem(read_npz(folder.write("b.npz", bytes))), "b.npz"));
}

#if !defined(__SANITIZE_ADDRESS__) &&                                                                        \
    !defined(__SANITIZE_THREAD__) // which ends the process where memory ends
TEST_CASE("npz: an archive that unpacks to more than there is memory for is an error") {
  const temp_folder folder;
  const auto path =
      write_archive(folder, {{"a.npy", npy_bytes("|u1", "(80000000,)", std::string(80'000'000, '\0'))}});
  CHECK(std::filesystem::file_size(path) < 100'000);
  CHECK(in_child([&] {
    std::size_t pages = 0; // that the process has mapped already
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t most = pages * static_cast<std::size_t>(getpagesize()) + 40'000'000;
    const rlimit limit{most, most};
    setrlimit(RLIMIT_AS, &limit);
    return contains(data_problem(read_npz(path)), "do not fit into memory");
  }));
}
#endif

TEST_CASE("npz: writing fails cleanly") {
  const temp_folder folder;
  const auto path = folder.write("m.npz", "old");
  CHECK(!write_npz({{"a", {2}, {1}}}, path).ok());
  CHECK(!write_npz({{"a", {1}, {1}}, {"a", {1}, {1}}}, path).ok());
  CHECK(in_child([&] {
    limit_file_size(100);
    const auto written = write_npz({{"a", {1}, {1}}}, path);
    return !written.ok() && contains(written.error().message, "free some space");
  }));
  CHECK(slurp(path) == "old");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
  const auto impossible = write_npz({{"a", {1}, {1}}}, impossible_path(folder));
  REQUIRE(!impossible.ok());
  CHECK(impossible.error().kind == error_kind::io);
}

TEST_CASE("npz: a pipe is written to and stays a pipe, and what a link points to is replaced, not the link") {
  const temp_folder folder;
  const std::vector<named_tensor> tensors{{"a", {2}, {1.0F, 2.0F}}};
  const auto pipe = folder.path("pipe");
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  REQUIRE(write_npz(tensors, pipe).ok());
  std::string bytes(4096, ' ');
  const auto got = read(reader, bytes.data(), bytes.size());
  close(reader);
  REQUIRE(got > 0);
  CHECK(std::filesystem::is_fifo(pipe));
  const auto file = folder.path("there.npz");
  std::filesystem::create_symlink("there.npz", folder.path("link.npz"));
  REQUIRE(write_npz(tensors, file).ok());
  REQUIRE(write_npz({{"b", {1}, {3.0F}}}, folder.path("link.npz")).ok());
  CHECK(std::filesystem::is_symlink(folder.path("link.npz")));
  const auto back = read_npz(file);
  REQUIRE(back.ok());
  REQUIRE(back->size() == 1);
  CHECK(back->front().first == "b");
}
