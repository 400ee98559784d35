#include "actors/point_scorer.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <utility>

namespace triage {

namespace {

constexpr double tolerated_disagreement = 0.1;
constexpr std::uint64_t longest_calibration_interval = 32; // in snapshots
constexpr int trial_rounds = 3;

/// Half the sum of absolute differences of two score vectors, each normalised to sum 1: the probability mass
/// that drawing by one instead of the other moves.
double distance(std::span<const float> a, std::span<const float> b) {
  double sum_a = 0.0;
  double sum_b = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum_a += static_cast<double>(a[i]);
    sum_b += static_cast<double>(b[i]);
  }
  if (!(sum_a > 0.0) || !(sum_b > 0.0))
    return sum_a == sum_b ? 0.0 : 1.0; // also NaN, which the receiver of the scores deals with
  double moved = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    moved += std::abs(static_cast<double>(a[i]) / sum_a - static_cast<double>(b[i]) / sum_b);
  return 0.5 * moved;
}

bool needs_gradients(signal_set wanted) {
  return (wanted & (signal::gradient_norm | signal::projection | signal::last_projection)) != 0;
}

} // namespace

point_scorer::point_scorer(std::shared_ptr<const run_setup> setup, const clock& time)
    : setup_(std::move(setup)), time_(time), floats_(setup_) {}

std::string point_scorer::take_remark() {
  return std::exchange(remark_, {});
}

template <class Run>
void point_scorer::measure_parts(std::span<const std::uint32_t> ids, std::size_t capacity,
                                 std::span<float> out, const Run& run) const {
  for (std::size_t at = 0; at < ids.size(); at += capacity) {
    const std::size_t n = std::min(capacity, ids.size() - at);
    const auto part = ids.subspan(at, n);
    setup_->point_score->compute(run(part), part, out.subspan(at, n));
  }
}

void point_scorer::measure_floats(const snapshot& at, std::span<const std::uint32_t> ids,
                                  std::span<float> out) {
  measure_parts(ids, floats_.capacity(), out, [&](std::span<const std::uint32_t> part) {
    return floats_.run(at.parameters.view(), part, setup_->point_score->needs());
  });
}

void point_scorer::measure_bytes(std::span<const std::uint32_t> ids, std::span<float> out) {
  measure_parts(ids, bytes_->capacity(), out, [&](std::span<const std::uint32_t> part) {
    return bytes_->run(part, setup_->point_score->needs());
  });
}

void point_scorer::prepare_bytes(const snapshot& at, std::span<const std::uint32_t> ids) {
  if (at.version == loaded_version_)
    return;
  loaded_version_ = at.version;
  const bool calibrate = loads_++ >= next_calibration_;
  if (!calibrate) {
    if (trusted_)
      bytes_->load(at.parameters.view());
    return;
  }
  // Parameters move fastest at the start: look again after 1, 2, 4, … snapshots.
  next_calibration_ = loads_ + std::min(loads_, longest_calibration_interval) - 1;
  const auto probe = ids.first(std::min(ids.size(), floats_.capacity()));
  std::vector<float> exact(probe.size());
  floats_.watch_ranges(true);
  measure_floats(at, probe, exact);
  floats_.watch_ranges(false);
  bytes_->calibrate(floats_);
  bytes_->load(at.parameters.view());
  std::vector<float> rough(probe.size());
  measure_bytes(probe, rough);
  disagreement_ = distance(exact, rough);
  const bool trusted = disagreement_ <= tolerated_disagreement;
  if (trusted != trusted_)
    remark_ = fmt::format("8-bit scores differ by {:.1f} % from floats at step {}: {}", 100.0 * disagreement_,
                          at.version, trusted ? "they are used again" : "floats are used until they agree");
  trusted_ = trusted;
}

void point_scorer::choose(const snapshot& at, std::span<const std::uint32_t> ids) {
  chosen_ = true;
  const auto& wanted = setup_->config.scoring_precision;
  if (wanted == "f32")
    return;
  auto made = byte_scoring_pass::make(setup_);
  if (!made.ok()) {
    remark_ = "scores are measured in floats: " + made.error().message;
    return;
  }
  if (wanted == "auto" && !quantised_network::processor_supports()) {
    remark_ = "scores are measured in floats: this processor has no fast 8-bit dot products";
    return;
  }
  bytes_ = made.take();
  std::vector<float> scores(ids.size());
  double floats = 0.0;
  double bytes = 0.0;
  prepare_bytes(at, ids);
  for (int round = 0; round <= trial_rounds; ++round) {
    const double begin = time_.now();
    measure_floats(at, ids, scores);
    const double middle = time_.now();
    bytes_->load(at.parameters.view());
    measure_bytes(ids, scores);
    if (round == 0)
      continue; // warms up
    floats += middle - begin;
    bytes += time_.now() - middle;
  }
  const double share = 1e6 / static_cast<double>(ids.size()) / trial_rounds;
  const bool keep = wanted == "int8" || bytes < floats;
  remark_ = fmt::format(
      "scores are measured in {}: {:.2f} us a sample in 8-bit integers, {:.2f} in floats; priorities "
      "differ by {:.1f} %{}",
      keep ? "8-bit integers" : "floats", bytes * share, floats * share, 100.0 * disagreement_,
      keep && !trusted_ ? ", so floats are used until they agree" : "");
  if (!keep)
    bytes_.reset();
}

/// Scores that need a backward pass, in floats. Projections also leave the mean gradient behind.
void point_scorer::measure_gradients(const snapshot& at, std::span<const std::uint32_t> ids,
                                     std::span<const float> direction, std::span<float> out) {
  const auto wanted = setup_->point_score->needs();
  const bool projects = (wanted & (signal::projection | signal::last_projection)) != 0;
  std::vector<float> part_gradient(projects ? setup_->net->parameters().size() : 0);
  gradient_.assign(part_gradient.size(), 0.0F);
  measure_parts(ids, floats_.capacity(), out, [&](std::span<const std::uint32_t> part) {
    const auto signals = floats_.run_backward(at.parameters.view(), part, wanted, direction, part_gradient);
    const float share = static_cast<float>(part.size()) / static_cast<float>(ids.size());
    for (std::size_t i = 0; i < gradient_.size(); ++i)
      gradient_[i] += share * part_gradient[i];
    return signals;
  });
}

std::vector<float> point_scorer::measure(const snapshot& at, std::span<const std::uint32_t> ids,
                                         std::span<const float> direction) {
  std::vector<float> scores(ids.size());
  if (ids.empty())
    return scores;
  measure_unweighted(at, ids, direction, scores);
  setup_->class_weights.apply(setup_->data.train.labels, ids, scores);
  return scores;
}

void point_scorer::measure_unweighted(const snapshot& at, std::span<const std::uint32_t> ids,
                                      std::span<const float> direction, std::span<float> scores) {
  if (needs_gradients(setup_->point_score->needs())) {
    if (!std::exchange(chosen_, true) && setup_->config.scoring_precision == "int8")
      remark_ = "scores are measured in floats: this score needs gradients, which have no 8-bit form";
    return measure_gradients(at, ids, direction, scores);
  }
  if (!chosen_)
    choose(at, ids);
  if (bytes_)
    prepare_bytes(at, ids);
  if (bytes_ && trusted_)
    measure_bytes(ids, scores);
  else
    measure_floats(at, ids, scores);
}

} // namespace triage
