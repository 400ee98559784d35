#include "core/rng.hpp"
#include "tests/core/data_support.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <functional>
#include <set>

using namespace triage;
using namespace triage::test;

// What every data format must do, run over the whole table.

namespace {

struct named_file {
  std::string name;
  std::string bytes;
};

/// A small valid source of a format: its files, and the rest of its description.
struct fixture {
  std::string format;
  std::vector<named_file> files;
  std::string options;
  bool text = false;  ///< a prefix of a text may be valid; a prefix of a binary file never is
  bool packed = true; ///< reads through input_file: gzip, and its wording of errors
};

std::string cifar_record(std::string labels) {
  return labels.append(counting(3072));
}

/// Version 1 of NumPy's format, unsigned bytes.
std::string npy_file(const std::string& shape, std::string_view values) {
  std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': ";
  header.append(shape).append(", }");
  header.resize(117, ' ');
  return std::string("\x93NUMPY\1\0\x76\0", 10).append(header).append("\n").append(values);
}

const std::vector<fixture>& fixtures() {
  static const std::vector<fixture> all = {
      {"idx",
       {{"train-images-idx3-ubyte", idx_file({4, 2, 3}, counting(24))},
        {"train-labels-idx1-ubyte", idx_file({4}, {"\0\1\2\1", 4})},
        {"t10k-images-idx3-ubyte", idx_file({1, 2, 3}, counting(6))},
        {"t10k-labels-idx1-ubyte", idx_file({1}, {"\2", 1})}},
       ""},
      {"cifar10", {{"some.bin", cifar_record("\3")}}, "'train': 'some.bin'"},
      {"cifar100", {{"train.bin", cifar_record("\3\4")}, {"test.bin", cifar_record("\5\6")}}, ""},
      {"csv",
       {{"train.csv", "a,b,y\n1,2.5,red\n\"3\",4,blue\n5,6e1,red\n"}, {"test.csv", "a,b,y\n1,2,blue\n"}},
       "",
       true},
      {"tsv", {{"train.tsv", "1\t2.5\t0\n3\t4\t1\n5\t6e1\t0\n3\t4\t1\n"}}, "'label_column': -1", true},
      {"libsvm",
       {{"train.libsvm", "1 1:0.5 3:2 # c\n0 2:1\n1 1:7\n0 3:1\n"}, {"test.libsvm", "1 2:1\n"}},
       "",
       true},
      {"npy",
       {{"x.npy", npy_file("(4, 2, 3)", counting(24))}, {"x_labels.npy", npy_file("(4,)", {"\0\1\2\1", 4})}},
       "'train': 'x.npy'",
       false,
       false},
      {"synthetic", {}, "'train_size': 20, 'test_size': 5"},
  };
  return all;
}

void write_files(const fixture& f, const temp_folder& folder) {
  for (const auto& file : f.files)
    folder.write(file.name, file.bytes);
}

std::string description(const fixture& f, const std::string& path, const std::string& more = {}) {
  return "{'format': '" + f.format + "', 'path': '" + path + "'" +
         (f.options.empty() ? "" : ", " + f.options) + more + "}";
}

/// Loads what is in the folder; the outcome must be valid sets, or a data error that names something in it.
/// Returns whether it was loaded, and as something else than `same` (a fingerprint).
bool loads_or_refuses(const fixture& f, const temp_folder& folder, const std::string& same = {}) {
  const auto data = load(description(f, folder.path()));
  if (data.ok()) {
    CHECK(check_dataset(data->train, "training").ok());
    CHECK((data->test.size == 0 || check_dataset(data->test, "test").ok()));
    return data->fingerprint != same;
  }
  CHECK_MESSAGE(data.error().kind == error_kind::data, data.error().message);
  CHECK_MESSAGE(contains(data.error().message, folder.path()), data.error().message);
  return false;
}

void for_each_file(const std::function<void(const fixture&, const temp_folder&, const named_file&)>& test) {
  for (const auto& f : fixtures())
    for (const auto& file : f.files) {
      INFO(f.format, ": ", file.name);
      const temp_folder folder;
      write_files(f, folder);
      test(f, folder, file);
    }
}

} // namespace

TEST_CASE("formats: every entry of the table has a fixture, a summary and documented options") {
  for (const auto& entry : dataset_formats()) {
    CAPTURE(entry.name);
    CHECK(!entry.summary.empty());
    CHECK(std::any_of(fixtures().begin(), fixtures().end(),
                      [&](const auto& f) { return f.format == entry.name; }));
    common_data_options common;
    const auto format = entry.make();
    std::set<std::string> names;
    for (const auto& row : describe_options([&](option_visitor& v) {
           common.visit(v);
           format->visit(v);
         })) {
      CHECK_MESSAGE(names.insert(row.name).second, row.name); // no format may hide a common option
      CHECK_MESSAGE(!row.doc.empty(), row.name);
    }
  }
}

TEST_CASE("formats: a fixture loads, the same each time, and its resolved description means the same") {
  for (const auto& f : fixtures()) {
    CAPTURE(f.format);
    const temp_folder folder;
    write_files(f, folder);
    json_value resolved;
    const auto data = load(description(f, folder.path()), 1, &resolved);
    REQUIRE_MESSAGE(data.ok(), data.error().message);
    CHECK(check_dataset(data->train, "training").ok());
    CHECK(load(description(f, folder.path()))->fingerprint == data->fingerprint);
    json_value again;
    const auto reloaded = load_data(resolved, {"config.json", "/data"}, 1, &again);
    REQUIRE_MESSAGE(reloaded.ok(), reloaded.error().message);
    CHECK(reloaded->fingerprint == data->fingerprint);
    CHECK(dump_json(again) == dump_json(resolved));
  }
}

TEST_CASE("formats: golden fingerprints, so that an index means the same sample in the next version") {
  const std::vector<std::pair<std::string, std::string>> golden = {
      {"idx", "76609e416e7fc8b0360c387a26ba8bcccd654bf93577b57b109f7845a2be17ce"},
      {"cifar10", "d82fbb8f72535ad441ec301952a7d78aa735c89004b9e507fdec0b7e503ca768"},
      {"cifar100", "e08a0893c752a09d521c0d3534dab10e38a887d2a6d346056a20d413bbea0318"},
      {"csv", "10a3fda650197b0af9d6ce0200cd004efece284ded8cd580bdb0abc87f533b26"},
      {"tsv", "12d5588a51a21c7bc471b832b72a9a740da66fc5f37a33f56ba10cb4b543f830"},
      {"libsvm", "995d127460ec4e1af5d0a1c57865bef0d45ef520c9a48b103f4022bb70f2a880"},
      {"npy", "7226b2055d4912ddeade5006a38dc00b9a537a86aaa1cc49a90ab9723344b36c"},
  };
  for (const auto& [format, fingerprint] : golden)
    for (const auto& f : fixtures())
      if (f.format == format) {
        const temp_folder folder;
        write_files(f, folder);
        CHECK(load(description(f, folder.path()))->fingerprint == fingerprint);
      }
}

TEST_CASE("formats: unknown options are configuration errors with a suggestion") {
  for (const auto& f : fixtures()) {
    const auto data = load(description(f, "/nowhere", ", 'standardise': true"));
    REQUIRE(!data.ok());
    CHECK(data.error().kind == error_kind::configuration);
    CHECK_MESSAGE(contains(data.error().message, "run.json, line 1, /data/standardise"),
                  data.error().message);
    CHECK_MESSAGE(contains(data.error().message, "did you mean \"standardize\""), data.error().message);
  }
  const auto no_format = load("{'path': '/x'}");
  CHECK(contains(no_format.error().message, "needs a \"format\""));
  const auto slip = load("{'format': 'cvs'}");
  CHECK(contains(slip.error().message, "did you mean \"csv\""));
  const auto checked =
      check_data_description(json_value(json_value::object{{"format", "idx"}, {"path", "/x"}}), {"r", ""});
  REQUIRE(checked.ok());
  CHECK(checked->find("standardize") != nullptr);
  CHECK(checked->find("train_labels") != nullptr);
}

TEST_CASE("formats: a missing source is a data error that says what was looked for") {
  for (const auto& entry : dataset_formats()) {
    if (entry.name == "synthetic")
      continue;
    CAPTURE(entry.name);
    const auto name = std::string(entry.name);
    auto message = data_problem(load("{'format': '" + name + "', 'path': '/no/such/folder'}"));
    CHECK_MESSAGE(contains(message, "/no/such/folder"), message);
    const temp_folder empty;
    message = data_problem(load("{'format': '" + name + "', 'path': '" + empty.path() + "'}"));
    CHECK_MESSAGE(contains(message, empty.path()), message);
    const auto nothing = load("{'format': '" + name + "'}");
    REQUIRE(!nothing.ok());
    CHECK(nothing.error().kind == error_kind::configuration);
    CHECK_MESSAGE(contains(nothing.error().message, "names no data"), nothing.error().message);
  }
}

TEST_CASE("formats: an empty file, and a directory in its place") {
  for_each_file([](const fixture& f, const temp_folder& folder, const named_file& file) {
    folder.write(file.name, "");
    auto message = data_problem(load(description(f, folder.path())));
    CHECK_MESSAGE(contains(message, folder.path(file.name)), message);
    CHECK_MESSAGE((!f.packed || contains(message, "is empty")), message);
    std::filesystem::remove(folder.path(file.name));
    std::filesystem::create_directory(folder.path(file.name));
    message = data_problem(load(description(f, folder.path())));
    CHECK_MESSAGE((contains(message, folder.path(file.name)) && contains(message, "is a directory")),
                  message);
  });
}

TEST_CASE("formats: truncated at every byte") {
  for_each_file([](const fixture& f, const temp_folder& folder, const named_file& file) {
    for (std::size_t length = 1; length < file.bytes.size(); ++length) {
      folder.write(file.name, std::string_view(file.bytes).substr(0, length));
      const bool loaded = loads_or_refuses(f, folder);
      CHECK_MESSAGE((f.text || !loaded), "accepted with ", length, " bytes");
    }
  });
}

TEST_CASE("formats: packed, packed and truncated at every byte, and packed and damaged") {
  for_each_file([](const fixture& f, const temp_folder& folder, const named_file& file) {
    if (!f.packed)
      return;
    const auto plain = load(description(f, folder.path()));
    const auto packed = gzip(file.bytes);
    folder.write(file.name, packed); // recognised by its content
    CHECK(load(description(f, folder.path()))->fingerprint == plain->fingerprint);
    for (std::size_t length = 1; length < packed.size(); ++length) {
      folder.write(file.name, std::string_view(packed).substr(0, length));
      CHECK_MESSAGE(!loads_or_refuses(f, folder), "accepted with ", length, " bytes");
    }
    for (std::size_t at = 10; at < packed.size(); ++at) { // behind the header, whose fields are free
      auto damaged = packed;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
      folder.write(file.name, damaged);
      // A few bits are padding; nothing else may pass the checksum.
      CHECK_MESSAGE(!loads_or_refuses(f, folder, plain->fingerprint), "accepted with byte ", at, " damaged");
    }
  });
}

TEST_CASE("formats: random damage is refused or read, and never worse") {
  rng random(9, 0);
  for_each_file([&](const fixture& f, const temp_folder& folder, const named_file& file) {
    for (int round = 0; round < 300; ++round) {
      auto bytes = file.bytes;
      for (std::uint64_t n = 1 + random.below(3); n > 0; --n) {
        const auto at = static_cast<std::size_t>(random.below(std::min<std::size_t>(bytes.size(), 64)));
        if (random.below(4) == 0)
          bytes.erase(at, 1);
        else if (random.below(4) == 0)
          bytes.insert(at, 1, static_cast<char>(random.below(256)));
        else
          bytes[at] =
              f.text ? "0123456789.,:\n\"-e \t\r\0#"[random.below(22)] : static_cast<char>(random.below(256));
        if (bytes.empty())
          bytes.push_back('x');
      }
      folder.write(file.name, bytes);
      loads_or_refuses(f, folder);
    }
  });
}
