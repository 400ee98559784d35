#include "tests/core/data_support.hpp"

#include <doctest/doctest.h>

using namespace triage;
using namespace triage::test;

namespace {

result<data_splits> load_svm(const std::string& text, const std::string& more = {},
                             const std::string& test_text = {}) {
  const temp_folder folder;
  folder.write("train.libsvm", text);
  if (!test_text.empty())
    folder.write("test.libsvm", test_text);
  return load("{'format': 'libsvm', 'standardize': false, 'test_fraction': 0, 'path': '" + folder.path() +
              "'" + (more.empty() ? "" : ", " + more) + "}");
}

std::string problem_of(const std::string& text, const std::string& more = {},
                       const std::string& test_text = {}) {
  return data_problem(load_svm(text, more, test_text));
}

} // namespace

TEST_CASE("libsvm: sparse rows become dense; labels are numbered by value") {
  const auto data = load_svm("+1 1:0.5 3:2 # a comment\n-1 2:1e-3\n\n  +1\t\r\n-1 1:7");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.shape == sample_shape{3, 1, 1});
  CHECK(data->train.floats == std::vector<float>{0.5F, 0, 2, 0, 1e-3F, 0, 0, 0, 0, 7, 0, 0});
  CHECK(data->train.labels == std::vector<std::int32_t>{1, 0, 1, 0});
}

TEST_CASE("libsvm: the first index, found or said") {
  const std::string from_zero = "1 0:1 2:2\n0 1:3\n1 0:1\n0 0:1\n";
  CHECK(load_svm(from_zero)->train.shape.channels == 3);
  CHECK(load_svm(from_zero)->train.floats[2] == 2.0F);
  CHECK(contains(problem_of(from_zero, "'zero_based': 'no'"), "index 0"));
  const std::string from_one = "1 1:1 2:2\n0 1:3\n1 1:0\n0 1:1\n";
  CHECK(load_svm(from_one)->train.shape.channels == 2);
  CHECK(load_svm(from_one, "'zero_based': 'yes'")->train.shape.channels == 3);
}

TEST_CASE("libsvm: training and test set get the same width") {
  const auto data = load_svm("1 1:1 2:2\n0 1:3\n1 1:1\n0 1:2\n", "", "1 4:5\n");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.shape.channels == 4);
  CHECK(data->test.floats == std::vector<float>{0, 0, 0, 5});
  CHECK(load_svm("1 1:1\n0 1:3\n", "'features': 9")->train.shape.channels == 9);
  CHECK(contains(problem_of("1 1:1\n0 4:3\n", "'features': 3"), "feature 4"));
}

TEST_CASE("libsvm: regression") {
  const auto data = load_svm("0.5 1:1\n1.5 1:3\n-2 1:1\n");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.targets == std::vector<float>{0.5F, 1.5F, -2.0F});
}

TEST_CASE("libsvm: what is malformed is refused with its line") {
  CHECK(contains(problem_of("1 1:1\n1 2:x\n"), "line 2: feature 2: \"x\" is not a number"));
  CHECK(contains(problem_of("1 1:1\n1 2:nan\n"), "not finite"));
  CHECK(contains(problem_of("1 1:1\n1 2:\n"), "line 2"));
  CHECK(contains(problem_of("1 1:1\n1 -2:1\n"), "line 2"));
  CHECK(contains(problem_of("1 1:1\n1 :1\n"), "line 2"));
  CHECK(contains(problem_of("1 1:1\n1 17\n"), "not INDEX:VALUE"));
  CHECK(contains(problem_of("1 3:1 2:1\n"), "ascend"));
  CHECK(contains(problem_of("1 2:1 2:1\n"), "ascend"));
  CHECK(contains(problem_of("1 qid:3 2:1\n"), "ranking"));
  CHECK(contains(problem_of("1,2 2:1\n"), "several labels"));
  CHECK(contains(problem_of("cat 2:1\n"), "label \"cat\""));
  CHECK(contains(problem_of("# nothing\n"), "no samples"));
  CHECK(contains(problem_of("1\n0\n"), "no features"));
  CHECK(contains(problem_of("nan 1:1\n1 1:2\n"), "line 1"));
}

TEST_CASE("libsvm: an absurd index is refused before any memory is taken") {
  CHECK(contains(problem_of("1 1:1\n0 4000000000:1\n"), "stored densely"));
  CHECK(contains(problem_of("1 1:1\n0 18446744073709551615:1\n"), "too large"));
  CHECK(contains(problem_of("1 1:1\n0 99999999999999999999:1\n"), "line 2"));
  CHECK(contains(problem_of("1 1:1\n0 1:1\n", "'features': 100000000"), "stored densely"));
  CHECK(load_svm("1 100000:1\n0 1:1\n").ok()); // sparse, but small
}
