#include "core/json.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <limits>

using namespace triage;

namespace {

std::string problem(const std::string& text) {
  const auto parsed = parse_json(text, "f.json");
  if (parsed.ok())
    return "(no error)";
  CHECK(parsed.error().kind == error_kind::configuration);
  return parsed.error().message;
}

json_value good(const std::string& text) {
  auto parsed = parse_json(text, "f.json");
  REQUIRE_MESSAGE(parsed.ok(), parsed.error().message);
  return parsed.take();
}

bool starts(const std::string& text, std::string_view with) {
  return text.rfind(with, 0) == 0;
}

} // namespace

TEST_CASE("json values have their types, and objects keep the order of members") {
  const auto v = good(R"({"z": 1, "a": [true, null, -2, 0.5, "x\u00e9"], "m": {}})");
  CHECK(v.as_object()[0].first == "z");
  CHECK(v.as_object()[2].first == "m");
  const auto& a = v.find("a")->as_array();
  CHECK(a[0].as_bool());
  CHECK(a[1].is_null());
  CHECK(a[2].as_integer() == -2);
  CHECK(a[3].as_number() == 0.5);
  CHECK(!a[3].is_integer());
  CHECK(a[4].as_string() == "xé");
  CHECK(v.find("absent") == nullptr);
  CHECK(a[0].find("x") == nullptr);
}

TEST_CASE("json numbers: integers stay exact, what double cannot hold is refused") {
  CHECK(good("9223372036854775807").as_integer() == std::numeric_limits<std::int64_t>::max());
  CHECK(good("-9223372036854775808").as_integer() == std::numeric_limits<std::int64_t>::min());
  CHECK(!good("9223372036854775808").is_integer());
  CHECK(good("9223372036854775808").as_number() == 9223372036854775808.0);
  CHECK(good("1e-400").as_number() == 0.0);
  CHECK(good("1E3").as_number() == 1000.0);
  for (const std::string text :
       {"1e400", "-1e400", "NaN", "nan", "Infinity", "-Infinity", "+1", "01", "1.", ".5", "0x10", "1e"})
    CHECK_MESSAGE(starts(problem(text), "f.json, line 1: not valid JSON"), text);
  CHECK(problem(std::string(400, '9')).size() < 500);
}

TEST_CASE("json is strict") {
  for (const std::string text : {"",         " ",       "{",           "[1,]",     "{\"a\":1,}",   "{a:1}",
                                 "{'a':1}",  "// c\n1", "/* c */1",    "1 2",      "[1] x",        "tru",
                                 "\"a\nb\"", "\"\\x\"", "\"\\ud800\"", "\"\xff\"", "\"\xc0\x80\"", "{\"a\"}",
                                 "{\"a\":}", "[",       "\"abc",       "\0"})
    CHECK_MESSAGE(starts(problem(text), "f.json, line "), text);
}

TEST_CASE("json: a duplicate name is an error at its line, at every level") {
  CHECK(problem("{\n\"a\": 1,\n\"b\": 2,\n\"a\": 3}") ==
        "f.json, line 4: the name \"a\" stands twice in one object; remove one of the two");
  CHECK(starts(problem("[{\"x\": {\"k\": 1,\n \"k\": 1}}]"), "f.json, line 2"));
  CHECK(starts(problem("{\"a\": 1, \"\\u0061\": 2}"), "f.json, line 1: the name"));
  CHECK(good("{\"a\": {\"k\": 1}, \"b\": {\"k\": 1}}").as_object().size() == 2);
  CHECK(problem("{\"" + std::string(100000, 'k') + "\": 1, \"" + std::string(100000, 'k') + "\": 1}").size() <
        200);
}

TEST_CASE("json: deep nesting is refused at once") {
  for (const std::string one : {"[", "{\"a\":"}) {
    std::string text;
    for (int i = 0; i < 100000; ++i)
      text += one;
    CHECK(problem(text) == "f.json, line 1: nested deeper than 64 levels");
  }
  CHECK(parse_json(std::string(64, '[') + std::string(64, ']'), "f").ok());
  CHECK(!parse_json(std::string(65, '[') + std::string(65, ']'), "f").ok());
}

TEST_CASE("json: huge documents") {
  CHECK(good('"' + std::string(8000000, 'x') + '"').as_string().size() == 8000000);
  CHECK(problem('"' + std::string(17U << 20U, 'x') + '"').find("bytes are more") != std::string::npos);
  CHECK(problem('"' + std::string(8000000, 'x')).size() < 1000); // the message does not repeat the text
}

TEST_CASE("json: every value knows its line") {
  const auto v = good("{\n  \"a\": 1,\n  \"b\": 2\n,\n  \"c\": [\n    true,\n    3\n  ],\n  \"d\": \"x\",\n  "
                      "\"e\": -1.5e3\n}\n");
  CHECK(v.line() == 1);
  CHECK(v.find("a")->line() == 2);
  CHECK(v.find("b")->line() == 3); // a line end behind the number
  CHECK(v.find("c")->line() == 5);
  CHECK(v.find("c")->as_array()[0].line() == 6);
  CHECK(v.find("c")->as_array()[1].line() == 7);
  CHECK(v.find("d")->line() == 9);
  CHECK(v.find("e")->line() == 10);
  CHECK(good("{\r\n\"a\": 7\r\n}").find("a")->line() == 2);
  CHECK(good("7\n").line() == 1);
  CHECK(json_value(3).line() == 0);
}

TEST_CASE("json: errors stand at their line") {
  CHECK(starts(problem("{\n\"a\": 1\n\"b\": 2\n}"), "f.json, line 3:"));
  CHECK(starts(problem("{\n\"a\": \"open\n}"), "f.json, line 2:"));
  CHECK(starts(problem("{\n\"a\": 1e999\n}"), "f.json, line 2:"));
  CHECK(starts(problem("{\n\"a\": nul\n}"), "f.json, line 2:"));
  CHECK(starts(problem("{\n\n"), "f.json, line 2:"));
}

TEST_CASE("json: what is written is read back") {
  const std::string text = R"({"a":[1,-2,0.1,1e+300,true,null,"\"\\\n\u0001é"],"b":{"c":{}},"d":[]})";
  const auto v = good(text);
  CHECK(dump_json(good(dump_json(v))) == dump_json(v));
  CHECK(dump_json(good(dump_json(v, 2))) == dump_json(v));
  CHECK(good(dump_json(json_value(0.1))).as_number() == 0.1);
  CHECK(!good(dump_json(json_value(2.0))).is_integer());
  CHECK(dump_json(json_value(std::nan(""))) == "null");
  CHECK(dump_json(json_value(std::numeric_limits<double>::infinity())) == "null");
  CHECK(good(dump_json(json_value("\xff bad"))).is_string()); // bytes that are not UTF-8 are replaced
  CHECK(dump_json(json_value(std::uint64_t{5})) == "5");
}

TEST_CASE("json files: missing, directory, byte order mark") {
  CHECK(read_json_file("/no/such/file.json").error().message.find("/no/such/file.json") == 0);
  const auto folder = std::filesystem::temp_directory_path();
  CHECK(!read_json_file(folder.string()).ok());
  const auto path = (folder / "triage_json_test.json").string();
  std::ofstream(path) << "\xEF\xBB\xBF{\"a\": 1}\n";
  const auto read = read_json_file(path);
  std::filesystem::remove(path);
  REQUIRE_MESSAGE(read.ok(), read.error().message);
  CHECK(read->find("a")->as_integer() == 1);
}

TEST_CASE("set replaces and appends, and set_json_path follows dots and indices") {
  auto v = good(R"({"a": {"b": 1}, "list": [{"x": 1}, 2], "none": null})");
  CHECK(set_json_path(v, "a.b", 5).ok());
  CHECK(set_json_path(v, "a.c.d", "new").ok());
  CHECK(set_json_path(v, "list.0.x", 7).ok());
  CHECK(set_json_path(v, "list.1", true).ok());
  CHECK(set_json_path(v, "none.deep", 1).ok());
  CHECK(dump_json(v) == R"({"a":{"b":5,"c":{"d":"new"}},"list":[{"x":7},true],"none":{"deep":1}})");
  for (const std::string path : {"", ".", "a.", ".a", "a..b", "list.2", "list.x", "list.-1", "list.0x",
                                 "a.b.c", "list.1.y", "list.99999999999999999999"}) {
    const auto set = set_json_path(v, path, 0);
    REQUIRE_MESSAGE(!set.ok(), path);
    CHECK(set.error().kind == error_kind::configuration);
    CHECK(starts(set.error().message, "--set " + path + ":"));
  }
  json_value scalar(3);
  scalar.set("a", 1);
  CHECK(dump_json(scalar) == R"({"a":1})");
}
