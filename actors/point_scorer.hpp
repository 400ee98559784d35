#pragma once

#include "actors/run_records.hpp"
#include "actors/run_setup.hpp"
#include "actors/scoring_pass.hpp"
#include "core/clock.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace triage {

/// Measures the scores of points from a snapshot. The estimator's plain class; owned by one thread.
///
/// Where the network has an 8-bit form and the processor is fast at it, priorities are measured in bytes:
/// they need ranks, not digits. "auto" takes what a trial on the first points shows to be faster. Bytes are
/// calibrated against floats from time to time, and where their priorities differ by more than a tenth (half
/// the sum of absolute differences of the normalised scores), floats are used until they agree again.
class point_scorer {
public:
  /// Borrows the clock.
  point_scorer(std::shared_ptr<const run_setup> setup, const clock& time);
  /// `direction`: what projections are measured on, laid out like a gradient; empty: none is known. May throw
  /// what components throw.
  [[nodiscard]] std::vector<float> measure(const snapshot& at, std::span<const std::uint32_t> ids,
                                           std::span<const float> direction = {});
  /// The mean gradient over the points of the last call, for scores that are projections; else empty.
  [[nodiscard]] std::vector<float> take_gradient() { return std::exchange(gradient_, {}); }
  [[nodiscard]] bool uses_bytes() const { return bytes_ != nullptr; }
  /// Distance of the last calibration, 0 to 1.
  [[nodiscard]] double disagreement() const { return disagreement_; }
  /// What a person should know since the last call: which precision was chosen and why; mostly empty.
  [[nodiscard]] std::string take_remark();

private:
  void measure_unweighted(const snapshot& at, std::span<const std::uint32_t> ids,
                          std::span<const float> direction, std::span<float> scores);
  void choose(const snapshot& at, std::span<const std::uint32_t> ids);
  void prepare_bytes(const snapshot& at, std::span<const std::uint32_t> ids);
  template <class Run>
  void measure_parts(std::span<const std::uint32_t> ids, std::size_t capacity, std::span<float> out,
                     const Run& run) const;
  void measure_gradients(const snapshot& at, std::span<const std::uint32_t> ids,
                         std::span<const float> direction, std::span<float> out);
  void measure_floats(const snapshot& at, std::span<const std::uint32_t> ids, std::span<float> out);
  void measure_bytes(std::span<const std::uint32_t> ids, std::span<float> out);

  std::shared_ptr<const run_setup> setup_;
  const clock& time_;
  float_scoring_pass floats_;
  std::unique_ptr<byte_scoring_pass> bytes_; ///< null: floats only
  bool chosen_ = false;
  bool trusted_ = true;
  double disagreement_ = 0.0;
  std::uint64_t loads_ = 0;
  std::uint64_t next_calibration_ = 0;
  std::uint64_t loaded_version_ = ~std::uint64_t{0};
  std::string remark_;
  std::vector<float> gradient_;
};

} // namespace triage
