#pragma once

#include "core/json.hpp"
#include "core/result.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace triage {

/// What is known about one option beside its value: the only place where it is documented.
struct option_info {
  std::string_view name;
  std::string_view doc;
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::vector<std::string_view> choices{}; ///< for strings: the permitted values; empty = any
  bool required = false;
  std::string_view type{}; ///< for JSON values: what the reference calls the type; empty = "component"
};

/// Visits the options of a component. A component lists its fields once, in a `visit(option_visitor&)`;
/// reading from JSON, writing the resolved description and generating the reference are visitors.
class option_visitor {
public:
  virtual ~option_visitor() = default;
  virtual void field(const option_info& info, bool& value) = 0;
  virtual void field(const option_info& info, std::int64_t& value) = 0;
  virtual void field(const option_info& info, double& value) = 0;
  virtual void field(const option_info& info, std::string& value) = 0;
  virtual void field(const option_info& info, std::optional<std::int64_t>& value) = 0;
  virtual void field(const option_info& info, std::optional<double>& value) = 0;
  virtual void field(const option_info& info, std::vector<std::string>& value) = 0;
  virtual void field(const option_info& info, std::vector<std::int64_t>& value) = 0;
  /// A subtree that another component reads later (a policy with its own options).
  virtual void field(const option_info& info, json_value& value) = 0;
  /// A nested object with fields of its own.
  virtual void group(const option_info& info, const std::function<void(option_visitor&)>& visit) = 0;
};

/// Anything that lists its options.
class configurable {
public:
  virtual ~configurable() = default;
  virtual void visit(option_visitor&) {}
};

/// Where a JSON value stands, for messages: "run.json, line 12, /optimizer/learning_rate".
struct json_place {
  std::string source;
  std::string pointer;
};

[[nodiscard]] error json_error(const json_place& place, const json_value& value, const std::string& problem);

/// Fills the options from an object. Absent and null members keep their defaults (null empties an optional);
/// unknown members, wrong types and values out of range are errors with source, line and JSON pointer.
/// Names in `skip` ("type") belong to somebody else and are ignored.
[[nodiscard]] result<void> read_options(const json_value& object, const json_place& place,
                                        const std::function<void(option_visitor&)>& visit,
                                        const std::vector<std::string_view>& skip = {});

/// The options with their present values as a JSON object.
[[nodiscard]] json_value write_options(const std::function<void(option_visitor&)>& visit);

/// The options of a component as an object with its type, which a description gives under `key` or is itself:
/// for the resolved description.
[[nodiscard]] json_value describe_component(const json_value& description, const char* key,
                                            const configurable& component);

/// One row of the generated reference.
struct option_row {
  std::string name; ///< dotted, within the component
  std::string type;
  std::string default_value;
  std::string range;
  std::string doc;
};
[[nodiscard]] std::vector<option_row> describe_options(const std::function<void(option_visitor&)>& visit);

/// Reads `{"type": NAME, …options}` or a bare string NAME: returns NAME. `kind` is the noun for messages.
[[nodiscard]] result<std::string> read_type_name(const json_value& value, const json_place& place,
                                                 std::string_view kind);

} // namespace triage
