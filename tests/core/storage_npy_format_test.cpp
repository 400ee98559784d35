#include "core/formats/formats.hpp"
#include "core/npz.hpp"
#include "tests/core/npy_support.hpp"

#include <doctest/doctest.h>
#include <limits>

// The data format "npy": NumPy arrays and archives as training and test sets.

using namespace triage;
using namespace triage::test;

namespace {

/// Writes x.npy and x_labels.npy, and loads them; `options` go into the description.
result<data_splits> load_arrays(const std::string& x, const std::string& y, const std::string& options = {}) {
  const temp_folder folder;
  folder.write("x.npy", x);
  folder.write("x_labels.npy", y);
  return load("{'format': 'npy', 'path': '" + folder.path() + "', 'train': 'x.npy', 'test_fraction': 0" +
              options + "}");
}

/// The loaded sets, before any splitting.
result<loaded_data> load_files(const std::string& train, const std::string& test = {}) {
  data_source source;
  source.train = train;
  source.test = test;
  return make_npy_format()->load(source);
}

const std::string four_labels = npy_bytes("|u1", "(4,)", std::string("\0\1\2\1", 4));

} // namespace

TEST_CASE("npy format: an archive gives both sets; bytes stay bytes") {
  const auto data = load_files(TRIAGE_SOURCE_DIR "/tests/golden/arrays.npz");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.shape == sample_shape{1, 2, 3});
  CHECK(data->train.size == 4);
  CHECK(data->train.is_bytes());
  CHECK(data->train.bytes[23] == 23);
  CHECK(data->train.labels == std::vector<std::int32_t>{0, 1, 2, 1});
  CHECK(data->train.classes == 3);
  REQUIRE(data->test);
  CHECK(data->test->size == 1);
  CHECK(data->test->labels == std::vector<std::int32_t>{2});
}

TEST_CASE("npy format: vectors, planes and images have their shapes") {
  struct expected {
    std::string shape;
    sample_shape sample;
  };
  for (const auto& [shape, sample] :
       std::vector<expected>{{"(4, 6)", {6, 1, 1}}, {"(4, 2, 3)", {1, 2, 3}}, {"(4, 3, 1, 2)", {3, 1, 2}}}) {
    const auto data = load_arrays(npy_bytes("|u1", shape, counting(24)), four_labels);
    REQUIRE_MESSAGE(data.ok(), data.error().message);
    CHECK(data->train.shape == sample);
  }
}

TEST_CASE("npy format: channels_last moves the channels in front") {
  // Two images, 1 x 2 pixels, 3 channels: pixel p of channel c is 3 p + c.
  const auto data = load_arrays(npy_bytes("|u1", "(2, 1, 2, 3)", counting(12)),
                                npy_bytes("|u1", "(2,)", std::string("\0\1", 2)), ", 'channels_last': true");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.shape == sample_shape{3, 1, 2});
  CHECK(data->train.bytes == std::vector<std::uint8_t>{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11});
}

TEST_CASE("npy format: integers are classes, floats are targets") {
  const auto x = npy_bytes("<f4", "(2, 2)", raw<float>({1, 2, 3, 4}));
  const auto classes = load_arrays(x, npy_bytes("<i4", "(2, 1)", raw<std::int32_t>({1, 0})));
  REQUIRE_MESSAGE(classes.ok(), classes.error().message);
  CHECK(classes->train.classes == 2);
  CHECK(classes->train.labels == std::vector<std::int32_t>{1, 0});
  CHECK(classes->train.floats == std::vector<float>{1, 2, 3, 4});
  const auto targets = load_arrays(x, npy_bytes("<f8", "(2, 3)", raw<double>({1, 2, 3, 4, 5, 6})));
  REQUIRE_MESSAGE(targets.ok(), targets.error().message);
  CHECK(targets->train.classes == 0);
  CHECK(targets->train.outputs == 3);
  CHECK(targets->train.targets == std::vector<float>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("npy format: numbers whose steps single precision cannot hold are refused in training data") {
  const auto labels = npy_bytes("|u1", "(3,)", std::string("\0\1\0", 3));
  const auto as_doubles = [](std::vector<double> column) {
    return npy_bytes("<f8", "(3, 2)", raw<double>({0.1, column[0], 0.2, column[1], 0.3, column[2]}));
  };
  const auto times = as_doubles({1700000000, 1700000010, 1700000020});
  for (const auto& x : {times, npy_bytes("<i8", "(3, 2)",
                                         raw<std::int64_t>({1, 1700000000, 2, 1700000010, 3, 1700000020}))}) {
    const auto problem = data_problem(load_arrays(x, labels));
    CHECK_MESSAGE(contains(problem, "x.npy: column 1: its values lie between 1700000000 and 1700000020"),
                  problem);
    CHECK_MESSAGE(contains(problem, "subtract 1700000000"), problem);
  }
  CHECK(load_arrays(as_doubles({0.1, 1e-9, 3e7}), labels).ok());
  const auto x = npy_bytes("<f4", "(3, 1)", raw<float>({1, 2, 3}));
  CHECK(contains(data_problem(load_arrays(x, npy_bytes("<f8", "(3,)", raw<double>({1e9, 1e9 + 1, 1e9 + 2})))),
                 "x_labels.npy: column 0"));
  // A test set may hold what lies close together.
  const temp_folder folder;
  folder.write("a.npy", as_doubles({0, 1000000000, 2000000000}));
  folder.write("b.npy", times);
  folder.write("y.npy", labels);
  CHECK(load("{'format': 'npy', 'path': '" + folder.path() +
             "', 'train': 'a.npy', 'test': 'b.npy', 'train_labels': 'y.npy', 'test_labels': 'y.npy'}")
            .ok());
}

TEST_CASE("npy format: explicit training and test files with their labels") {
  const temp_folder folder;
  folder.write("a.npy", npy_bytes("|u1", "(4, 1)", counting(4)));
  folder.write("b.npy", npy_bytes("|u1", "(1, 1)", "x"));
  folder.write("ya.npy", four_labels);
  folder.write("yb.npy", npy_bytes("|u1", "(1,)", "\1"));
  const auto data = load("{'format': 'npy', 'path': '" + folder.path() +
                         "', 'train': 'a.npy', 'test': 'b.npy', 'train_labels': 'ya.npy', "
                         "'test_labels': 'yb.npy'}");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.size == 4);
  CHECK(data->test.size == 1);
  CHECK(data->test.classes == 3); // those of the training set
  CHECK(data->test.labels == std::vector<std::int32_t>{1});
}

TEST_CASE("npy format: arrays that make no data set are refused, with the file and the reason") {
  const auto x = npy_bytes("|u1", "(4, 6)", counting(24));
  struct wrong {
    std::string x;
    std::string y;
    std::string message;
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const auto& [samples, labels, message] : std::vector<wrong>{
           {npy_bytes("|u1", "(4,)", counting(4)), four_labels, "x.npy: samples have the shape [4]"},
           {npy_bytes("|u1", "(4, 1, 1, 1, 1)", counting(4)), four_labels, "x.npy: samples have the shape"},
           {npy_bytes("|u1", "(0, 6)", ""), npy_bytes("|u1", "(0,)", ""), "x.npy: holds no values"},
           {npy_bytes("|u1", "(4, 1099511627776, 0, 1099511627776)", ""), four_labels, "holds no values"},
           {npy_bytes("<f4", "(4, 1)", raw<float>({0, 1, nan, 3})), four_labels, "sample 2"},
           {npy_bytes("<f8", "(4, 1)", raw<double>({0, 1e300, 2, 3})), four_labels, "sample 1"},
           {x, npy_bytes("|u1", "(3,)", "abc"), "x_labels.npy: targets have the shape [3]"},
           {x, npy_bytes("|u1", "()", "a"), "x_labels.npy: targets have the shape []"},
           {x, npy_bytes("|u1", "(4, 2)", counting(8)), "one per sample"},
           {x, npy_bytes("|i1", "(4,)", std::string("\0\1\xff\0", 4)), "label -1 of sample 2"},
           {x, npy_bytes("<i4", "(4,)", raw<std::int32_t>({0, 1, 2'000'000'000, 0})), "label 2000000000"},
           {x, npy_bytes("<f4", "(4,)", raw<float>({0, 1, 2, nan})), "target of sample 3"},
           {x, npy_bytes("<f4", "(4, 0)", ""), "targets have no values"}}) {
    const auto problem = data_problem(load_arrays(samples, labels, ", 'channels_last': true"));
    CHECK_MESSAGE(contains(problem, message), problem);
  }
}

TEST_CASE("npy format: the arrays of an archive are found by the names that options give") {
  const temp_folder folder;
  const std::vector<named_tensor> tensors{{"images", {2, 3}, {1, 2, 3, 4, 5, 6}},
                                          {"values", {2}, {7, 8}},
                                          {"more", {1, 3}, {9, 10, 11}},
                                          {"more_values", {1}, {12}}};
  REQUIRE(write_npz(tensors, folder.path("a.npz")).ok());
  const auto load_with = [&](const std::string& options) {
    return load("{'format': 'npy', 'path': '" + folder.path() + "', 'train': 'a.npz', 'test_fraction': 0" +
                options + "}");
  };
  const std::string train = ", 'x_train': 'images', 'y_train': 'values'";
  const auto both = load_with(train + ", 'x_test': 'more', 'y_test': 'more_values'");
  REQUIRE_MESSAGE(both.ok(), both.error().message);
  CHECK(both->train.floats == tensors[0].values);
  CHECK(both->train.targets == tensors[1].values);
  CHECK(both->test.floats == tensors[2].values);
  CHECK(both->test.targets == tensors[3].values);
  const auto alone = load_with(train);
  REQUIRE_MESSAGE(alone.ok(), alone.error().message);
  CHECK(alone->test.size == 0);

  CHECK(contains(data_problem(load_with("")), "has no array x_train; it has: images, values, more"));
  CHECK(contains(data_problem(load_with(train + ", 'x_test': 'gone', 'y_test': 'away'")), "no array gone"));
  CHECK(contains(data_problem(load_with(train + ", 'x_test': 'more'")), "no array y_test"));
  const auto twice = load_with(", 'x_train': 'images', 'y_train': 'images'");
  REQUIRE(!twice.ok());
  CHECK(twice.error().kind == error_kind::configuration);
  CHECK(contains(twice.error().message, "four different arrays"));
}

TEST_CASE("npy format: an archive with half a test set is refused") {
  const temp_folder folder;
  const auto path = folder.path("a.npz");
  REQUIRE(
      write_npz({{"x_train", {2, 1}, {1, 2}}, {"y_train", {2}, {1, 2}}, {"y_test", {1}, {1}}}, path).ok());
  CHECK(contains(data_problem(load_files(path)), "has no array x_test; it has: x_train, y_train, y_test"));
}

TEST_CASE("npy format: training and test sets must fit together") {
  const temp_folder folder;
  const auto x = folder.write("x.npy", npy_bytes("|u1", "(4, 6)", counting(24)));
  folder.write("x_labels.npy", four_labels);
  const auto other = folder.write("other.npy", npy_bytes("|u1", "(4, 5)", counting(20)));
  folder.write("other_labels.npy", four_labels);
  const auto more = folder.write("more.npy", npy_bytes("|u1", "(1, 6)", counting(6)));
  folder.write("more_labels.npy", npy_bytes("|u1", "(1,)", "\3"));
  CHECK(contains(data_problem(load_files(x, other)), "different shapes"));
  CHECK(contains(data_problem(load_files(x, more)), "classes that the training set"));
  CHECK(contains(data_problem(load_files(x, "y")), "y: must be a .npy file"));
  CHECK(contains(data_problem(load_files("x.txt")), "x.txt: must be"));
  CHECK(contains(data_problem(load_files("x.npz", x)), "into the archive"));
}
