#include "core/json.hpp"

#include "core/excerpt.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

namespace triage {

namespace {

constexpr std::size_t max_depth = 64;
constexpr std::size_t max_bytes = std::size_t{16} << 20U;

/// What the parser has consumed so far.
struct text_position {
  int lines_begun = 1;
  char last = '\0';

  /// The line of what was read last. The parser reads one character behind a number before it reports it, and
  /// a line end belongs to the line that it ends.
  [[nodiscard]] int line() const { return last == '\n' ? lines_begun - 1 : lines_begun; }
};

/// Walks the text and keeps the position that the parser has reached.
class line_counting_iterator {
public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  line_counting_iterator(const char* at, text_position* position) : at_(at), position_(position) {}
  reference operator*() const { return *at_; }
  line_counting_iterator& operator++() {
    position_->last = *at_;
    if (*at_ == '\n')
      ++position_->lines_begun;
    ++at_;
    return *this;
  }
  bool operator==(const line_counting_iterator& o) const { return at_ == o.at_; }
  bool operator!=(const line_counting_iterator& o) const { return at_ != o.at_; }

private:
  const char* at_;
  text_position* position_;
};

/// Builds the tree from the parser's events; returning false stops the parse with `problem` set.
class tree_builder : public nlohmann::json_sax<nlohmann::json> {
public:
  explicit tree_builder(const text_position* position) : position_(position) {}

  bool null() override { return add(json_value()); }
  bool boolean(bool v) override { return add(json_value(v)); }
  bool number_integer(number_integer_t v) override { return add(json_value(std::int64_t{v})); }
  bool number_unsigned(number_unsigned_t v) override { return add(json_value(std::uint64_t{v})); }
  bool number_float(number_float_t v, const string_t&) override { return add(json_value(v)); }
  bool string(string_t& v) override { return add(json_value(std::move(v))); }
  bool binary(binary_t&) override { return fail("binary values are not JSON"); }
  bool start_object(std::size_t) override { return open(json_value(json_value::object{})); }
  bool start_array(std::size_t) override { return open(json_value(json_value::array{})); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& v) override {
    if (!open_.back().names.insert(v).second)
      return fail(
          fmt::format("the name {} stands twice in one object; remove one of the two", quoted_excerpt(v)));
    open_.back().name = v;
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& e) override {
    std::string text = e.what();
    if (const auto at = text.find("] "); at != std::string::npos)
      text.erase(0, at + 2);
    // The parser's own position is replaced by ours, which holds for every kind of error.
    if (const auto at = text.find(": "); text.rfind("parse error", 0) == 0 && at != std::string::npos)
      text.erase(0, at + 2);
    return fail("not valid JSON: " + excerpt(text, 300));
  }

  json_value root;
  std::string problem;
  int problem_line = 0;

private:
  struct level {
    json_value value;
    std::string name;
    std::unordered_set<std::string> names;
  };

  bool fail(std::string text) {
    problem = std::move(text);
    problem_line = position_->line();
    return false;
  }
  bool add(json_value v) {
    if (v.line() == 0)
      v.set_line(position_->line());
    if (open_.empty())
      root = std::move(v);
    else if (auto& top = open_.back(); top.value.is_array())
      top.value.as_array().push_back(std::move(v));
    else
      top.value.as_object().emplace_back(std::move(top.name), std::move(v));
    return true;
  }
  bool open(json_value v) {
    if (open_.size() >= max_depth)
      return fail(fmt::format("nested deeper than {} levels", max_depth));
    v.set_line(position_->line());
    open_.push_back({std::move(v), {}, {}});
    return true;
  }
  bool close() {
    json_value v = std::move(open_.back().value);
    open_.pop_back();
    return add(std::move(v));
  }

  const text_position* position_;
  std::vector<level> open_;
};

nlohmann::ordered_json to_nlohmann(const json_value& v) {
  if (v.is_bool())
    return v.as_bool();
  if (v.is_integer())
    return v.as_integer();
  if (v.is_number())
    return v.as_number();
  if (v.is_string())
    return v.as_string();
  if (v.is_array()) {
    auto out = nlohmann::ordered_json::array();
    for (const auto& x : v.as_array())
      out.push_back(to_nlohmann(x));
    return out;
  }
  if (v.is_object()) {
    auto out = nlohmann::ordered_json::object();
    for (const auto& [name, x] : v.as_object())
      out[name] = to_nlohmann(x);
    return out;
  }
  return nullptr;
}

/// The element that a step of a path names, or null.
json_value* element_at(json_value& array, std::string_view step) {
  std::size_t index = 0;
  const auto [end, ec] = std::from_chars(step.data(), step.data() + step.size(), index);
  auto& elements = array.as_array();
  return ec == std::errc() && end == step.data() + step.size() && index < elements.size() ? &elements[index]
                                                                                          : nullptr;
}

} // namespace

json_value::json_value(std::uint64_t v) {
  if (v <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    value_ = static_cast<std::int64_t>(v);
  else
    value_ = static_cast<double>(v);
}

double json_value::as_number() const {
  return is_integer() ? static_cast<double>(as_integer()) : std::get<double>(value_);
}

const json_value* json_value::find(std::string_view name) const {
  if (is_object())
    for (const auto& [n, v] : as_object())
      if (n == name)
        return &v;
  return nullptr;
}

json_value* json_value::find(std::string_view name) {
  return const_cast<json_value*>(std::as_const(*this).find(name));
}

void json_value::set(std::string_view name, json_value value) {
  if (!is_object())
    value_ = object{};
  if (auto* present = find(name))
    *present = std::move(value);
  else
    as_object().emplace_back(std::string(name), std::move(value));
}

void json_value::set_line_everywhere(int line) {
  line_ = line;
  if (is_array())
    for (auto& v : as_array())
      v.set_line_everywhere(line);
  if (is_object())
    for (auto& [name, v] : as_object())
      v.set_line_everywhere(line);
}

std::string_view json_value::type_name() const {
  constexpr std::string_view names[] = {"null",     "a boolean", "an integer", "a number",
                                        "a string", "an array",  "an object"};
  return names[value_.index()];
}

result<json_value> parse_json(std::string_view text, const std::string& source) {
  if (text.size() > max_bytes)
    return configuration_error(fmt::format("{}: {} bytes are more than a JSON document may have here ({})",
                                           source, text.size(), max_bytes));
  text_position position;
  tree_builder builder(&position);
  const line_counting_iterator first(text.data(), &position);
  const line_counting_iterator last(text.data() + text.size(), &position);
  if (!nlohmann::json::sax_parse(first, last, &builder))
    return configuration_error(fmt::format("{}, line {}: {}", source, builder.problem_line, builder.problem));
  return std::move(builder.root);
}

result<json_value> read_json_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    return configuration_error(fmt::format("{}: cannot be opened; check the path and its permissions", path));
  std::string text;
  std::vector<char> chunk(std::size_t{1} << 16U);
  while (text.size() <= max_bytes) {
    in.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    if (in.gcount() <= 0)
      break;
    text.append(chunk.data(), static_cast<std::size_t>(in.gcount()));
  }
  if (in.bad())
    return configuration_error(fmt::format("{}: cannot be read; is it a regular file?", path));
  return parse_json(text, path);
}

std::string dump_json(const json_value& value, int indent) {
  return to_nlohmann(value).dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

json_value* find_json_path(json_value& root, std::string_view path) {
  json_value* at = &root;
  while (at != nullptr && !path.empty()) {
    const auto step = path.substr(0, path.find('.'));
    at = at->is_array() ? element_at(*at, step) : at->find(step);
    path.remove_prefix(std::min(path.size(), step.size() + 1));
  }
  return at;
}

result<void> set_json_path(json_value& root, std::string_view path, json_value value) {
  json_value* at = &root;
  std::string_view rest = path;
  while (true) {
    const auto dot = rest.find('.');
    const std::string_view step = rest.substr(0, dot);
    if (step.empty())
      return configuration_error(fmt::format("--set {}: empty name in the path", path));
    if (at->is_array()) {
      json_value* const element = element_at(*at, step);
      if (element == nullptr)
        return configuration_error(
            fmt::format("--set {}: \"{}\" is not an index of an array with {} elements", path, step,
                        at->as_array().size()));
      at = element;
    } else {
      if (!at->is_object() && !at->is_null())
        return configuration_error(
            fmt::format("--set {}: cannot step into {} with \"{}\"", path, at->type_name(), step));
      if (at->find(step) == nullptr)
        at->set(step, json_value());
      at = at->find(step);
    }
    if (dot == std::string_view::npos)
      break;
    rest.remove_prefix(dot + 1);
  }
  *at = std::move(value);
  return {};
}

} // namespace triage
