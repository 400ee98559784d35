#include "apps/prediction_input.hpp"

#include "command_support.hpp"
#include "core/npy.hpp"

using namespace triage;
using namespace triage::test;

namespace {

constexpr sample_shape three{3, 1, 1};
constexpr sample_shape image{1, 2, 2};

result<dataset> read_samples(const std::string& path, const expected_samples& expected) {
  auto read = read_prediction_input(path, expected);
  if (!read.ok())
    return read.error();
  CHECK(read->ignored_columns.empty());
  return std::move(read->samples);
}

expected_samples expecting(const sample_shape& shape, bool channels_last = false) {
  expected_samples out;
  out.shape = shape;
  out.channels_last = channels_last;
  return out;
}

struct input {
  scratch_folder folder;
  result<dataset> csv(const std::string& text, const std::string& name = "in.csv") const {
    return read_samples(folder.file(name, text), expecting(three));
  }
  std::string problem(const std::string& text, const std::string& name = "in.csv") const {
    const auto read = csv(text, name);
    REQUIRE(!read.ok());
    CHECK(read.error().kind == error_kind::data);
    CHECK_MESSAGE(read.error().message.find(name) != std::string::npos, read.error().message);
    return read.error().message;
  }
};

/// An IDX file of bytes with these dimensions.
std::string idx_text(const std::vector<unsigned>& dimensions, const std::string& bytes) {
  std::string out{'\0', '\0', '\x08', static_cast<char>(dimensions.size())};
  for (const unsigned d : dimensions)
    for (int shift = 24; shift >= 0; shift -= 8)
      out += static_cast<char>((d >> static_cast<unsigned>(shift)) & 0xFFU);
  return out + bytes;
}

} // namespace

TEST_CASE(
    "prediction input: CSV rows become samples, with and without a header, with any end of the last line") {
  const input i;
  for (const char* text : {"1,2,3\n4,5,6\n", "1,2,3\n4,5,6", "a,b,c\n1,2,3\n4,5,6\n", "1,2,3\r\n4,5,6\r\n"}) {
    CAPTURE(std::string(text));
    const auto read = i.csv(text);
    REQUIRE_MESSAGE(read.ok(), (read.ok() ? "" : read.error().message));
    CHECK(read->size == 2);
    CHECK(read->floats == std::vector<float>{1, 2, 3, 4, 5, 6});
    CHECK(!read->is_bytes());
  }
  const auto tabs = i.csv("1\t2\t-3.5e2\n", "in.tsv");
  REQUIRE(tabs.ok());
  CHECK(tabs->floats == std::vector<float>{1.0F, 2.0F, -350.0F});
}

TEST_CASE("prediction input: what is wrong with a CSV is said with its line") {
  const input i;
  CHECK(i.problem("1,2,3\n4,5\n").find("line 2: 2 values, but the model takes 3") != std::string::npos);
  CHECK(i.problem("1,2,3,4\n").find("line 1") != std::string::npos);
  CHECK(i.problem("1,2,3\n4,x,6\n").find("line 2") != std::string::npos);
  CHECK(i.problem("1,2,3\n4,,6\n").find("line 2") != std::string::npos);
  CHECK(i.problem("1,2,nan\n").find("line 1") != std::string::npos);
  CHECK(i.problem("1,2,1e99\n").find("line 1") != std::string::npos);
  CHECK(i.problem("a,b,c\n").find("holds no samples") != std::string::npos); // a header and nothing else
  (void)i.problem("");
  // Only the first line may be a header.
  CHECK(i.problem("a,b,c\nd,e,f\n").find("line 2") != std::string::npos);
}

TEST_CASE("prediction input: an empty line is a missing value where a sample has only one") {
  const scratch_folder folder;
  const auto read = [&](const std::string& text) {
    return read_prediction_input(folder.file("one.csv", text), expecting({1, 1, 1}));
  };
  CHECK(read("a\n1\n2\n\n")->samples.size == 2);
  CHECK(read("\n1\n2\n")->samples.size == 2);
  for (const auto& [text, line] : {std::pair{"a\n1\n\n2\n", "3"}, {"a\n\n1\n2\n", "2"}, {"1\n\n2\n", "2"}}) {
    const auto hole = read(text);
    REQUIRE(!hole.ok());
    CHECK_MESSAGE(hole.error().message.find(std::string("one.csv, line ") + line + ": the cell is empty") !=
                      std::string::npos,
                  hole.error().message);
  }
}

TEST_CASE("prediction input: npy of floats, bytes and integers, as samples of the model's shape or as rows") {
  const input i;
  const auto file = i.folder.path("in.npy");
  REQUIRE(write_npy(file, {2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6}).ok());
  const auto floats = read_samples(file, expecting(three));
  REQUIRE(floats.ok());
  CHECK(floats->size == 2);
  CHECK(floats->floats[5] == 6.0F);
  REQUIRE(write_npy(file, {2, 2, 2}, std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6, 7, 255}).ok());
  const auto bytes = read_samples(file, expecting(image));
  REQUIRE(bytes.ok());
  CHECK(bytes->size == 2);
  CHECK(bytes->is_bytes());
  CHECK(bytes->bytes[7] == 255);
  CHECK(!read_samples(file, expecting(three)).ok()); // 8 values are no samples of 3
  REQUIRE(write_npy(file, {2, 4}, std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6, 7, 255}).ok());
  CHECK(read_samples(file, expecting(image))->size == 2); // rows may stand for images
  REQUIRE(write_npy(file, {3}, std::vector<std::int64_t>{1, 2, 3}).ok());
  const auto integers = read_samples(file, expecting(three));
  REQUIRE(integers.ok()); // one sample
  CHECK(integers->size == 1);
  CHECK(integers->floats == std::vector<float>{1, 2, 3});
  REQUIRE(write_npy(file, {3, 2}, std::vector<float>{1, 2, 3, 4, 5, 6}).ok()); // transposed
  const auto transposed = read_samples(file, expecting(three));
  REQUIRE(!transposed.ok());
  CHECK(transposed.error().kind == error_kind::data);
  CHECK(transposed.error().message.find("but the model takes 3") != std::string::npos);
  REQUIRE(write_npy(file, {1, 3}, std::vector<float>{1, std::numeric_limits<float>::quiet_NaN(), 3}).ok());
  CHECK(read_samples(file, expecting(three)).error().message.find("not finite") != std::string::npos);
  REQUIRE(write_npy(file, {0, 3}, std::vector<float>{}).ok());
  CHECK(!read_samples(file, expecting(three)).ok());
}

TEST_CASE("prediction input: images with channels last are turned as those of the training data") {
  const input i;
  const auto file = i.folder.path("in.npy");
  const sample_shape colours{3, 1, 2};
  REQUIRE(write_npy(file, {1, 1, 2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6}).ok());
  const auto turned = read_samples(file, expecting(colours, true));
  REQUIRE_MESSAGE(turned.ok(), (turned.ok() ? "" : turned.error().message));
  CHECK(turned->floats == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(!read_samples(file, expecting(colours, false)).ok());
}

TEST_CASE("prediction input: IDX images, whatever the file is called; a damaged one is refused") {
  const input i;
  const auto file = i.folder.file("images-idx3-ubyte", idx_text({3, 2, 2}, "abcdefghijkl"));
  const auto read = read_samples(file, expecting(image));
  REQUIRE_MESSAGE(read.ok(), (read.ok() ? "" : read.error().message));
  CHECK(read->size == 3);
  CHECK(read->bytes[4] == 'e');
  CHECK(!read_samples(i.folder.file("short", idx_text({3, 2, 2}, "abc")), expecting(image)).ok());
  CHECK(!read_samples(i.folder.file("text", "no idx at all"), expecting(image)).ok());
  CHECK(!read_samples(i.folder.file("shape", idx_text({1, 3}, "abc")), expecting(image)).ok());
  const auto missing = read_samples(i.folder.path("missing"), expecting(image));
  REQUIRE(!missing.ok());
  CHECK(missing.error().message.find("missing") != std::string::npos);
}

TEST_CASE("prediction input: IDX samples have the model's shape or are rows of as many values") {
  const input i;
  const auto read = [&](const std::vector<unsigned>& dimensions, const sample_shape& shape) {
    return read_samples(i.folder.file("in", idx_text(dimensions, "abcdefgh")), expecting(shape));
  };
  const sample_shape wide{1, 2, 4};
  for (const auto& dimensions : {std::vector<unsigned>{1, 2, 4}, {1, 1, 2, 4}, {1, 8}})
    CHECK(read(dimensions, wide)->size == 1);
  CHECK(read({2, 4}, {4, 1, 1})->size == 2);
  for (const auto& dimensions : {std::vector<unsigned>{1, 4, 2}, {2, 2, 2}, {1, 2, 2, 2}, {8}}) {
    const auto refused = read(dimensions, wide);
    REQUIRE(!refused.ok());
    CHECK(refused.error().kind == error_kind::data);
    CHECK(refused.error().message.find("but the model takes 1x2x4") != std::string::npos);
  }
}

TEST_CASE("prediction input: a first row of missing values is a sample, and said to be a bad one") {
  const input i;
  for (const char* row : {"NA,NA,NA", "a,b,NaN", "null,NULL,x", "?,?,?", "\"\",\"\",\"\"", "a,,c"}) {
    CAPTURE(std::string(row));
    CHECK(i.problem(std::string(row) + "\n1,2,3\n").find("line 1") != std::string::npos);
  }
  CHECK(i.csv("not available,b,c\n1,2,3\n")->size == 1);
}

TEST_CASE(
    "prediction input: text files hold tabs where the training data did, unless their name says commas") {
  const input i;
  expected_samples expected = expecting(three);
  expected.tabs = true;
  CHECK(read_samples(i.folder.file("in.txt", "1\t2\t3\n"), expected)->size == 1);
  CHECK(read_samples(i.folder.file("in.csv", "1,2,3\n"), expected)->size == 1);
  CHECK(!read_samples(i.folder.file("in.txt", "1,2,3\n"), expected).ok());
}

TEST_CASE("prediction input: where columns are called by numbers, samples may hold some of these") {
  const input i;
  expected_samples expected = expecting(three);
  expected.features = {"0", "1", "2"};
  CHECK(read_samples(i.folder.file("in.csv", "1,0,0\n4,5,6\n"), expected)->size == 2);
  const auto named = read_samples(i.folder.file("in.csv", "2,1,0\n4,5,6\n"), expected);
  REQUIRE(named.ok());
  CHECK(named->floats == std::vector<float>{6, 5, 4});
}

TEST_CASE("prediction input: columns are found by their names, in any order, beside others") {
  const input i;
  const expected_samples expected{three, false, ';', {"a", "b", "c d"}};
  const auto read = [&](const std::string& text) {
    return read_prediction_input(i.folder.file("in.csv", text), expected);
  };
  const auto mixed = read("id;c d;a;\"la;bel\";b\nx;3;1;cat;2\ny;6;4;dog;5\n");
  REQUIRE_MESSAGE(mixed.ok(), (mixed.ok() ? "" : mixed.error().message));
  CHECK(mixed->samples.size == 2);
  CHECK(mixed->samples.floats == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(mixed->ignored_columns == std::vector<std::string>{"id", "la;bel"});
  const auto nameless = read("1;2;3\n");
  REQUIRE(nameless.ok());
  CHECK(nameless->samples.floats == std::vector<float>{1, 2, 3});
  const auto problem = [&](const std::string& text) {
    const auto refused = read(text);
    REQUIRE(!refused.ok());
    return refused.error().message;
  };
  CHECK(problem("a;b;cd\n1;2;3\n").find("no column \"c d\"") != std::string::npos);
  CHECK(problem("a;b;cd\n1;2;3\n").find("is it \"cd\"?") != std::string::npos);
  CHECK(problem("x;y;z\n1;2;3\n").find("no column \"a\"") != std::string::npos); // another table
  CHECK(problem("a;b;c d;a\n1;2;3;4\n").find("several columns \"a\"") != std::string::npos);
  CHECK(problem("a;b;c d;e\n1;2;3\n").find("line 2: 3 values, but the header names 4") != std::string::npos);
}

TEST_CASE("prediction input: LIBSVM files, by any name, for models that were trained on such data") {
  const input i;
  expected_samples expected = expecting(three);
  expected.first_index = 1;
  for (const char* name : {"in.svm", "in.libsvm", "in.txt", "a1a.t", "a1a"}) {
    CAPTURE(std::string(name));
    const auto read = read_samples(i.folder.file(name, "1 1:4 3:5\n2:6\n"), expected);
    REQUIRE_MESSAGE(read.ok(), read.error().message);
    CHECK(read->floats == std::vector<float>{4, 0, 5, 0, 6, 0});
  }
  CHECK(read_samples(i.folder.file("in.csv", "1,2,3\n"), expected)->floats == std::vector<float>{1, 2, 3});
  const auto other = read_samples(i.folder.file("in.svm", "1 1:4\n"), expecting(three));
  REQUIRE(!other.ok());
  CHECK(other.error().message.find("whether indices begin at 0 or 1") != std::string::npos);
}
