#include "core/forecast/step_profile.hpp"

#include "core/files.hpp"
#include "core/options.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <string_view>

namespace triage {

namespace {

constexpr std::array<std::string_view, 6> kind_names = {"gather", "forward", "backward",
                                                        "rest",   "round",   "merge"};
constexpr std::size_t merge_kind = 5;
constexpr std::size_t largest_profile = std::size_t{256} << 20U;

/// A line of the file behind the first: an op, or the merge that ends its step.
struct op_line {
  std::int64_t step = 0;
  std::int64_t op = 0;
  std::string kind = "rest";
  std::int64_t needs_bytes = 0;
  std::int64_t sends_bytes = 0;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  void visit(option_visitor& v) {
    v.field({.name = "step", .doc = "", .min = 0, .required = true}, step);
    v.field({.name = "op", .doc = "", .min = 0, .required = true}, op);
    v.field({.name = "kind", .doc = "", .choices = {kind_names.begin(), kind_names.end()}, .required = true},
            kind);
    v.field({.name = "needs_bytes", .doc = "", .min = 0}, needs_bytes);
    v.field({.name = "sends_bytes", .doc = "", .min = 0}, sends_bytes);
    v.field({.name = "start_ns", .doc = "", .min = 0, .required = true}, start_ns);
    v.field({.name = "end_ns", .doc = "", .min = 0, .required = true}, end_ns);
  }
};

void visit_cost(option_visitor& v, std::string_view name, message_cost& cost) {
  v.group({.name = name, .doc = ""}, [&](option_visitor& inner) {
    inner.field({.name = "seconds", .doc = "", .min = 0, .max = 10}, cost.fixed);
    inner.field({.name = "seconds_per_byte", .doc = "", .min = 0, .max = 1}, cost.byte);
  });
}

/// The first line.
struct profile_line {
  step_profile profile;
  std::int64_t format = 1;
  std::int64_t samples = 0;
  std::int64_t floats = 0;
  json_value exchange;
  void visit(option_visitor& v) {
    constexpr double longest = 1e6; // seconds of anything
    auto& p = profile;
    v.field({.name = "triage_profile", .doc = "", .min = 1, .max = 1, .required = true}, format);
    v.field({.name = "name", .doc = ""}, p.name);
    v.field({.name = "exchange", .doc = "", .required = true}, exchange);
    v.field({.name = "samples", .doc = "", .min = 1, .required = true}, samples);
    v.field({.name = "floats", .doc = "", .min = 1, .required = true}, floats);
    v.field({.name = "bytes_down", .doc = "", .min = 0, .required = true}, p.bytes_down);
    v.field({.name = "bytes_up", .doc = "", .min = 0, .required = true}, p.bytes_up);
    v.field({.name = "waits", .doc = ""}, p.waits);
    v.field({.name = "merges_ahead", .doc = ""}, p.merges_ahead);
    v.field({.name = "step_seconds", .doc = "", .min = 0, .max = longest}, p.step_seconds);
    v.field({.name = "processor_seconds", .doc = "", .min = 0, .max = longest}, p.processor_seconds);
    v.field({.name = "overhead_seconds", .doc = "", .min = 0, .max = longest}, p.overhead_seconds);
    v.field({.name = "add_seconds", .doc = "", .min = 0, .max = longest}, p.add_seconds);
    v.field({.name = "merge_more_seconds", .doc = "", .min = 0, .max = longest}, p.merge_more_seconds);
    visit_cost(v, "sending", p.sending);
    visit_cost(v, "receiving", p.receiving);
  }
};

std::int64_t nanoseconds(double seconds) {
  return std::llround(seconds * 1e9);
}

std::string line_of(op_line line) {
  return dump_json(write_options([&](option_visitor& v) { line.visit(v); })) + "\n";
}

template <class Line>
result<Line> read_line(std::string_view text, const std::string& path, int number) {
  auto json = parse_json(text, fmt::format("{}, line {}", path, number));
  if (!json.ok())
    return json.error();
  json->set_line_everywhere(number);
  Line line;
  if (auto read = read_options(*json, {path, ""}, [&](option_visitor& v) { line.visit(v); }); !read.ok())
    return read.error();
  return line;
}

error bad_line(const std::string& path, int number, std::string_view problem) {
  return configuration_error(fmt::format("{}, line {}: {}; a profile is written by triage forecast "
                                         "--save-profile",
                                         path, number, problem));
}

/// Puts a line's op where it belongs; an error's text, or nothing.
std::string_view take(const op_line& line, step_profile& to) {
  const auto kind = static_cast<std::size_t>(std::find(kind_names.begin(), kind_names.end(), line.kind) -
                                             kind_names.begin());
  if (line.end_ns < line.start_ns)
    return "the op ends before it begins";
  if (static_cast<std::size_t>(line.step) == to.steps.size())
    to.steps.emplace_back();
  if (static_cast<std::size_t>(line.step) + 1 != to.steps.size() ||
      static_cast<std::size_t>(line.op) != to.steps.back().ops.size())
    return "steps and ops must be numbered in their order, from 0";
  auto& step = to.steps.back();
  const double seconds = 1e-9 * static_cast<double>(line.end_ns - line.start_ns);
  if (kind == merge_kind) {
    step.merge_seconds = seconds;
    return {};
  }
  step.ops.push_back({static_cast<compute_op::kind>(kind), seconds,
                      static_cast<std::size_t>(line.needs_bytes) / sizeof(float),
                      static_cast<std::size_t>(line.sends_bytes) / sizeof(float)});
  if (step.ops.back().needs > to.floats)
    return "the op needs more than there are parameters";
  return {};
}

/// Every step sends each float once at most, and something.
std::string_view look_at(const step_profile& profile) {
  if (profile.steps.empty())
    return "there is no step";
  for (const auto& s : profile.steps) {
    std::size_t sent = 0;
    for (const auto& op : s.ops)
      sent += op.sends;
    if (sent == 0 || sent > profile.floats)
      return "a step must send something, and not more than there are parameters";
    if (s.compute_seconds() <= 0.0)
      return "a step takes no time";
  }
  return {};
}

} // namespace

double profiled_step::compute_seconds() const {
  double sum = 0.0;
  for (const auto& op : ops)
    sum += op.seconds;
  return sum;
}

double step_profile::compute_seconds() const {
  double sum = 0.0;
  for (const auto& s : steps)
    sum += s.compute_seconds();
  return steps.empty() ? 0.0 : sum / static_cast<double>(steps.size());
}

double step_profile::merge_seconds() const {
  double sum = 0.0;
  for (const auto& s : steps)
    sum += s.merge_seconds;
  return steps.empty() ? 0.0 : sum / static_cast<double>(steps.size());
}

double step_profile::overhead_work() const {
  const double explained = (waits ? 0.0 : compute_seconds()) + merge_seconds() +
                           (sending.byte + receiving.byte) * (bytes_down + bytes_up);
  return std::max(processor_seconds - explained, 0.0);
}

std::string to_json_lines(const step_profile& profile) {
  profile_line first{.profile = profile,
                     .samples = static_cast<std::int64_t>(profile.samples),
                     .floats = static_cast<std::int64_t>(profile.floats),
                     .exchange = profile.exchange};
  first.profile.steps.clear();
  std::string out = dump_json(write_options([&](option_visitor& v) { first.visit(v); })) + "\n";
  double clock = 0.0;
  for (std::size_t s = 0; s < profile.steps.size(); ++s) {
    const auto& step = profile.steps[s];
    const auto stretch = [&](double seconds, op_line line) {
      line.step = static_cast<std::int64_t>(s);
      line.start_ns = nanoseconds(clock);
      line.end_ns = line.start_ns + nanoseconds(seconds);
      clock += seconds;
      out += line_of(std::move(line));
    };
    for (std::size_t i = 0; i < step.ops.size(); ++i) {
      const auto& op = step.ops[i];
      stretch(op.seconds, {.op = static_cast<std::int64_t>(i),
                           .kind = std::string(kind_names[static_cast<std::size_t>(op.what)]),
                           .needs_bytes = static_cast<std::int64_t>(op.needs * sizeof(float)),
                           .sends_bytes = static_cast<std::int64_t>(op.sends * sizeof(float))});
    }
    stretch(step.merge_seconds,
            {.op = static_cast<std::int64_t>(step.ops.size()), .kind = std::string(kind_names[merge_kind])});
  }
  return out;
}

result<step_profile> read_step_profile(const std::string& path) {
  auto text = read_file(path, largest_profile);
  if (!text.ok())
    return text.error();
  std::string_view rest = *text;
  int number = 0;
  step_profile out;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (++number == 1) {
      auto first = read_line<profile_line>(line, path, number);
      if (!first.ok())
        return first.error();
      out = std::move(first->profile);
      out.exchange = first->exchange;
      out.samples = static_cast<std::size_t>(first->samples);
      out.floats = static_cast<std::size_t>(first->floats);
      continue;
    }
    auto op = read_line<op_line>(line, path, number);
    if (!op.ok())
      return op.error();
    if (const auto problem = take(*op, out); !problem.empty())
      return bad_line(path, number, problem);
  }
  if (const auto problem = look_at(out); !problem.empty())
    return bad_line(path, std::max(number, 1), problem);
  return out;
}

} // namespace triage
