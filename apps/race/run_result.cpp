#include "apps/race/run_result.hpp"

#include "actors/run_records.hpp"
#include "apps/race/metric.hpp"
#include "core/files.hpp"
#include "core/json.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

namespace triage {

namespace {

constexpr std::size_t most_metrics_bytes = std::size_t{1} << 30U;
constexpr std::size_t most_description_bytes = std::size_t{16} << 20U;

double number(const json_value& record, std::string_view name) {
  const json_value* v = record.find(name);
  return v != nullptr && v->is_number() ? v->as_number() : 0.0;
}

std::string text(const json_value& record, std::string_view name) {
  const json_value* v = record.find(name);
  return v != nullptr && v->is_string() ? v->as_string() : "";
}

bool ended_well(const json_value& summary) {
  const auto status = text(summary, "status");
  for (const auto s : {run_status::finished, run_status::target_reached, run_status::stopped_improving,
                       run_status::interrupted, run_status::starved, run_status::failed})
    if (status == to_string(s))
      return ended_by_itself(s);
  return false;
}

evaluation_point point_of(const json_value& record) {
  evaluation_point p;
  p.epoch = number(record, "epoch");
  p.seconds = number(record, "train_seconds");
  p.samples = number(record, "samples_trained");
  p.scored = number(record, "samples_scored");
  p.compute_seconds = number(record, "compute_seconds");
  for (const auto metric : race_metrics())
    if (const json_value* v = record.find(metric); v != nullptr && v->is_number())
      p.figures.emplace_back(metric, v->as_number());
  return p;
}

run_result with_origin(run_result run, const json_value& description) {
  run.data_fingerprint = text(description, "data_fingerprint");
  const json_value* build = description.find("build");
  run.made_on = text(description, "host") + " " + (build == nullptr ? "" : dump_json(*build));
  return run;
}

bool is_older_than_program(const std::string& file) {
  std::error_code ec;
  const auto program = std::filesystem::last_write_time("/proc/self/exe", ec);
  if (ec)
    return false;
  const auto made = std::filesystem::last_write_time(file, ec);
  return !ec && made < program;
}

/// The end of the run's output: why it ended without a summary.
std::string last_words(const std::string& log_file) {
  const auto log = read_file(log_file, most_metrics_bytes);
  if (!log.ok())
    return "it ended without a word";
  std::string_view rest = *log;
  while (!rest.empty() && (rest.back() == '\n' || rest.back() == ' '))
    rest.remove_suffix(1);
  rest = rest.substr(rest.rfind('\n') + 1);
  return rest.empty() ? "it ended without a word" : std::string(rest.substr(0, 500));
}

} // namespace

std::optional<double> evaluation_point::find(std::string_view metric) const {
  for (const auto& [name, value] : figures)
    if (name == metric)
      return value;
  return std::nullopt;
}

result<curve> read_curve(const std::string& metrics_file) {
  const auto content = read_file(metrics_file, most_metrics_bytes);
  if (!content.ok())
    return content.error();
  curve points;
  std::string_view rest = *content;
  int line = 0;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    if (end == std::string_view::npos)
      break;
    const auto record_text = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    ++line;
    if (record_text.find("\"evaluation\"") == std::string_view::npos)
      continue;
    const auto record = parse_json(record_text, fmt::format("{}, line {}", metrics_file, line));
    if (!record.ok())
      return data_error(record.error().message);
    if (text(*record, "event") == "evaluation")
      points.push_back(point_of(*record));
  }
  return points;
}

/// Whether a curve is whole, as far as its end tells: what is left of one would be taken for a worse or
/// better run.
bool ends_as_told(const std::string& metrics_file, const json_value& summary) {
  const auto points = read_curve(metrics_file);
  if (!points.ok() || points->empty() || points->back().samples != number(summary, "samples_trained"))
    return false;
  const json_value* told = summary.find("train_loss");
  const auto found = points->back().find("train_loss");
  return told == nullptr || !told->is_number() || (found && *found == told->as_number());
}

std::optional<double> run_result::final_figure(std::string_view metric) const {
  if (failed)
    return worst_value(metric);
  return points.empty() ? std::nullopt : points.back().find(metric);
}

run_result read_run_result(const std::string& race_directory, const std::string& directory,
                           std::int64_t seed) {
  run_result run;
  run.seed = seed;
  run.directory = directory;
  const std::string path = race_directory + "/" + directory;
  if (const auto description = read_json_file(path + "/description.json"); description.ok())
    run = with_origin(std::move(run), *description);
  auto points = read_curve(path + "/metrics.jsonl");
  if (points.ok())
    run.points = points.take();
  const auto summary = read_json_file(path + "/summary.json");
  if (!summary.ok()) {
    run.failed = true;
    run.problem = last_words(path + ".log");
    return run;
  }
  run.older_than_program = is_older_than_program(path + "/summary.json");
  run.train_seconds = number(*summary, "train_seconds");
  run.samples_per_second = number(*summary, "samples_per_second");
  run.scoring_share = number(*summary, "scoring_share");
  if (!ended_well(*summary)) {
    run.failed = true;
    run.problem = text(*summary, "problem");
    if (run.problem.empty())
      run.problem = "it ended as " + text(*summary, "status");
  } else if (run.points.empty()) {
    run.failed = true;
    run.problem = points.ok() ? "its metrics.jsonl holds no evaluation" : points.error().message;
  }
  return run;
}

bool is_done(const std::string& run_directory, const std::string& description) {
  const auto stored = read_file(run_directory + ".json", most_description_bytes);
  if (!stored.ok() || *stored != description)
    return false;
  std::error_code ec;
  if (!std::filesystem::exists(run_directory + "/summary.json", ec))
    return false;
  const auto summary = read_json_file(run_directory + "/summary.json");
  return summary.ok() && ended_well(*summary) && ends_as_told(run_directory + "/metrics.jsonl", *summary);
}

} // namespace triage
