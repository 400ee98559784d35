#include "tests/core/random_json.hpp"

#include <algorithm>
#include <cstring>
#include <doctest/doctest.h>
#include <string>
#include <vector>

// Properties of JSON reading and writing over random documents and random damage.

using namespace triage;
using namespace triage::test;

namespace {

/// Equal in type, value, order and number of members; doubles bit by bit.
bool same(const json_value& a, const json_value& b) {
  if (a.type_name() != b.type_name())
    return false;
  if (a.is_array())
    return std::equal(a.as_array().begin(), a.as_array().end(), b.as_array().begin(), b.as_array().end(),
                      same);
  if (a.is_object())
    return std::equal(
        a.as_object().begin(), a.as_object().end(), b.as_object().begin(), b.as_object().end(),
        [](const auto& x, const auto& y) { return x.first == y.first && same(x.second, y.second); });
  if (a.is_string())
    return a.as_string() == b.as_string();
  if (a.is_integer())
    return a.as_integer() == b.as_integer();
  if (a.is_number()) {
    const double x = a.as_number();
    const double y = b.as_number();
    return std::memcmp(&x, &y, sizeof x) == 0;
  }
  return !a.is_bool() || a.as_bool() == b.as_bool();
}

/// The line that an error names; 0 when it names none in the form "SOURCE, line N: ".
int line_of(const std::string& message, const std::string& source) {
  const std::string start = source + ", line ";
  if (!message.starts_with(start))
    return 0;
  std::size_t used = 0;
  const int line = std::stoi(message.substr(start.size()), &used);
  return message.compare(start.size() + used, 2, ": ") == 0 ? line : 0;
}

int count_lines(std::string_view text) {
  return 1 + static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

bool printable(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// Every value with its line, in the order of the text.
void lines_in_order(const json_value& v, std::vector<int>& out) {
  out.push_back(v.line());
  if (v.is_array())
    for (const auto& x : v.as_array())
      lines_in_order(x, out);
  if (v.is_object())
    for (const auto& [name, x] : v.as_object())
      lines_in_order(x, out);
}

constexpr std::string_view run_description = R"({
  "name": "Größe",
  "seed": 18446744073709551615,
  "data": {"format": "csv", "path": "/x y/é", "columns": [1, -2, 3e-7]},
  "model": [
    {"type": "dense", "units": 512, "activation": "relu"},
    {"type": "dense", "units": 10}
  ],
  "flags": [true, false, null, "\u00e9\n\"\\"],
  "duration": {"epochs": 0.5, "target": null}
}
)";

} // namespace

TEST_CASE("json random: every document that is written is read back as it was, on one line and indented") {
  rng random(1, 0);
  for (int round = 0; round < 2000; ++round) {
    const json_value document = random_document(random);
    for (const int indent : {-1, 0, 3}) {
      const std::string text = dump_json(document, indent);
      CAPTURE(text);
      const auto back = parse_json(text, "f");
      REQUIRE_MESSAGE(back.ok(), back.error().message);
      REQUIRE(same(document, *back));
      if (indent < 0)
        CHECK(count_lines(text) == 1);
    }
  }
}

TEST_CASE("json random: lines never go back through a document, and the first and last are right") {
  rng random(2, 0);
  for (int round = 0; round < 500; ++round) {
    json_value document(json_value::array{random_document(random), 7});
    const std::string text = "\n\n" + dump_json(document, 2);
    const auto back = parse_json(text, "f");
    REQUIRE(back.ok());
    std::vector<int> lines;
    lines_in_order(*back, lines);
    CHECK(std::is_sorted(lines.begin(), lines.end()));
    CHECK(lines.front() == 3);
    CHECK(lines.back() == count_lines(text) - 1); // the 7 stands before the last bracket
  }
}

TEST_CASE("json random: a document cut off anywhere is refused with its last line or one before") {
  for (std::size_t size = 0; size < run_description.size() - 2; ++size) {
    const auto text = run_description.substr(0, size);
    const auto cut = parse_json(text, "run.json");
    REQUIRE_FALSE(cut.ok());
    CAPTURE(cut.error().message);
    const int line = line_of(cut.error().message, "run.json");
    CHECK(line >= std::max(1, count_lines(text) - 1));
    CHECK(line <= count_lines(text));
  }
}

TEST_CASE("json random: random damage ends in a value, or in one printable line that names source and line") {
  rng random(3, 0);
  constexpr std::string_view alphabet = "{}[]\",:\\/ \n\t0123456789eE+-.truefalsn\xff\xc3\x00u";
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text(run_description);
    for (auto n = 1 + random.below(4); n > 0; --n) {
      const auto at = static_cast<std::size_t>(random.below(text.size()));
      switch (random.below(4)) {
      case 0:
        text.erase(at, 1 + random.below(5));
        break;
      case 1:
        text.insert(at, 1, alphabet[random.below(alphabet.size())]);
        break;
      case 2: // a piece of the document where it does not belong
        text.insert(at, run_description.substr(random.below(run_description.size() - 20), random.below(20)));
        break;
      default:
        text[at] = alphabet[random.below(alphabet.size())];
      }
    }
    const auto parsed = parse_json(text, "run.json");
    if (parsed.ok()) {
      CHECK(same(*parsed, *parse_json(dump_json(*parsed), "again")));
      continue;
    }
    ++refused;
    const auto& message = parsed.error().message;
    CAPTURE(message);
    CHECK(parsed.error().kind == error_kind::configuration);
    const int line = line_of(message, "run.json");
    CHECK(line >= 1);
    CHECK(line <= count_lines(text));
    CHECK(message.size() < 500);
    CHECK(printable(message));
  }
  CHECK(refused > 10000); // the damage does reach the syntax
}

TEST_CASE("json random: bytes without any meaning are refused, whatever they are") {
  rng random(4, 0);
  for (int round = 0; round < 5000; ++round) {
    std::string text = "x"; // no document starts with it
    for (auto n = random.below(60); n > 0; --n)
      text += static_cast<char>(random.below(256));
    const auto parsed = parse_json(text, "f");
    REQUIRE_FALSE(parsed.ok());
    CHECK(line_of(parsed.error().message, "f") == 1);
    CHECK(printable(parsed.error().message));
  }
}

TEST_CASE("json random: what set_json_path puts at a path is found there, and all else stays") {
  rng random(5, 0);
  for (int round = 0; round < 2000; ++round) {
    json_value root = json_value(json_value::object{
        {"keep", random_document(random, 2)},
        {"list",
         json_value(json_value::array{random_document(random, 1), json_value(json_value::object{})})}});
    const json_value before = root;
    const json_value value = random_document(random, 2);
    std::vector<std::string> steps;
    if (random.below(2) == 0)
      steps = {"list", "1"};
    for (auto n = 1 + random.below(3); n > 0; --n)
      steps.push_back("k" + std::to_string(random.below(3)));
    std::string path;
    for (const auto& s : steps)
      path += (path.empty() ? "" : ".") + s;
    CAPTURE(path);
    REQUIRE(set_json_path(root, path, value).ok());
    const json_value* at = &root;
    for (const auto& s : steps)
      at = at->is_array() ? &at->as_array()[std::stoul(s)] : at->find(s);
    CHECK(same(*at, value));
    CHECK(same(*root.find("keep"), *before.find("keep")));
    CHECK(same(root.find("list")->as_array()[0], before.find("list")->as_array()[0]));
  }
}

TEST_CASE("json random: no path makes set_json_path crash, and a refused one is quoted") {
  rng random(6, 0);
  constexpr std::string_view alphabet = "ab..019- ";
  for (int round = 0; round < 5000; ++round) {
    json_value root(json_value::object{
        {"a", json_value(json_value::array{1, json_value(json_value::object{})})}, {"b", 2}});
    std::string path;
    for (auto n = random.below(9); n > 0; --n)
      path += alphabet[random.below(alphabet.size())];
    const auto set = set_json_path(root, path, 0);
    if (!set.ok())
      CHECK(set.error().message.starts_with("--set " + path + ": "));
  }
}
