#include "apps/race/endings.hpp"
#include "apps/race/finals.hpp"
#include "apps/race/format.hpp"
#include "apps/race/metric.hpp"
#include "apps/race/report.hpp"

#include "core/files.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace triage {

std::vector<std::string> changes_of(const race_arm& arm, const std::vector<path_value>& point) {
  std::vector<std::string> out;
  for (const auto* changes : {&arm.set, &point})
    for (const auto& [path, value] : *changes)
      out.push_back(path + " = " + dump_json(value));
  return out;
}

std::string report_text(const race_outcome& race) {
  std::string out;
  for (const auto& target : race.targets)
    for (const auto& statement : target.statements)
      out += statement + "\n";
  for (const auto& e : endings(race))
    out += to_sentence(race, e) + "\n";
  for (const auto& remark : race.remarks)
    out += "note: " + remark + "\n";
  std::size_t width = 3;
  for (const auto& arm : race.spec.arms)
    width = std::max(width, arm.name.size());
  out += fmt::format("\n{:<{}}", "arm", width);
  const auto rows = final_rows(race);
  for (const auto& row : rows)
    out += fmt::format("  {:>18}", readable(row.name));
  out += "\n";
  for (std::size_t i = 0; i < race.arms.size(); ++i) {
    out += fmt::format("{:<{}}", race.spec.arms[i].name, width);
    for (const auto& row : rows)
      out += fmt::format("  {:>18}", row.arms[i] ? figure_text(row.arms[i]->middle) : "-");
    out += "\n";
  }
  return out;
}

result<void> write_reports(const race_outcome& race, const race_circumstances& around,
                           const std::string& directory) {
  const std::pair<const char*, std::string> files[] = {
      {"/curves.csv", curves_csv(race)},
      {"/race.csv", report_csv(race)},
      {"/race.html", report_html(race, around)},
      {"/race.json",
       dump_json(report_json(race, around), 1) + "\n"}, // last: a reader who sees it has them all
  };
  for (const auto& [name, text] : files)
    if (auto written = write_file_atomic(directory + name, text); !written.ok())
      return written;
  return {};
}

} // namespace triage
