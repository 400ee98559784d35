#include "apps/race/runner.hpp"

#include "apps/race/format.hpp"
#include "apps/race/metric.hpp"
#include "apps/race/run_result.hpp"
#include "core/clock.hpp"
#include "core/files.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>

namespace triage {

namespace fs = std::filesystem;

namespace {

constexpr double look_seconds = 0.1;    ///< between looks at whether a stop was requested
constexpr double seconds_to_stop = 5.0; ///< what children get to end before they are killed

double now() {
  return steady_clock().now();
}

std::string figures_of(const run_result& run) {
  std::string out;
  for (const char* metric : {"train_loss", "test_accuracy"})
    if (const auto v = run.final_figure(metric))
      out += fmt::format(", {} {}", readable(metric), figure_text(*v));
  return out;
}

} // namespace

race_runner::race_runner(runner_options options) : options_(std::move(options)) {
  const auto cores = available_cores();
  const auto width = static_cast<std::size_t>(options_.cores);
  for (std::size_t i = 0; i < static_cast<std::size_t>(options_.parallel); ++i) {
    slot s;
    for (std::size_t c = i * width; c < (i + 1) * width && c < cores.size(); ++c)
      s.cores.push_back(cores[c]);
    slots_.push_back(std::move(s));
  }
}

result<void> race_runner::run(const std::vector<planned_run>& plan) {
  // Before anything is timed: loading data takes a core.
  std::vector<bool> done;
  for (const auto& run : plan) {
    done.push_back(is_done(path(run), run.description));
    if (done.back())
      if (auto same = data_.check(path(run), run.description); !same.ok())
        return same;
  }
  std::size_t next = 0;
  std::size_t passed_over = 0;
  std::size_t busy = 0;
  while (next < plan.size() || busy > 0) {
    if (stopped()) {
      stop_children();
      return {};
    }
    for (auto& s : slots_) {
      while (!s.child && next < plan.size()) {
        const auto& run = plan[next++];
        if (done[next - 1]) {
          ++finished_;
          ++passed_over;
          continue;
        }
        if (auto started = start(s, run); !started.ok()) {
          stop_children();
          return started;
        }
        ++busy;
      }
      if (s.child && s.child->poll()) {
        ended(s);
        --busy;
      }
    }
    std::vector<const child_process*> children;
    for (const auto& s : slots_)
      if (s.child)
        children.push_back(&*s.child);
    wait_for_any(children, children.empty() ? 0.0 : look_seconds);
  }
  if (passed_over > 0)
    std::fprintf(stderr, "%zu of %zu runs were done already\n", passed_over, plan.size());
  return {};
}

result<void> race_runner::start(slot& s, const planned_run& run) {
  const std::string directory = path(run);
  std::error_code ec;
  fs::remove_all(directory, ec); // before the description: a new description beside an old run would lie
  fs::create_directories(fs::path(directory).parent_path(), ec);
  if (auto written = write_file_atomic(directory + ".json", run.description); !written.ok())
    return written;
  auto child =
      child_process::start({.arguments = {"train", directory + ".json", "--run-dir", directory, "--quiet"},
                            .output_file = directory + ".log",
                            .cores = s.cores});
  if (!child.ok())
    return child.error();
  s.child.emplace(child.take());
  s.run = &run;
  s.since = now();
  return {};
}

void race_runner::ended(slot& s) {
  ++finished_;
  ++executed_;
  seconds_spent_ += now() - s.since;
  const auto result = read_run_result(options_.directory, s.run->directory, s.run->seed);
  const double mean = seconds_spent_ / static_cast<double>(executed_);
  const double left = mean * static_cast<double>(options_.total - std::min(finished_, options_.total)) /
                      static_cast<double>(options_.parallel);
  const std::string line = fmt::format(
      "{}/{} {}: {}{}", finished_, options_.total, s.run->label,
      result.failed ? "failed: " + result.problem : seconds_text(result.train_seconds) + figures_of(result),
      finished_ < options_.total ? fmt::format("; about {} left", duration_text(left)) : "");
  std::fprintf(stderr, "%s\n", line.c_str());
  s.child.reset();
  s.run = nullptr;
}

void race_runner::stop_children() {
  for (auto& s : slots_)
    if (s.child)
      s.child->signal(SIGTERM);
  const double deadline = now() + seconds_to_stop;
  for (auto& s : slots_) {
    if (s.child)
      (void)s.child->wait(std::max(0.0, deadline - now()));
    s.child.reset(); // kills
  }
}

} // namespace triage
