#include "core/options.hpp"

#include "core/excerpt.hpp"
#include "core/registry.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <type_traits>

namespace triage {

namespace {

std::string range_text(const option_info& info) {
  const bool low = std::isfinite(info.min);
  const bool high = std::isfinite(info.max);
  if (low && high)
    return fmt::format("{} to {}", info.min, info.max);
  if (low)
    return fmt::format("at least {}", info.min);
  if (high)
    return fmt::format("at most {}", info.max);
  return {};
}

template <class T>
constexpr bool is_optional =
    std::is_same_v<T, std::optional<double>> || std::is_same_v<T, std::optional<std::int64_t>>;

/// A member name as a step of a JSON pointer (RFC 6901).
std::string pointer_step(std::string_view name) {
  std::string out;
  for (const char c : excerpt(name))
    out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

class reader : public option_visitor {
public:
  reader(const json_value& object, json_place place, const std::vector<std::string_view>& skip)
      : object_(object), place_(std::move(place)), known_(skip) {}

  void field(const option_info& i, bool& v) override { read(i, v); }
  void field(const option_info& i, std::int64_t& v) override { read(i, v); }
  void field(const option_info& i, double& v) override { read(i, v); }
  void field(const option_info& i, std::string& v) override { read(i, v); }
  void field(const option_info& i, std::optional<std::int64_t>& v) override { read(i, v); }
  void field(const option_info& i, std::optional<double>& v) override { read(i, v); }
  void field(const option_info& i, std::vector<std::string>& v) override { read(i, v); }
  void field(const option_info& i, std::vector<std::int64_t>& v) override { read(i, v); }
  void field(const option_info& i, json_value& v) override { read(i, v); }

  void group(const option_info& info, const std::function<void(option_visitor&)>& visit) override {
    const json_value* present = look_up(info);
    if (present != nullptr && !present->is_object())
      return fail(*present, at(info), fmt::format("must be an object, not {}", present->type_name()));
    static const json_value empty{json_value::object{}};
    reader nested(present == nullptr ? empty : *present, at(info), {});
    visit(nested);
    if (auto done = nested.finish(); !done.ok() && problem_.ok())
      problem_ = done.error();
  }

  /// Unknown members first: a misspelt name also makes the right one missing, and says more about it.
  result<void> finish() {
    for (const auto& [name, value] : object_.as_object())
      if (std::find(known_.begin(), known_.end(), name) == known_.end())
        return json_error({place_.source, place_.pointer + "/" + pointer_step(name)}, value,
                          unknown_name_error("key", name, known_).message);
    return problem_;
  }

private:
  json_place at(const option_info& info) const {
    return {place_.source, fmt::format("{}/{}", place_.pointer, info.name)};
  }

  void fail(const json_value& value, const json_place& place, const std::string& text) {
    if (problem_.ok())
      problem_ = json_error(place, value, text);
  }

  /// The member, or null where it is absent or null: then the default stays.
  const json_value* look_up(const option_info& info) {
    known_.push_back(info.name);
    const json_value* v = object_.find(info.name);
    if (v != nullptr && v->is_null())
      v = nullptr;
    if (v == nullptr && info.required)
      fail(object_, place_,
           fmt::format("\"{}\" is missing{}", info.name,
                       info.doc.empty() ? "" : fmt::format(" ({})", info.doc)));
    return v;
  }

  template <class T>
  void read(const option_info& info, T& out) {
    const json_value* v = look_up(info);
    if constexpr (is_optional<T>)
      if (v == nullptr && object_.find(info.name) != nullptr)
        out.reset(); // null is a value here
    if (v == nullptr)
      return;
    if (auto problem = convert(info, *v, out); !problem.empty())
      fail(*v, at(info), problem);
  }

  template <class T>
  std::string convert(const option_info& info, const json_value& v, T& out) {
    if constexpr (std::is_same_v<T, json_value>) {
      out = v;
      return {};
    } else if constexpr (is_optional<T>) {
      typename T::value_type inner{};
      auto problem = convert(info, v, inner);
      if (problem.empty())
        out = inner;
      return problem;
    } else if constexpr (std::is_same_v<T, bool>) {
      if (!v.is_bool())
        return fmt::format("must be true or false, not {}", v.type_name());
      out = v.as_bool();
      return {};
    } else if constexpr (std::is_same_v<T, std::int64_t>) {
      // 1e6 and 64.0 are whole numbers too, up to where floats skip some.
      constexpr double largest = 9007199254740992.0; // 2^53
      const bool whole = v.is_number() && !v.is_integer() && std::trunc(v.as_number()) == v.as_number() &&
                         std::abs(v.as_number()) <= largest;
      if (!v.is_integer() && !whole)
        return fmt::format("must be an integer, not {}", v.type_name());
      out = whole ? static_cast<std::int64_t>(v.as_number()) : v.as_integer();
      return check_range(info, static_cast<double>(out));
    } else if constexpr (std::is_same_v<T, double>) {
      if (!v.is_number())
        return fmt::format("must be a number, not {}", v.type_name());
      out = v.as_number();
      return check_range(info, out);
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (!v.is_string())
        return fmt::format("must be a string, not {}", v.type_name());
      out = v.as_string();
      if (!info.choices.empty() &&
          std::find(info.choices.begin(), info.choices.end(), out) == info.choices.end())
        return unknown_name_error("value", out, info.choices).message;
      return {};
    } else {
      if (!v.is_array())
        return fmt::format("must be an array, not {}", v.type_name());
      T elements;
      for (const auto& x : v.as_array()) {
        typename T::value_type inner{};
        if (auto problem = convert(info, x, inner); !problem.empty())
          return fmt::format("element {} {}", elements.size(), problem);
        elements.push_back(std::move(inner));
      }
      out = std::move(elements);
      return {};
    }
  }

  static std::string check_range(const option_info& info, double v) {
    if (v < info.min || v > info.max)
      return fmt::format("is {}, must be {}", v, range_text(info));
    return {};
  }

  const json_value& object_;
  json_place place_;
  std::vector<std::string_view> known_;
  result<void> problem_;
};

/// Calls one handler for every scalar or list field, as JSON, and descends into groups.
class lister : public option_visitor {
public:
  void field(const option_info& i, bool& v) override { item(i, "boolean", v); }
  void field(const option_info& i, std::int64_t& v) override { item(i, "integer", v); }
  void field(const option_info& i, double& v) override { item(i, "number", v); }
  void field(const option_info& i, std::string& v) override { item(i, "string", v); }
  void field(const option_info& i, std::optional<std::int64_t>& v) override {
    item(i, "integer or null", v ? json_value(*v) : json_value());
  }
  void field(const option_info& i, std::optional<double>& v) override {
    item(i, "number or null", v ? json_value(*v) : json_value());
  }
  void field(const option_info& i, std::vector<std::string>& v) override {
    item(i, "array of strings", list(v));
  }
  void field(const option_info& i, std::vector<std::int64_t>& v) override {
    item(i, "array of integers", list(v));
  }
  void field(const option_info& i, json_value& v) override {
    item(i, i.type.empty() ? "component" : i.type, v);
  }

protected:
  virtual void item(const option_info& info, std::string_view type, json_value value) = 0;

private:
  template <class T>
  static json_value list(const std::vector<T>& values) {
    return json_value(json_value::array(values.begin(), values.end()));
  }
};

class writer : public lister {
public:
  void group(const option_info& info, const std::function<void(option_visitor&)>& visit) override {
    writer nested;
    visit(nested);
    object.set(info.name, std::move(nested.object));
  }
  json_value object{json_value::object{}};

protected:
  void item(const option_info& info, std::string_view, json_value value) override {
    object.set(info.name, std::move(value));
  }
};

class describer : public lister {
public:
  explicit describer(std::vector<option_row>& rows, std::string prefix = {})
      : rows_(rows), prefix_(std::move(prefix)) {}
  void group(const option_info& info, const std::function<void(option_visitor&)>& visit) override {
    describer nested(rows_, fmt::format("{}{}.", prefix_, info.name));
    visit(nested);
  }

protected:
  void item(const option_info& info, std::string_view type, json_value value) override {
    rows_.push_back(
        {prefix_ + std::string(info.name), std::string(type), info.required ? "required" : dump_json(value),
         info.choices.empty() ? range_text(info) : join_names(info.choices), std::string(info.doc)});
  }

private:
  std::vector<option_row>& rows_;
  std::string prefix_;
};

} // namespace

error json_error(const json_place& place, const json_value& value, const std::string& problem) {
  std::string where = place.source;
  if (value.line() > 0)
    where += fmt::format(", line {}", value.line());
  where += fmt::format(", {}", place.pointer.empty() ? "/" : place.pointer);
  return configuration_error(fmt::format("{}: {}", where, problem));
}

result<void> read_options(const json_value& object, const json_place& place,
                          const std::function<void(option_visitor&)>& visit,
                          const std::vector<std::string_view>& skip) {
  if (!object.is_object())
    return json_error(place, object, fmt::format("must be an object, not {}", object.type_name()));
  reader r(object, place, skip);
  visit(r);
  return r.finish();
}

json_value write_options(const std::function<void(option_visitor&)>& visit) {
  writer w;
  visit(w);
  return std::move(w.object);
}

json_value describe_component(const json_value& description, const char* key, const configurable& component) {
  json_value out;
  const json_value* type = description.find(key);
  out.set(key, type != nullptr ? *type : description);
  // visit() only reads here; the visitor interface is shared with reading from JSON.
  auto& options = const_cast<configurable&>(component);
  const auto values = write_options([&](option_visitor& v) { options.visit(v); });
  for (const auto& [name, value] : values.as_object())
    out.set(name, value);
  return out;
}

std::vector<option_row> describe_options(const std::function<void(option_visitor&)>& visit) {
  std::vector<option_row> rows;
  describer d(rows);
  visit(d);
  return rows;
}

result<std::string> read_type_name(const json_value& value, const json_place& place, std::string_view kind) {
  if (value.is_string())
    return value.as_string();
  if (!value.is_object())
    return json_error(place, value,
                      fmt::format("must be a name or an object with a \"type\", not {}", value.type_name()));
  const json_value* type = value.find("type");
  if (type == nullptr)
    return json_error(place, value, fmt::format("needs a \"type\" that names the {}", kind));
  if (!type->is_string())
    return json_error({place.source, place.pointer + "/type"}, *type,
                      fmt::format("must be the name of the {}, not {}", kind, type->type_name()));
  return type->as_string();
}

} // namespace triage
