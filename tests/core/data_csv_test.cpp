#include "core/formats/csv_tokenizer.hpp"
#include "tests/core/data_support.hpp"

#include <doctest/doctest.h>

using namespace triage;
using namespace triage::test;

namespace {

using rows = std::vector<std::vector<std::string>>;

result<rows> tokenize(std::string text, char delimiter = ',') {
  csv_tokenizer tokenizer(text, delimiter, "t.csv");
  rows out;
  std::vector<std::string_view> cells;
  while (true) {
    auto more = tokenizer.next(cells);
    if (!more.ok())
      return more.error();
    if (!*more)
      return out;
    out.emplace_back(cells.begin(), cells.end());
  }
}

/// Loads `text` as the training file; everything stays in the training set.
result<data_splits> load_csv(const std::string& text, const std::string& more = {},
                             const std::string& test_text = {}) {
  const temp_folder folder;
  folder.write("train.csv", text);
  if (!test_text.empty())
    folder.write("test.csv", test_text);
  return load("{'format': 'csv', 'standardize': false, 'test_fraction': 0, 'path': '" + folder.path() + "'" +
              (more.empty() ? "" : ", " + more) + "}");
}

std::string problem_of(const std::string& text, const std::string& more = {},
                       const std::string& test_text = {}) {
  return data_problem(load_csv(text, more, test_text));
}

} // namespace

TEST_CASE("csv tokenizer: quotes, line ends, spaces and blank lines") {
  CHECK(*tokenize("a,b\nc,d\n") == rows{{"a", "b"}, {"c", "d"}});
  CHECK(*tokenize("a,b\r\nc,d") == rows{{"a", "b"}, {"c", "d"}});
  CHECK(*tokenize("a,b\rc,d\r") == rows{{"a", "b"}, {"c", "d"}});
  CHECK(*tokenize("\n a , b \n\r\n\nc,\n") == rows{{"a", "b"}, {"c", ""}});
  CHECK(*tokenize("\"a,\"\"b\"\"\r\nc\" ,d\n") == rows{{"a,\"b\"\r\nc", "d"}});
  CHECK(*tokenize("\"\"\n") == rows{{""}});
  CHECK(*tokenize("a\"b,c") == rows{{"a\"b", "c"}});
  CHECK(*tokenize("a\t b\n", '\t') == rows{{"a", "b"}});
  CHECK(tokenize("")->empty());
  CHECK(contains(data_problem(tokenize("x\n\"abc\nd")), "t.csv, line 2"));
  CHECK(contains(data_problem(tokenize("\"a\nb\"c,d\n")), "t.csv, line 2"));
}

TEST_CASE("csv: integer labels in the last column, without a header") {
  const auto data = load_csv("1,2,0\n3,4.5,1\n-1e-3,+6,0\n7,8,1\n");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.shape == sample_shape{2, 1, 1});
  CHECK(data->train.floats == std::vector<float>{1, 2, 3, 4.5F, -1e-3F, 6, 7, 8});
  CHECK(data->train.labels == std::vector<std::int32_t>{0, 1, 0, 1});
  CHECK(data->train.classes == 2);
  CHECK(data->names.classes.empty()); // their numbers are their names
  CHECK(data->names.of_class(1) == "1");
  CHECK(data->names.features.empty());
}

TEST_CASE("csv: string labels become classes in sorted order; byte order mark, CRLF and header are seen") {
  const auto data = load_csv("\xEF\xBB\xBFwidth,kind,height\r\n1,zebra,2\r\n3,ant,4\r\n5,zebra,6\r\n",
                             "'label_column': 'kind'");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.floats == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(data->train.labels == std::vector<std::int32_t>{1, 0, 1});
  CHECK(data->names.classes == std::vector<std::string>{"ant", "zebra"});
  CHECK(data->names.of_class(1) == "zebra");
  CHECK(data->names.features == std::vector<std::string>{"width", "height"});
  CHECK(data->names.outputs.empty());
}

TEST_CASE("csv: integer labels that do not start at 0 are numbered by value") {
  const auto data = load_csv("1,10\n2,-1\n3,2\n4,10\n5,-1\n6,2.0\n");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.labels == std::vector<std::int32_t>{2, 0, 1, 2, 0, 1});
  CHECK(data->names.classes == std::vector<std::string>{"-1", "2", "10"});
}

TEST_CASE("csv: cells are written so that they read back as they are") {
  for (const std::string text : {"plain", "", " padded", "a,b", "say \"no\"", "two\nlines", "tab\t"}) {
    CAPTURE(text);
    std::string row = csv_cell(text) + ",end\n";
    csv_tokenizer rows(row, ',', "t.csv");
    std::vector<std::string_view> cells;
    REQUIRE(rows.next(cells).ok());
    CHECK(cells == std::vector<std::string_view>{text, "end"});
  }
  CHECK(csv_cell("plain") == "plain");
}

TEST_CASE("csv: what the label is, found or said") {
  const std::string many = "1,1\n2,2\n3,3\n4,4\n5,5\n";
  CHECK(load_csv(many)->train.outputs == 1);
  CHECK(load_csv(many)->train.targets == std::vector<float>{1, 2, 3, 4, 5});
  CHECK(load_csv(many, "'task': 'classification'")->train.classes == 5);
  const std::string few = "1,1\n2,2\n3,1\n4,2\n";
  CHECK(load_csv(few)->train.classes == 2);
  CHECK(load_csv(few, "'task': 'regression'")->train.outputs == 1);
  CHECK(load_csv("1,0.5\n2,0.5\n3,1\n4,1\n")->train.outputs == 1);
}

TEST_CASE("csv: several targets, chosen columns, other delimiters") {
  const auto data = load_csv("id;a;b;u;v\n7;1;2;3;4\n8;5;6;7;8\n",
                             "'delimiter': ';', 'target_columns': ['v', 3], 'ignore_columns': ['id']");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.outputs == 2);
  CHECK(data->train.floats == std::vector<float>{1, 2, 5, 6});
  CHECK(data->train.targets == std::vector<float>{4, 3, 8, 7});
  const auto first = load_csv("1,5,6\n0,7,8\n1,9,9\n0,1,1\n", "'label_column': 0, 'ignore_columns': [-1]");
  REQUIRE_MESSAGE(first.ok(), first.error().message);
  CHECK(first->train.floats == std::vector<float>{5, 7, 9, 1});
  CHECK(first->train.labels == std::vector<std::int32_t>{1, 0, 1, 0});
}

TEST_CASE("csv: the header is recognised") {
  CHECK(load_csv("a,b,y\n1,2,0\n3,4,1\n")->train.size == 2);
  CHECK(load_csv("1,2,cat\n3,4,dog\n")->train.size == 2); // only the label is text: no header
  CHECK(load_csv("0,1,label\n3,4,0\n5,6,1\n1,1,1\n1,1,0\n")->train.size == 4); // numbers as names
  CHECK(load_csv("1,2,0\n3,4,0\n5,6,1\n", "'header': 'yes'")->train.size == 2);
  // A bad value in the first sample is no header: it would take the sample with it.
  CHECK(contains(problem_of("NA,2,5,0\n1,2,5,0\n3,4,5,1\n"), "line 1, column 1"));
  CHECK(contains(problem_of("a,b,y\n1,2,0\n", "'header': 'no'"), "line 1, column 1"));
  CHECK(contains(problem_of("a,b,y\n"), "no samples"));
}

TEST_CASE("csv: a header of column numbers beside text labels is one where its label occurs nowhere else") {
  const auto data = load_csv("0,1,label\n5,6,cat\n7,8,dog\n9,1,cat\n");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.floats == std::vector<float>{5, 6, 7, 8, 9, 1});
  CHECK(data->names.classes == std::vector<std::string>{"cat", "dog"});
  CHECK(data->names.features == std::vector<std::string>{"0", "1"});
  // The label anywhere, with and without a number of its own.
  CHECK(load_csv("0,kind,2\n5,cat,6\n7,dog,8\n", "'label_column': 1")->train.size == 2);
  CHECK(load_csv("kind,0,1\ncat,5,6\ndog,7,8\n", "'label_column': 0")->train.size == 2);
  // A sample that looks like it keeps its place.
  const auto sample = load_csv("0,1,cat\n5,6,dog\n7,8,cat\n");
  REQUIRE_MESSAGE(sample.ok(), sample.error().message);
  CHECK(sample->train.floats == std::vector<float>{0, 1, 5, 6, 7, 8});
  CHECK(sample->train.labels == std::vector<std::int32_t>{0, 1, 0});
  CHECK(sample->names.features.empty());
  // Samples with labels of their own.
  for (const char* text :
       {"1,0,bird\n5,6,cat\n7,8,dog\n", "0,2,bird\n5,6,cat\n7,8,dog\n", "0,1.0,bird\n5,6,cat\n7,8,dog\n"})
    CHECK_MESSAGE(load_csv(text)->train.classes == 3, text);
  CHECK(load_csv("0,1,bird\n5,6,cat\n7,8,dog\n", "'header': 'no'")->train.classes == 3);
  // A test file has no header where the training file has none.
  CHECK(load_csv("5,6,cat\n7,8,dog\n", "", "0,1,cat\n7,8,dog\n")->test.size == 2);
  CHECK(load_csv("0,1,kind\n5,6,cat\n7,8,dog\n", "", "0,1,kind\n7,8,dog\n")->test.size == 1);
}

TEST_CASE("csv: one label for all rows is refused with what may be meant") {
  const auto problem = problem_of("1,7\n2,7\n3,7\n");
  CHECK(problem.find("nothing to learn") != std::string::npos);
  CHECK(problem.find("regression") != std::string::npos);
  CHECK(load_csv("1,7\n2,7\n3,7\n", "'task': 'regression'").ok());
}

TEST_CASE("csv: a column whose steps single precision cannot hold is refused, one that is constant not") {
  const auto rows_of = [](const std::vector<std::string>& values) {
    std::string text = "time,label\n";
    for (std::size_t i = 0; i < values.size(); ++i)
      text += values[i] + (i % 2 == 0 ? ",0\n" : ",1\n");
    return text;
  };
  const auto problem = problem_of(rows_of({"1700000000", "1700000010", "1700000020", "1700000900"}));
  CHECK(problem.find("time") != std::string::npos);
  CHECK(problem.find("subtract 1700000000") != std::string::npos);
  CHECK(problem.find("ignore_columns") != std::string::npos);
  for (const auto& fine : {std::vector<std::string>{"0.1", "0.1", "0.1"},
                           {"0.1", "0.10000000000000001", "0.1"},
                           {"16777216", "16777218", "16777220"},
                           {"1000000", "1000001", "1000002"},
                           {"1600000000", "1700000010", "1650000000"},
                           {"1e-30", "2e-30", "0"}})
    CHECK_MESSAGE(load_csv(rows_of(fine)).ok(), fine[1]);
}

TEST_CASE("csv: a target whose steps single precision cannot hold is refused as well") {
  const std::string text = "x,y,time\n1,0.5,1700000000\n2,0.25,1700000001\n3,0.75,1700000003\n";
  const auto problem = problem_of(text, "'target_columns': ['y', 'time']");
  CHECK(problem.find("column 3 (\"time\")") != std::string::npos);
  CHECK(problem.find("subtract 1700000000") != std::string::npos);
  CHECK(problem_of(text, "'ignore_columns': ['y'], 'task': 'regression'").find("subtract 1700000000") !=
        std::string::npos);
  CHECK(load_csv(text, "'target_columns': ['y'], 'ignore_columns': ['time']").ok());
  // A small test file may hold what lies close together.
  CHECK(load_csv("x,y\n1,0\n2,5000.5\n3,9000.25\n", "'task': 'regression'", "x,y\n1,5000.01\n2,5000.02\n")
            .ok());
}

TEST_CASE("csv: a test file shares columns and classes") {
  const auto data = load_csv("a,y\n1,red\n2,blue\n", "", "a,y\n5,red\n");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->test.labels == std::vector<std::int32_t>{1});
  CHECK(data->test.classes == 2);
  CHECK(contains(problem_of("1,red\n2,blue\n", "", "5,red\n6,gren\n"),
                 "test.csv, line 2, column 2: the label \"gren\""));
  CHECK(contains(problem_of("1,red\n2,blue\n", "", "5,1,red\n"), "3 columns"));
  CHECK(contains(problem_of("a,y\n1,2\n", "", "b,y\n1,2\n"), "header differs"));
  CHECK(contains(problem_of("a,y\n1,red\n2,blue\n", "", "y,a\nred,1\n"), "header differs"));
}

TEST_CASE("csv: bad cells are errors that name file, line and column") {
  const std::string header = "age,size,y\n";
  for (const std::string cell :
       {"nan", "inf", "-Infinity", "1e39", "1e999", "abc", "", "0x10", "1,5", "1 2", "\"\""}) {
    const auto message = problem_of(header + "1,2,0\n\n3," + cell + ",1\n");
    CHECK_MESSAGE(contains(message, "train.csv, line 4"), message);
    if (cell != "1,5")
      CHECK_MESSAGE(contains(message, "column 2 (\"size\")"), message);
  }
  CHECK(contains(problem_of(header + "1,2,0\n1,2\n"), "line 3: has 2 cells where 3 are expected"));
  CHECK(contains(problem_of("1,2.5\n2,nan\n3,0.5\n"), "line 2, column 2"));
  CHECK(contains(problem_of("1,a\n2,\n"), "label is missing"));
  CHECK(contains(problem_of("1,2\n", "'label_column': 2"), "no column with index 2"));
  CHECK(contains(problem_of("a,b\n1,2\n", "'label_column': 'bb'"), "did you mean \"b\""));
  CHECK(contains(problem_of("1\n2\n"), "none is left as feature"));
  CHECK(contains(problem_of("1,2\n", "'ignore_columns': [1]"), "both the label and ignored"));
  CHECK(contains(problem_of("\n\n\n"), "no rows"));
  CHECK(contains(problem_of(std::string("\xFF\xFE"
                                        "1\0,\0",
                                        6)),
                 "UTF-16"));
  CHECK(load_csv("1e-400,0\n2,1\n")->train.floats[0] == 0.0F); // underflow is no error
}

TEST_CASE("csv: a first sample with missing values is no header, and a missing label no class") {
  for (const std::string marker : {"NA", "?", "n/a", "null", "<NA>", ""}) {
    CAPTURE(marker);
    const auto first = problem_of(marker + "," + marker + ",1\n1,2,0\n3,4,1\n");
    CHECK_MESSAGE(contains(first, "line 1, column 1"), first);
    CHECK_MESSAGE(contains(problem_of("1,2," + marker + "\n1,3,0.5\n3,4,1\n", "'task': 'regression'"),
                           "line 1, column 3"),
                  marker);
    const auto label = problem_of("1,x\n2," + marker + "\n3,y\n4,x\n");
    CHECK_MESSAGE(contains(label, "line 2, column 2: the label is missing"), label);
  }
  CHECK(contains(problem_of("a,b,y\n1,NA,0\n1,2,1\n"), "\"NA\" is a missing value"));
  CHECK(load_csv("NA,b,y\n1,2,0\n3,4,1\n")->names.features ==
        std::vector<std::string>{"NA", "b"}); // most are names
}

TEST_CASE("csv: text that is not UTF-8 is refused with its line, other letters are welcome") {
  const auto problem = problem_of("1,rot\n2,gr\xfcn\n3,rot\n");
  CHECK_MESSAGE(contains(problem, "train.csv: line 2 holds bytes that are not UTF-8 (\"\\xfcn"), problem);
  for (const char* odd : {"\x80", "\xc3", "\xed\xa0\x80", "\xc0\xaf", "\xf5\x80\x80\x80"})
    CHECK(contains(problem_of(std::string("1,a\n2,") + odd + "\n"), "not UTF-8"));
  CHECK(load_csv("1,gr\u00fcn\n2,\u65e5\u672c\n3,\U0001f600\n")->train.classes == 3);
}

TEST_CASE("csv: a validation set that was asked for and would be empty is refused") {
  const auto problem = problem_of("1,a\n2,b\n", "'validation_fraction': 0.5");
  CHECK_MESSAGE(contains(problem, "/data/validation_fraction: 0.5 of 2 samples, by class, are none"),
                problem);
  CHECK(load_csv("1,0\n2,1\n3,0\n4,1\n", "'validation_fraction': 0.5")->validation.size == 2);
}

TEST_CASE("csv: contradictory options are refused before a file is touched") {
  for (const std::string more : {"'label_column': {}", "'ignore_columns': 3", "'target_columns': [true]",
                                 "'task': 'classification', 'target_columns': [0, 1]",
                                 "'header': 'no', 'label_column': 'y'", "'delimiter': 'ab'"}) {
    const auto data = load_csv("1,2\n", more);
    REQUIRE(!data.ok());
    CHECK(data.error().kind == error_kind::configuration);
    CHECK_MESSAGE(contains(data.error().message, "run.json, line 1, /data"), data.error().message);
  }
}

TEST_CASE("csv: line ends inside quotes keep later line numbers right; tsv has tabs") {
  CHECK(contains(problem_of("\"a\nb\",y\n1,0\nx,1\n"), "line 4"));
  const temp_folder folder;
  const auto path = folder.write("d.tsv", "1\t2\tcat\n3\t4\tdog\n");
  const auto data = load("{'format': 'tsv', 'path': '" + path + "', 'test_fraction': 0}");
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.labels == std::vector<std::int32_t>{0, 1});
}
