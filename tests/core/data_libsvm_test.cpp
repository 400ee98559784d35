#include "core/formats/libsvm_samples.hpp"
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

TEST_CASE("libsvm: a feature whose steps single precision cannot hold is refused in training data") {
  const std::string times = "0 1:1 3:1700000000\n1 1:2 3:1700000010\n0 3:1700000020 # two without 1\n";
  const auto problem = problem_of(times);
  CHECK_MESSAGE(contains(problem, "train.libsvm: feature 3: its values lie between"), problem);
  CHECK_MESSAGE(contains(problem, "subtract 1700000000"), problem);
  CHECK(load_svm("0 1:1\n1 3:1700000000\n0 3:1700000010\n").ok()); // beside a zero that is left out
  CHECK(load_svm("0 1:1\n1 3:2000000000\n0 3:1000000000\n", "", times).ok());
  CHECK(load_svm("0 1:1\n1 1000000:1\n").ok());
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

TEST_CASE("libsvm: what the first feature is called is known afterwards") {
  CHECK(load_svm("1 0:1 2:2\n0 1:3\n1 0:1\n0 0:1\n")->names.first_index == 0);
  const std::string from_one = "1 1:1 2:2\n0 1:3\n1 1:0\n0 1:1\n";
  CHECK(load_svm(from_one)->names.first_index == 1);
  CHECK(load_svm(from_one, "'zero_based': 'yes'")->names.first_index == 0);
  CHECK(load_svm(from_one, "", "1 0:1\n")->names.first_index == 0);
}

TEST_CASE("libsvm: samples to predict, from either first index, with and without labels") {
  const temp_folder folder;
  const auto read = [&](const std::string& text, std::uint64_t first) {
    return read_libsvm_samples(folder.write("in.svm", text), first, 3);
  };
  const std::vector<float> expected{0.5F, 0, 2, 0, 7, 0};
  for (const char* text : {"1 1:0.5 3:2\n0 2:7\n", "1:0.5 3:2\n2:7",
                           "-3.5 1:0.5 3:2 # one\n# none\n2:7\r\n\n", "\n\n1:0.5 3:2\n2:7\n\n \n"}) {
    CAPTURE(std::string(text));
    const auto set = read(text, 1);
    REQUIRE_MESSAGE(set.ok(), set.error().message);
    CHECK(set->size == 2);
    CHECK(set->shape == sample_shape{3, 1, 1});
    CHECK(set->floats == expected);
  }
  CHECK(read("1 0:0.5 2:2\n\n0 1:7\n", 0)->floats == expected); // with labels an empty line is none
  CHECK(read("1\n0 2:7\n", 1)->floats == std::vector<float>{0, 0, 0, 0, 7, 0});
  folder.write("packed.svm.gz", gzip("2:7\n"));
  CHECK(read_libsvm_samples(folder.path("packed.svm.gz"), 1, 3)->floats == std::vector<float>{0, 7, 0});
}

TEST_CASE("libsvm: samples that the model does not take are refused with their line") {
  const temp_folder folder;
  const auto problem = [&](const std::string& text, std::uint64_t first, std::uint64_t features = 3) {
    const auto set = read_libsvm_samples(folder.write("in.svm", text), first, features);
    REQUIRE(!set.ok());
    CHECK(set.error().kind == error_kind::data);
    CHECK(contains(set.error().message, "in.svm"));
    return set.error().message;
  };
  CHECK(contains(problem("1:1\n\n2:1\n", 1), "line 2: is empty"));
  CHECK(contains(problem("1:1\n0:1\n", 1),
                 "line 2: has feature 0, but the model was trained on features 1 to 3"));
  CHECK(contains(problem("1:1\n3:1\n", 0),
                 "line 2: has feature 3, but the model was trained on features 0 to 2"));
  CHECK(contains(problem("5\n6\n", 1), "holds no features"));
  CHECK(contains(problem("", 1), "empty"));
  CHECK(contains(problem("# nothing\n", 1), "holds no samples"));
  CHECK(contains(problem("1,2,3\n", 1), "line 1: the label"));
  CHECK(contains(problem("1:1 2\n", 1), "line 1: \"2\" is not INDEX:VALUE"));
  CHECK(contains(problem("2:1 1:1\n", 1), "must ascend"));
  CHECK(contains(problem("1:nan\n", 1), "line 1: feature 1"));
  CHECK(contains(problem("1:1\n1:2\n", 1, 50'000'000), "times the file"));
}

TEST_CASE("libsvm: a file that counts from 0 beside one that counts from 1 is refused") {
  const temp_folder folder;
  const auto problem = [&](const std::string& train, const std::string& test, const char* base) {
    json_value data;
    data.set("format", json_value("libsvm"));
    data.set("train", json_value(folder.write("a.svm", train)));
    data.set("test", json_value(folder.write("b.svm", test)));
    data.set("zero_based", json_value(base));
    const auto loaded = load_data(data, {"test", "/data"}, 1, nullptr);
    return loaded.ok() ? std::string() : loaded.error().message;
  };
  const std::string from_zero = "0 0:1 2:3\n1 1:2\n";
  const std::string from_one = "0 1:1 3:3\n1 2:2\n";
  CHECK(contains(problem(from_one, from_zero, "auto"), "differently"));
  CHECK(contains(problem(from_zero, from_one, "auto"), "zero_based"));
  CHECK(problem(from_zero, from_zero, "auto").empty());
  CHECK(problem(from_zero, "0 1:1 2:3\n1 1:2\n", "auto").empty()); // the first feature is just not there
}
