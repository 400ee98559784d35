#include "core/overrides.hpp"
#include "core/run_config.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <functional>
#include <numeric>
#include <set>

// Every field of a run description: default, file, override, type and range. The fields are taken from the
// description itself, so that a new one is tested without a line here.

using namespace triage;

namespace {

enum class kind { boolean, integer, number, text, part };

struct config_field {
  std::string path; ///< dotted
  std::string name;
  kind type = kind::part;
  bool optional = false;
  double min = 0.0;
  double max = 0.0;
  std::vector<std::string> choices;
  bool required = false;
  std::string doc;

  [[nodiscard]] std::string pointer() const {
    std::string out = "/" + path;
    std::replace(out.begin(), out.end(), '.', '/');
    return out;
  }
};

class collector : public option_visitor {
public:
  std::vector<config_field> fields;

  void field(const option_info& i, bool&) override { add(i, kind::boolean); }
  void field(const option_info& i, std::int64_t&) override { add(i, kind::integer); }
  void field(const option_info& i, double&) override { add(i, kind::number); }
  void field(const option_info& i, std::string&) override { add(i, kind::text); }
  void field(const option_info& i, std::optional<std::int64_t>&) override { add(i, kind::integer, true); }
  void field(const option_info& i, std::optional<double>&) override { add(i, kind::number, true); }
  void field(const option_info&, std::vector<std::string>&) override { FAIL("no such field yet"); }
  void field(const option_info&, std::vector<std::int64_t>&) override { FAIL("no such field yet"); }
  void field(const option_info& i, json_value&) override { add(i, kind::part); }
  void group(const option_info& i, const std::function<void(option_visitor&)>& visit) override {
    const std::string before = prefix_;
    prefix_ += std::string(i.name) + ".";
    visit(*this);
    prefix_ = before;
  }

private:
  void add(const option_info& i, kind type, bool optional = false) {
    fields.push_back({prefix_ + std::string(i.name),
                      std::string(i.name),
                      type,
                      optional,
                      i.min,
                      i.max,
                      {i.choices.begin(), i.choices.end()},
                      i.required,
                      std::string(i.doc)});
  }
  std::string prefix_;
};

std::vector<config_field> all_fields() {
  collector c;
  run_config config;
  config.visit(c);
  return c.fields;
}

const std::string minimal = R"({"data": {"format": "idx"},
"model": [{"type": "dense", "units": 10}],
"optimizer": "sgd"})";

/// The minimal description with one field set.
json_value with(const std::string& path, const json_value& value) {
  json_value document = json_text(minimal);
  REQUIRE(set_json_path(document, path, value).ok());
  return document;
}

/// The value of a field in a configuration that was read.
json_value read_back(const run_config& config, const std::string& path) {
  json_value all = write_run_config(config);
  const json_value* at = &all;
  std::string rest = path;
  for (auto dot = rest.find('.'); dot != std::string::npos; dot = rest.find('.')) {
    at = at->find(rest.substr(0, dot));
    rest.erase(0, dot + 1);
  }
  REQUIRE(at->find(rest) != nullptr);
  return *at->find(rest);
}

std::string problem(const json_value& document) {
  const auto read = read_run_config(document, "run.json");
  if (read.ok())
    return "(no error)";
  CHECK(read.error().kind == error_kind::configuration);
  return read.error().message;
}

/// A permitted value of the field that is not its default.
json_value other_value(const config_field& f) {
  const json_value now = read_back(*read_run_config(json_text(minimal), "f"), f.path);
  switch (f.type) {
  case kind::boolean:
    return json_value(!now.as_bool());
  case kind::integer:
  case kind::number: {
    double v = now.is_null() ? 1.0 : now.as_number() + 1.0;
    if (v > f.max)
      v = std::isinf(f.min) ? f.max - 0.25 : std::midpoint(f.min, f.max);
    return f.type == kind::integer ? json_value(static_cast<std::int64_t>(v)) : json_value(v);
  }
  case kind::text:
    for (const auto& c : f.choices)
      if (c != now.as_string())
        return json_value(c);
    return json_value(now.as_string() + "x");
  default:
    return json_value(json_value::array{json_value("another")});
  }
}

/// A field whose range leaves a choice; schema_version has one value only.
bool has_choice(const config_field& f) {
  return f.min < f.max || (f.type != kind::integer && f.type != kind::number);
}

} // namespace

TEST_CASE("run config: every field has a name of its own, a sentence, and a default in its range") {
  const auto fields = all_fields();
  CHECK(fields.size() > 30);
  std::set<std::string> names;
  for (const auto& f : fields) {
    CAPTURE(f.path);
    CHECK(names.insert(f.path).second);
    CHECK(f.doc.size() > 3);
    CHECK(f.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos);
    const auto value = read_back(*read_run_config(json_text(minimal), "f"), f.path);
    if (value.is_number()) {
      CHECK(value.as_number() >= f.min);
      CHECK(value.as_number() <= f.max);
    }
    if (!f.choices.empty())
      CHECK(std::find(f.choices.begin(), f.choices.end(), value.as_string()) != f.choices.end());
  }
}

TEST_CASE("run config: the file replaces the default of every field, and --set what the file says") {
  for (const auto& f : all_fields()) {
    if (!has_choice(f))
      continue;
    CAPTURE(f.path);
    const json_value other = other_value(f);
    const json_value before = read_back(*read_run_config(json_text(minimal), "f"), f.path);
    CHECK(dump_json(before) != dump_json(other));
    if (f.path == "model") { // needs an array of layers; "another" will do here
      CHECK(read_run_config(with(f.path, other), "run.json").ok());
      continue;
    }
    auto document = with(f.path, other);
    auto read = read_run_config(document, "run.json");
    REQUIRE_MESSAGE(read.ok(), read.error().message);
    CHECK(dump_json(read_back(*read, f.path)) == dump_json(other));
    // Back to the default by an override. A default of null is said as null.
    REQUIRE(apply_overrides(document, {f.path + "=" + dump_json(before)}).ok());
    read = read_run_config(document, "run.json");
    REQUIRE_MESSAGE(read.ok(), read.error().message);
    CHECK(dump_json(read_back(*read, f.path)) == dump_json(before));
    // Of several overrides the last one counts.
    REQUIRE(
        apply_overrides(document, {f.path + "=" + dump_json(before), f.path + "=" + dump_json(other)}).ok());
    CHECK(dump_json(read_back(*read_run_config(document, "run.json"), f.path)) == dump_json(other));
  }
}

TEST_CASE("run config: one field changes nothing but itself, but that a time lifts the default of epochs") {
  const auto plain = write_run_config(*read_run_config(json_text(minimal), "f"));
  for (const auto& f : all_fields()) {
    if (!has_choice(f) || f.path == "model")
      continue;
    CAPTURE(f.path);
    const auto read = read_run_config(with(f.path, other_value(f)), "run.json");
    REQUIRE(read.ok());
    auto written = write_run_config(*read);
    CHECK(dump_json(written) != dump_json(plain));
    auto restored = plain;
    REQUIRE(set_json_path(written, f.path, 0).ok());
    REQUIRE(set_json_path(restored, f.path, 0).ok());
    if (f.path == "duration.seconds")
      REQUIRE(set_json_path(restored, "duration.epochs", nullptr).ok());
    CHECK(dump_json(written) == dump_json(restored));
  }
}

TEST_CASE(
    "run config: the ends of every range are permitted, and what is beyond names field, value and range") {
  int ends = 0;
  for (const auto& f : all_fields()) {
    if (f.type != kind::integer && f.type != kind::number)
      continue;
    CAPTURE(f.path);
    const auto value = [&](double v) {
      return f.type == kind::integer ? json_value(static_cast<std::int64_t>(v)) : json_value(v);
    };
    const double step = f.type == kind::integer ? 1.0 : 1e-6;
    const auto check_end = [&](double end, double beyond) {
      if (std::isinf(end))
        return;
      ++ends;
      CHECK_MESSAGE(read_run_config(with(f.path, value(end)), "run.json").ok(), end);
      const auto message = problem(with(f.path, value(beyond)));
      CAPTURE(message);
      CHECK(message.starts_with("run.json, "));
      CHECK(message.find(f.pointer() + ": is ") != std::string::npos);
      CHECK(message.find("must be ") != std::string::npos);
    };
    check_end(f.min, f.min - step * std::max(1.0, std::abs(f.min)));
    check_end(f.max, f.max + step * std::max(1.0, std::abs(f.max)));
  }
  CHECK(ends > 25);
}

TEST_CASE("run config: every field refuses the types that it is not of, with its pointer") {
  const std::vector<std::pair<kind, json_value>> values = {
      {kind::boolean, true},
      {kind::integer, 1},
      {kind::number, 0.5},
      {kind::text, "test_loss"},
      {kind::part, json_value(json_value::array{})},
      {kind::part, json_value(json_value::object{{"no_such_key", 1}})}};
  for (const auto& f : all_fields()) {
    if (f.type == kind::part)
      continue; // read by another component
    for (const auto& [type, value] : values) {
      if (type == f.type || (f.type == kind::number && type == kind::integer))
        continue;
      CAPTURE(f.path);
      CAPTURE(dump_json(value));
      const auto message = problem(with(f.path, value));
      CAPTURE(message);
      CHECK(message.find(f.pointer() + ": must be ") != std::string::npos);
      CHECK(message.find("not ") != std::string::npos);
    }
  }
}

TEST_CASE("run config: choices are listed, and a slip of the finger is answered with the right one") {
  for (const auto& f : all_fields())
    for (const auto& choice : f.choices) {
      if (choice.size() < 4)
        continue;
      CAPTURE(f.path);
      auto slip = choice;
      std::swap(slip[1], slip[2]);
      if (std::find(f.choices.begin(), f.choices.end(), slip) != f.choices.end() || slip == choice)
        continue;
      const auto message = problem(with(f.path, json_value(slip)));
      CAPTURE(message);
      CHECK(message.find("did you mean \"" + choice + "\"?") != std::string::npos);
      for (const auto& known : f.choices)
        CHECK(message.find(known) != std::string::npos);
    }
}

TEST_CASE("run config: a mistyped name anywhere is answered with the right one") {
  for (const auto& f : all_fields()) {
    if (f.name.size() < 5)
      continue;
    CAPTURE(f.path);
    auto slip = f.path;
    slip.erase(slip.size() - 2, 1);
    const auto message = problem(with(slip, other_value(f)));
    CAPTURE(message);
    CHECK(message.find("unknown key \"" + slip.substr(slip.rfind('.') + 1) + "\"") != std::string::npos);
    CHECK(message.find("did you mean \"" + f.name + "\"?") != std::string::npos);
  }
}

TEST_CASE("run config: what is required is named when it is missing, each at a time") {
  int required = 0;
  for (const auto& f : all_fields()) {
    if (!f.required)
      continue;
    ++required;
    CAPTURE(f.path);
    auto document = json_text(minimal);
    auto& members = document.as_object();
    std::erase_if(members, [&](const auto& m) { return m.first == f.name; });
    CHECK(problem(document).find("\"" + f.name + "\" is missing") != std::string::npos);
    CHECK(problem(with(f.path, nullptr)).find("\"" + f.name + "\" is missing") != std::string::npos);
  }
  CHECK(required == 3);
}

TEST_CASE("run config: null keeps a default and empties what may be empty") {
  for (const auto& f : all_fields()) {
    if (f.required || f.path == "duration.epochs")
      continue;
    CAPTURE(f.path);
    const auto read = read_run_config(with(f.path, nullptr), "run.json");
    REQUIRE_MESSAGE(read.ok(), read.error().message);
    const auto now = read_back(*read, f.path);
    if (f.optional)
      CHECK(now.is_null());
    else
      CHECK(dump_json(now) == dump_json(read_back(*read_run_config(json_text(minimal), "f"), f.path)));
  }
}

TEST_CASE("run config: written and read again is the same, also with every field changed") {
  json_value document = json_text(minimal);
  for (const auto& f : all_fields())
    if (has_choice(f) && f.path != "model")
      REQUIRE(set_json_path(document, f.path, other_value(f)).ok());
  const auto first = read_run_config(document, "run.json");
  REQUIRE_MESSAGE(first.ok(), first.error().message);
  const auto written = write_run_config(*first);
  const auto second = read_run_config(written, "config.json");
  REQUIRE_MESSAGE(second.ok(), second.error().message);
  CHECK(dump_json(write_run_config(*second)) == dump_json(written));
}

TEST_CASE("run config: an end, a model that is an array, a description that is an object") {
  CHECK(problem(with("duration.epochs", nullptr)).find("would never end") != std::string::npos);
  auto timed = with("duration.epochs", nullptr);
  REQUIRE(set_json_path(timed, "duration.seconds", 3).ok());
  CHECK(read_run_config(timed, "run.json").ok());
  // Who gives only a time means that time; an epochs of their own still binds.
  CHECK(read_run_config(with("duration", json_text(R"({"seconds": 3})")), "run.json")->epochs ==
        std::nullopt);
  CHECK(read_run_config(with("duration", json_text(R"({"seconds": 3, "epochs": 4})")), "run.json")->epochs ==
        4.0);
  CHECK(read_run_config(with("duration", json_text(R"({"seconds": null})")), "run.json")->epochs == 10.0);
  CHECK(problem(with("model", json_value("mlp"))) ==
        "run.json, /model: must be an array of layers, not a string");
  CHECK(problem(json_text("[]")).find("must be an object") != std::string::npos);
  CHECK(problem(json_text("null")).find("must be an object") != std::string::npos);
  CHECK(problem(with("duration", 3)).find("/duration: must be an object") != std::string::npos);
}

TEST_CASE("run config: a target of null is none, and editors may name their schema") {
  CHECK(read_run_config(with("duration.target", nullptr), "run.json")->target.metric.empty());
  CHECK(read_run_config(with("$schema", json_value("run.schema.json")), "run.json").ok());
}

TEST_CASE("run config: an error points to the line of the field, in every group") {
  const auto document =
      json_text("{\n\"data\": {},\n\"model\": [],\n\"optimizer\": \"sgd\",\n\"runtime\": {\n"
                "\"workers\": 1,\n\"estimators\": -1\n}\n}");
  CHECK(problem(document).starts_with("run.json, line 7, /runtime/estimators: is -1"));
}
