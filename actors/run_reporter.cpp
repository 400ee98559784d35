#include "actors/run_reporter.hpp"

#include "core/files.hpp"
#include "core/process_memory.hpp"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>

namespace triage {

namespace {

constexpr double plain_line_interval = 5.0; ///< training seconds between progress lines in a log

json_value optional_number(const std::optional<double>& v) {
  return v ? json_value(*v) : json_value();
}

double scoring_share(const progress_report& r, const sampling_status& s) {
  const double all = r.worker_busy_seconds + s.scoring_seconds;
  return all > 0.0 ? s.scoring_seconds / all : 0.0;
}

json_value to_json(const progress_report& r) {
  json_value out;
  out.set("event", json_value("progress"));
  out.set("step", json_value(r.step));
  out.set("epoch", json_value(r.epochs));
  out.set("train_seconds", json_value(r.train_seconds));
  out.set("samples_trained", json_value(r.samples_trained));
  out.set("running_loss", json_value(r.running_loss));
  out.set("running_accuracy", optional_number(r.running_accuracy));
  out.set("samples_per_second", json_value(r.samples_per_second));
  out.set("learning_rate", json_value(r.learning_rate));
  out.set("mean_lag", json_value(r.mean_lag));
  out.set("dropped_results", json_value(r.dropped_results));
  return out;
}

std::string duration_text(double seconds) {
  const auto s = static_cast<std::int64_t>(std::llround(seconds));
  if (s < 60)
    return fmt::format("{}s", s);
  if (s < 3600)
    return fmt::format("{}m{:02}s", s / 60, s % 60);
  return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
}

} // namespace

run_reporter::run_reporter(report_options options, logger& log) : options_(std::move(options)), log_(log) {
  if (!options_.directory.empty())
    metrics_ = std::make_unique<metrics_writer>(options_.directory + "/metrics.jsonl");
}

void run_reporter::write(const json_value& record) {
  if (!metrics_)
    return;
  if (auto written = metrics_->write(record); !written.ok())
    warning("monitor", written.error().message);
}

void run_reporter::resumed(std::int64_t step) {
  json_value record;
  record.set("event", json_value("resumed"));
  record.set("step", json_value(step));
  write(record);
  // It tells of the end before: of a run that is killed from here on nothing should say that it finished.
  std::error_code ignored;
  if (!options_.directory.empty())
    std::filesystem::remove(options_.directory + "/summary.json", ignored);
}

void run_reporter::end_progress_line() {
  if (line_open_)
    std::fputc('\n', stderr);
  line_open_ = false;
}

std::string run_reporter::progress_line(const progress_report& r, const sampling_status& s) {
  std::string line = r.total_epochs ? fmt::format("epoch {:.2f}/{:g}", r.epochs, *r.total_epochs)
                                    : fmt::format("epoch {:.2f}", r.epochs);
  line += fmt::format("  loss {:.4f}", r.running_loss);
  if (r.running_accuracy)
    line += fmt::format("  accuracy {:.4f}", *r.running_accuracy);
  line += fmt::format("  {:.0f} samples/s", r.samples_per_second);
  if (r.fraction > 0.0 && r.train_seconds > 0.0)
    line += fmt::format("  eta {}", duration_text(r.train_seconds * (1.0 - r.fraction) / r.fraction));
  if (s.figures.prioritized)
    line +=
        fmt::format("  scoring {:.1f}%  staleness {:.0f}/{:.0f}  ess {:.2f}", 100.0 * scoring_share(r, s),
                    s.figures.staleness.median, s.figures.staleness.p99, s.figures.effective_sample_share);
  return line;
}

void run_reporter::progress(const progress_report& report, const sampling_status& sampling) {
  last_sampling_ = sampling;
  json_value record = to_json(report);
  if (sampling.figures.prioritized) {
    const auto& f = sampling.figures;
    record.set("samples_scored", json_value(sampling.samples_scored));
    record.set("scoring_share", json_value(scoring_share(report, sampling)));
    record.set("priority_staleness_p50", json_value(f.staleness.median));
    record.set("priority_staleness_p99", json_value(f.staleness.p99));
    record.set("priority_unseen_share", json_value(f.staleness.unseen_share));
    record.set("effective_sample_share", json_value(f.effective_sample_share));
    record.set("rejected_scores", json_value(f.rejected_scores));
    record.set("sampling_phase", json_value(f.selector.phase));
    record.set("kappa", optional_number(f.selector.kappa));
    record.set("predicted_gain", optional_number(f.selector.predicted_gain));
    record.set("measured_gain", f.measured_gain ? json_value(f.measured_gain->value) : json_value());
    record.set("gate_worth", optional_number(f.gate_worth));
    record.set("suspect_share", optional_number(f.suspect_share));
    record.set("doubt_persistence", optional_number(f.doubt_persistence));
    record.set("samples_prioritized", json_value(f.samples_prioritized));
  }
  write(record);
  if (!options_.progress)
    return;
  const std::string line = progress_line(report, sampling);
  if (options_.terminal) {
    std::fprintf(stderr, "\r%s\033[K", line.c_str());
    std::fflush(stderr);
    line_open_ = true;
  } else if (report.train_seconds - last_plain_line_ >= plain_line_interval) {
    last_plain_line_ = report.train_seconds;
    log_.info("train", line);
  }
}

void run_reporter::evaluation(const progress_report& report, const evaluation_figures& figures,
                              const sampling_status& sampling) {
  json_value record;
  record.set("event", json_value("evaluation"));
  record.set("step", json_value(report.step));
  record.set("epoch", json_value(report.epochs));
  record.set("train_seconds", json_value(report.train_seconds));
  record.set("samples_trained", json_value(report.samples_trained));
  record.set("samples_scored", json_value(sampling.samples_scored));
  record.set("compute_seconds", json_value(report.worker_busy_seconds + sampling.scoring_seconds));
  const json_value measured = triage::to_json(figures);
  for (const auto& [name, value] : measured.as_object())
    record.set(name, value);
  json_value::array drawn;
  for (const auto n : sampling.figures.drawn_by_class)
    drawn.emplace_back(n);
  record.set("drawn_by_class", json_value(std::move(drawn)));
  write(record);
  if (!options_.progress)
    return;
  end_progress_line();
  std::string line = fmt::format("epoch {:.2f}  train loss {:.4f}", report.epochs, figures.train_loss);
  if (figures.validation_loss)
    line += fmt::format("  validation loss {:.4f}", *figures.validation_loss);
  if (figures.validation_accuracy)
    line += fmt::format("  validation accuracy {:.4f}", *figures.validation_accuracy);
  if (figures.test_loss)
    line += fmt::format("  test loss {:.4f}", *figures.test_loss);
  if (figures.test_accuracy)
    line += fmt::format("  test accuracy {:.4f}", *figures.test_accuracy);
  line += fmt::format(
      "  {:.1f}s  {:.0f} samples/s", report.train_seconds,
      report.train_seconds > 0.0 ? static_cast<double>(report.samples_trained) / report.train_seconds : 0.0);
  log_.info("evaluate", line);
}

void run_reporter::members(json_value record) {
  record.set("event", json_value("members"));
  write(record);
}

void run_reporter::warning(const std::string& source, const std::string& text) {
  end_progress_line();
  log_.warn(source, text);
}

void run_reporter::remark(const std::string& source, const std::string& text) {
  end_progress_line();
  log_.info(source, text);
}

void run_reporter::finished(const run_summary& summary) {
  end_progress_line();
  if (summary.status == run_status::failed)
    log_.error("run", summary.problem);
  else if (const auto account = to_sentence(summary.prioritization); !account.empty())
    log_.info("run", account);
  json_value record = triage::to_json(summary);
  const auto peak = peak_memory_bytes();
  record.set("peak_memory_bytes", peak ? json_value(*peak) : json_value());
  if (!options_.directory.empty())
    if (auto written = write_file_atomic(options_.directory + "/summary.json", dump_json(record, 2) + "\n");
        !written.ok())
      warning("monitor", written.error().message);
  record.set("event", json_value("finished"));
  write(record);
}

} // namespace triage
