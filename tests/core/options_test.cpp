#include "core/options.hpp"
#include "core/overrides.hpp"
#include "tests/support/json_text.hpp"

#include <doctest/doctest.h>

using namespace triage;

namespace {

struct sample : configurable {
  bool flag = true;
  std::int64_t count = 3;
  double rate = 0.5;
  std::string mode = "fast";
  std::optional<double> limit = 1.0;
  std::optional<std::int64_t> seed;
  std::vector<std::string> names = {"x"};
  std::vector<std::int64_t> sizes;
  json_value part = json_value("default");
  std::int64_t inner = 1;
  std::string needed;

  void visit(option_visitor& v) override {
    v.field({.name = "flag", .doc = "a flag"}, flag);
    v.field({.name = "count", .doc = "a count", .min = 1, .max = 10}, count);
    v.field({.name = "rate", .doc = "a rate", .min = 0}, rate);
    v.field({.name = "mode", .doc = "a mode", .choices = {"fast", "slow"}}, mode);
    v.field({.name = "limit", .doc = "a limit", .max = 2}, limit);
    v.field({.name = "seed", .doc = "a seed"}, seed);
    v.field({.name = "names", .doc = "names"}, names);
    v.field({.name = "sizes", .doc = "sizes", .min = 1}, sizes);
    v.field({.name = "part", .doc = "a part", .type = "name or index"}, part);
    v.group({.name = "group", .doc = "a group"},
            [this](option_visitor& g) { g.field({.name = "inner", .doc = "inside", .max = 9}, inner); });
    v.field({.name = "needed", .doc = "no default", .required = true}, needed);
  }
};

result<void> read(sample& s, const std::string& text, const std::vector<std::string_view>& skip = {}) {
  return read_options(
      json_text(text), {"run.json", "/opt"}, [&](option_visitor& v) { s.visit(v); }, skip);
}

/// The message for an object with these members beside the required one.
std::string problem(const std::string& members) {
  sample s;
  const auto done = read(s, "{\"needed\": \"n\",\n" + members + "}");
  if (done.ok())
    return "(no error)";
  CHECK(done.error().kind == error_kind::configuration);
  return done.error().message;
}

} // namespace

TEST_CASE("options are filled, and absent and null ones keep their defaults") {
  sample s;
  REQUIRE(
      read(s,
           R"({"needed": "n", "flag": false, "count": 10, "rate": 2, "mode": "slow", "limit": null, "seed": 4,
                      "names": [], "sizes": [1, 2], "part": {"a": 1}, "group": {"inner": 9}})")
          .ok());
  CHECK(!s.flag);
  CHECK(s.count == 10);
  CHECK(s.rate == 2.0); // an integer is a number
  CHECK(s.mode == "slow");
  CHECK(!s.limit.has_value());
  CHECK(s.seed == 4);
  CHECK(s.names.empty());
  CHECK(s.sizes == std::vector<std::int64_t>{1, 2});
  CHECK(dump_json(s.part) == R"({"a":1})");
  CHECK(s.inner == 9);

  sample d;
  REQUIRE(
      read(
          d,
          R"({"needed": "n", "flag": null, "count": null, "rate": null, "mode": null, "names": null, "part": null,
                      "group": null})")
          .ok());
  CHECK(d.flag);
  CHECK(d.count == 3);
  CHECK(d.mode == "fast");
  CHECK(d.limit == 1.0);
  CHECK(d.names.size() == 1);
  CHECK(d.part.as_string() == "default");
}

TEST_CASE("whole numbers may be written with a point or an exponent") {
  sample s;
  REQUIRE(read(s, R"({"needed": "n", "count": 1e1})").ok());
  CHECK(s.count == 10);
  REQUIRE(read(s, R"({"needed": "n", "count": 4.0})").ok());
  CHECK(s.count == 4);
  CHECK(problem("\"count\": 1e300") == "run.json, line 2, /opt/count: must be an integer, not a number");
  CHECK(problem("\"count\": 1e2") == "run.json, line 2, /opt/count: is 100, must be 1 to 10");
}

TEST_CASE("wrong types and values out of range name source, line and pointer") {
  CHECK(problem("\"count\": 1.5") == "run.json, line 2, /opt/count: must be an integer, not a number");
  CHECK(problem("\n\"count\":\n 11") == "run.json, line 4, /opt/count: is 11, must be 1 to 10");
  CHECK(problem("\"count\": 0") == "run.json, line 2, /opt/count: is 0, must be 1 to 10");
  CHECK(problem("\"flag\": 1") == "run.json, line 2, /opt/flag: must be true or false, not an integer");
  CHECK(problem("\"rate\": \"1\"") == "run.json, line 2, /opt/rate: must be a number, not a string");
  CHECK(problem("\"rate\": -1e-9") == "run.json, line 2, /opt/rate: is -1e-09, must be at least 0");
  CHECK(problem("\"limit\": 3") == "run.json, line 2, /opt/limit: is 3, must be at most 2");
  CHECK(problem("\"mode\": \"fats\"") ==
        "run.json, line 2, /opt/mode: unknown value \"fats\": did you mean \"fast\"?; known: fast, slow");
  CHECK(problem("\"names\": \"x\"") == "run.json, line 2, /opt/names: must be an array, not a string");
  CHECK(problem("\"names\": [\"a\", 2]") ==
        "run.json, line 2, /opt/names: element 1 must be a string, not an integer");
  CHECK(problem("\"sizes\": [1, 0]") == "run.json, line 2, /opt/sizes: element 1 is 0, must be at least 1");
  CHECK(problem("\"group\": 1") == "run.json, line 2, /opt/group: must be an object, not an integer");
  CHECK(problem("\"group\": {\"inner\": 10}") ==
        "run.json, line 2, /opt/group/inner: is 10, must be at most 9");
}

TEST_CASE("unknown members are errors with a suggestion, before anything else") {
  CHECK(problem("\"cuont\": 1")
            .find("run.json, line 2, /opt/cuont: unknown key \"cuont\": did you mean \"count\"?") == 0);
  CHECK(problem("\"group\": {\"iner\": 1}")
            .find("/opt/group/iner: unknown key \"iner\": did you mean \"inner\"?") != std::string::npos);
  CHECK(problem("\"a/b~c\": 1").find("/opt/a~1b~0c: ") != std::string::npos);
  CHECK(problem("\"" + std::string(100000, 'k') + "\": 1").size() < 500);
  sample s;
  CHECK(read(s, "{\"neded\": \"n\"}").error().message.find("did you mean \"needed\"") != std::string::npos);
  CHECK(read(s, "{}").error().message == "run.json, line 1, /opt: \"needed\" is missing (no default)");
  CHECK(read(s, "{\"needed\": null}").error().message.find("is missing") != std::string::npos);
  CHECK(read(s, "[]").error().message == "run.json, line 1, /opt: must be an object, not an array");
  CHECK(read(s, "{\"needed\": \"n\", \"type\": 1}", {"type"}).ok());
  CHECK(!read(s, "{\"needed\": \"n\", \"type\": 1}").ok());
}

TEST_CASE("an option keeps its value when the given one is refused") {
  sample s;
  CHECK(!read(s, R"({"needed": "n", "names": ["a", 2]})").ok());
  CHECK(s.names == std::vector<std::string>{"x"});
}

TEST_CASE("written options are read back, and every one is described") {
  sample s;
  s.count = 7;
  s.needed = std::string("n");
  s.inner = 4;
  const auto written = write_options([&](option_visitor& v) { s.visit(v); });
  sample t;
  REQUIRE(read_options(written, {"again", ""}, [&](option_visitor& v) { t.visit(v); }).ok());
  CHECK(t.count == 7);
  CHECK(t.inner == 4);
  CHECK(dump_json(write_options([&](option_visitor& v) { t.visit(v); })) == dump_json(written));

  sample defaults;
  const auto rows = describe_options([&](option_visitor& v) { defaults.visit(v); });
  REQUIRE(rows.size() == 11);
  CHECK(rows[1].name == "count");
  CHECK(rows[1].type == "integer");
  CHECK(rows[1].default_value == "3");
  CHECK(rows[1].range == "1 to 10");
  CHECK(rows[3].range == "fast, slow");
  CHECK(rows[8].type == "name or index");
  CHECK(rows[9].name == "group.inner");
  CHECK(rows[10].default_value == "required");
}

TEST_CASE("a component is named by a string or by its type") {
  const json_place place{"run.json", "/loss"};
  CHECK(*read_type_name(json_text("\"mse\""), place, "loss") == "mse");
  CHECK(*read_type_name(json_text("{\"type\": \"mse\"}"), place, "loss") == "mse");
  CHECK(read_type_name(json_text("3"), place, "loss").error().message.find("/loss: must be a name") !=
        std::string::npos);
  CHECK(read_type_name(json_text("{}"), place, "loss").error().message.find("/loss: needs a \"type\"") !=
        std::string::npos);
  CHECK(read_type_name(json_text("{\n\"type\": 3}"), place, "loss").error().message ==
        "run.json, line 2, /loss/type: must be the name of the loss, not an integer");
}

TEST_CASE("--set: an error does not claim a line of the file") {
  auto v = json_text("{\"needed\": \"n\"}");
  REQUIRE(apply_overrides(v, {"group={\"inner\": 10}"}).ok());
  sample s;
  const auto done = read_options(v, {"run.json", ""}, [&](option_visitor& o) { s.visit(o); });
  CHECK(done.error().message == "run.json, /group/inner: is 10, must be at most 9");
}
