#include "apps/bench/report.hpp"

#include "actors/run_directory.hpp"

#include <cmath>
#include <cstdio>
#include <fmt/format.h>

namespace triage {

namespace {

/// Three to four significant digits without an exponent.
std::string number(double v) {
  const double size = std::abs(v);
  if (size >= 1e6)
    return fmt::format("{:.2f} M", v / 1e6);
  const int decimals = size >= 1000.0 ? 0 : size >= 100.0 ? 1 : size >= 10.0 ? 2 : size >= 0.1 ? 3 : 5;
  return fmt::format("{:.{}f}", v, decimals);
}

} // namespace

void bench_report::begin_suite(const std::string& name) {
  suites_.push_back({name, {}, {}});
  fmt::print("\n{:<56} {:>11}  {:>11} .. {:<11} {}\n", name, "median", "quartile", "quartile", "unit");
  std::fflush(stdout);
}

void bench_report::add(row r) {
  std::string goal;
  if (r.wanted) {
    const double m = r.values.median();
    const bool met = r.at_most ? m <= *r.wanted : m >= *r.wanted;
    goal = fmt::format("  [{} {} {}]", met ? "meets" : "misses", r.at_most ? "at most" : "at least",
                       number(*r.wanted));
  }
  fmt::print("  {:<54} {:>11}  {:>11} .. {:<11} {}{}\n", r.name, number(r.values.median()),
             number(r.values.quantile(0.25)), number(r.values.quantile(0.75)), r.unit, goal);
  std::fflush(stdout);
  suites_.back().rows.push_back(std::move(r));
}

void bench_report::remark(const std::string& text) {
  fmt::print("  {}\n", text);
  std::fflush(stdout);
  suites_.back().remarks.push_back(text);
}

json_value bench_report::to_json() const {
  json_value suites(json_value::object{});
  for (const auto& s : suites_) {
    json_value::array rows;
    for (const auto& r : s.rows) {
      json_value cells;
      cells.set("name", json_value(r.name));
      cells.set("unit", json_value(r.unit));
      cells.set("median", json_value(r.values.median()));
      cells.set("low", json_value(r.values.quantile(0.25)));
      cells.set("high", json_value(r.values.quantile(0.75)));
      if (r.wanted)
        cells.set(r.at_most ? "at_most" : "at_least", json_value(*r.wanted));
      json_value::array values;
      for (const double v : r.values.values)
        values.emplace_back(v);
      cells.set("values", json_value(std::move(values)));
      rows.push_back(std::move(cells));
    }
    json_value entry;
    entry.set("rows", json_value(std::move(rows)));
    json_value::array remarks;
    for (const auto& text : s.remarks)
      remarks.emplace_back(text);
    entry.set("remarks", json_value(std::move(remarks)));
    suites.set(s.name, std::move(entry));
  }
  json_value out;
  out.set("build", build_description());
  out.set("suites", std::move(suites));
  return out;
}

} // namespace triage
