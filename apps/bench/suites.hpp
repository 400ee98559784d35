#pragma once

#include "apps/bench/report.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace triage {

struct bench_options {
  int rounds = 7;                ///< measurements of each contender
  double seconds = 0.5;          ///< of one measurement
  std::string precision = "f32"; ///< of training, in the suite train
  std::string only; ///< "mlp:64": this model and batch size alone, in the suites that take models in turn
  /// Of a whole run: long enough for its first step, which builds kernels and touches memory, not to matter.
  [[nodiscard]] double run_seconds() const { return std::max(seconds, std::min(10.0 * seconds, 5.0)); }
  /// Whether a suite should look at this model and batch size.
  [[nodiscard]] bool wants(const std::string& model, std::int64_t batch) const {
    return only.empty() || only == model + ":" + std::to_string(batch);
  }
};

struct bench_suite {
  std::string_view name;
  std::string_view summary;
  void (*run)(const bench_options& options, bench_report& report);
};

void bench_kernels(const bench_options& options, bench_report& report);
void bench_train(const bench_options& options, bench_report& report);
void bench_score(const bench_options& options, bench_report& report);
void bench_sampler(const bench_options& options, bench_report& report);
void bench_memory(const bench_options& options, bench_report& report);
void bench_messages(const bench_options& options, bench_report& report);
void bench_links(const bench_options& options, bench_report& report);
void bench_nodes(const bench_options& options, bench_report& report);
void bench_exchange(const bench_options& options, bench_report& report);
void bench_scaling(const bench_options& options, bench_report& report);

/// In the order in which they run.
inline constexpr std::array bench_suites = {
    bench_suite{"kernels", "matrix and convolution kernels at their best layout against the step",
                bench_kernels},
    bench_suite{"train", "training steps and whole runs, samples per second", bench_train},
    bench_suite{"score", "cost of scoring a sample against training one; int8 against f32", bench_score},
    bench_suite{"sampler", "priority updates, draws and plans over ten million points", bench_sampler},
    bench_suite{"memory", "the most memory that a training run takes", bench_memory},
    bench_suite{"messages", "what the message path and the coordinator cost per step", bench_messages},
    bench_suite{"links", "connections between machines against a plain blocking loop; TLS", bench_links},
    bench_suite{"nodes",
                "node processes on this machine with emulated compute, and what pushing costs a worker",
                bench_nodes},
    bench_suite{"exchange", "what local steps, overlap and compression make of a network", bench_exchange},
    bench_suite{"scaling", "two workers against one; many members with emulated compute", bench_scaling},
};

} // namespace triage
