#pragma once

#include "apps/bench/series.hpp"
#include "core/json.hpp"

#include <optional>
#include <string>
#include <vector>

namespace triage {

/// What the benchmarks measured, in the order of measuring.
class bench_report {
public:
  /// Rows that follow belong to this suite.
  void begin_suite(const std::string& name);
  /// Adds a row and prints it at once. `wanted` is a goal of the project, if there is one: at least that
  /// much, or at most where `at_most` is set.
  struct row {
    std::string name;
    std::string unit;
    series values;
    std::optional<double> wanted = std::nullopt;
    bool at_most = false;
  };
  void add(row r);
  /// A line of text between the rows.
  void remark(const std::string& text);

  /// {"build": …, "suites": {NAME: {"rows": [{"name", "unit", "median", "low", "high", "at_least" or
  /// "at_most", "values"}], "remarks": […]}}}; low and high are the quartiles.
  [[nodiscard]] json_value to_json() const;

private:
  struct suite {
    std::string name;
    std::vector<row> rows;
    std::vector<std::string> remarks;
  };
  std::vector<suite> suites_;
};

} // namespace triage
