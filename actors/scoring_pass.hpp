#pragma once

#include "actors/run_records.hpp"
#include "actors/run_setup.hpp"
#include "nn/quantised_network.hpp"
#include "nn/workspace.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace triage {

/// Forward passes of one fixed size over points of the training set, in floats. A shorter list of points is
/// filled up, so that one compiled size serves them all. Owned by one thread.
class float_scoring_pass {
public:
  explicit float_scoring_pass(std::shared_ptr<const run_setup> setup);

  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  /// Signals of the points, at most `capacity` of them; valid until the next pass.
  [[nodiscard]] sample_signals run(std::span<const float> parameters, std::span<const std::uint32_t> ids,
                                   signal_set wanted);
  /// With the signals that need a backward pass; see workspace::measure_gradients. `gradient`, where not
  /// empty, receives the mean over the points, by their class weights.
  [[nodiscard]] sample_signals run_backward(std::span<const float> parameters,
                                            std::span<const std::uint32_t> ids, signal_set wanted,
                                            std::span<const float> direction, std::span<float> gradient);
  /// See workspace::watch_input_ranges.
  void watch_ranges(bool on) { workspace_.watch_input_ranges(on); }
  [[nodiscard]] const std::vector<float>& ranges() const { return workspace_.input_ranges(); }
  /// The standardised samples of the last pass.
  [[nodiscard]] std::span<const float> samples() {
    return workspace_.input(static_cast<std::int64_t>(capacity_));
  }

private:
  std::shared_ptr<const run_setup> setup_;
  workspace workspace_;
  std::size_t capacity_;
  std::vector<std::uint32_t> filled_;
  std::vector<float> weights_;
  std::vector<std::int32_t> labels_;
  std::vector<float> values_;
};

/// The same in 8-bit integers. Parameters are quantised once for each snapshot, with ranges of the
/// activations that float passes have shown.
class byte_scoring_pass {
public:
  byte_scoring_pass(std::shared_ptr<const run_setup> setup, std::unique_ptr<quantised_network> net);
  /// An error when the network has no 8-bit form (see quantised_network::compile).
  [[nodiscard]] static result<std::unique_ptr<byte_scoring_pass>>
  make(std::shared_ptr<const run_setup> setup);

  [[nodiscard]] std::size_t capacity() const { return static_cast<std::size_t>(net_->batch()); }
  /// Takes ranges from the last float pass that watched them.
  void calibrate(float_scoring_pass& reference);
  void load(std::span<const float> parameters);
  [[nodiscard]] sample_signals run(std::span<const std::uint32_t> ids, signal_set wanted);

private:
  void fill_input(std::span<const std::uint32_t> ids);

  std::shared_ptr<const run_setup> setup_;
  std::unique_ptr<quantised_network> net_;
  std::vector<float> ranges_;
  std::vector<float> input_scale_;
  std::vector<float> input_shift_;
  std::vector<float> samples_; ///< of data that is not stored in bytes
  std::vector<std::int32_t> labels_;
  std::vector<float> values_;
  std::vector<float> loss_;
  std::vector<float> gradient_;
  std::vector<float> residual_;
  std::vector<float> last_input_;
};

} // namespace triage
