#pragma once

#include "core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace triage {

/// A JSON document as a plain value. Objects keep the order of their members and have no duplicate names.
/// Every parsed value knows its line: where it ended, or where it began for arrays and objects. 0 when it was
/// built by the program.
class json_value {
public:
  using array = std::vector<json_value>;
  using member = std::pair<std::string, json_value>;
  using object = std::vector<member>;

  json_value() = default;
  json_value(std::nullptr_t) {}
  json_value(bool v) : value_(v) {}
  json_value(int v) : value_(std::int64_t{v}) {}
  json_value(std::int64_t v) : value_(v) {}
  json_value(std::uint64_t v);
  json_value(double v) : value_(v) {}
  json_value(const char* v) : value_(std::string(v)) {}
  json_value(std::string_view v) : value_(std::string(v)) {}
  json_value(std::string v) : value_(std::move(v)) {}
  json_value(array v) : value_(std::move(v)) {}
  json_value(object v) : value_(std::move(v)) {}

  [[nodiscard]] bool is_null() const { return value_.index() == 0; }
  [[nodiscard]] bool is_bool() const { return value_.index() == 1; }
  [[nodiscard]] bool is_integer() const { return value_.index() == 2; }
  [[nodiscard]] bool is_number() const { return value_.index() == 2 || value_.index() == 3; }
  [[nodiscard]] bool is_string() const { return value_.index() == 4; }
  [[nodiscard]] bool is_array() const { return value_.index() == 5; }
  [[nodiscard]] bool is_object() const { return value_.index() == 6; }

  // Each throws std::bad_variant_access when the value is of another type: test first.
  [[nodiscard]] bool as_bool() const { return std::get<bool>(value_); }
  [[nodiscard]] std::int64_t as_integer() const { return std::get<std::int64_t>(value_); }
  [[nodiscard]] double as_number() const;
  [[nodiscard]] const std::string& as_string() const { return std::get<std::string>(value_); }
  [[nodiscard]] const array& as_array() const { return std::get<array>(value_); }
  [[nodiscard]] const object& as_object() const { return std::get<object>(value_); }
  [[nodiscard]] array& as_array() { return std::get<array>(value_); }
  [[nodiscard]] object& as_object() { return std::get<object>(value_); }

  /// The member of that name, or null when there is none or this is no object.
  [[nodiscard]] const json_value* find(std::string_view name) const;
  [[nodiscard]] json_value* find(std::string_view name);
  /// Replaces or appends a member; turns a non-object into an object first.
  void set(std::string_view name, json_value value);

  [[nodiscard]] int line() const { return line_; }
  void set_line(int line) { line_ = line; }
  /// Of this value and of all that it holds.
  void set_line_everywhere(int line);
  /// "an object", "a string", …: for error messages.
  [[nodiscard]] std::string_view type_name() const;

private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, array, object> value_;
  int line_ = 0;
};

/// Strict JSON: no comments, no duplicate names, no NaN or infinity, numbers within double, at most 64
/// levels, at most 16 MiB. Errors name `source` and the line.
[[nodiscard]] result<json_value> parse_json(std::string_view text, const std::string& source);
[[nodiscard]] result<json_value> read_json_file(const std::string& path);

/// One line when `indent` is negative. Non-finite numbers become null; floats round-trip.
[[nodiscard]] std::string dump_json(const json_value& value, int indent = -1);

/// The value at a dotted path, or null where there is none. A path that ends in a dot is taken without it.
[[nodiscard]] json_value* find_json_path(json_value& root, std::string_view path);

/// Sets the value at a dotted path ("optimizer.learning_rate", "model.0.units"), creating objects on the
/// way. Fails on an index outside an array and on a step into a scalar.
[[nodiscard]] result<void> set_json_path(json_value& root, std::string_view path, json_value value);

} // namespace triage
