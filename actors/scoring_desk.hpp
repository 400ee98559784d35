#pragma once

#include "actors/run_setup.hpp"
#include "sampling/sampling_source.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace triage {

/// The sampler's plain class: a sampling_source, and which estimator works on what. Estimators are numbered
/// by the caller. An estimator that keeps returning scores that are not finite is struck off.
class scoring_desk {
public:
  explicit scoring_desk(const run_setup& setup);

  [[nodiscard]] result<void> load(const saved_state& state);
  [[nodiscard]] saved_state save() const;

  void draw(double run_fraction, std::uint64_t version, drawn_batch& out);
  void take_byproducts(std::span<const std::uint32_t> ids, std::span<const float> scores,
                       std::uint64_t version);
  /// Takes an estimator's scores. False: it returned three orders in a row with scores that are not finite.
  [[nodiscard]] bool take_measured(std::uint64_t estimator, std::span<const std::uint32_t> ids,
                                   std::span<const float> scores, std::uint64_t version, double busy_seconds);
  void estimator_idle(std::uint64_t estimator);
  void estimator_lost(std::uint64_t estimator);
  void pause(bool paused) { paused_ = paused; }

  struct assignment {
    std::uint64_t estimator = 0;
    std::vector<std::uint32_t> ids;
  };
  /// The next order for an idle estimator, when one is idle and points are due.
  [[nodiscard]] std::optional<assignment> next_assignment();

  [[nodiscard]] sampling_figures figures() const { return source_.figures(version_); }
  [[nodiscard]] std::uint64_t samples_scored() const { return samples_scored_; }
  [[nodiscard]] double scoring_seconds() const { return scoring_seconds_; }

private:
  [[nodiscard]] double versions_per_epoch() const;

  sampling_source source_;
  std::size_t points_;
  std::size_t batch_size_;
  std::size_t order_size_;
  std::uint64_t version_ = 0;
  bool paused_ = true;
  std::vector<std::uint64_t> idle_;
  struct record {
    std::uint64_t estimator;
    int bad_orders;
  };
  std::vector<record> bad_;
  std::uint64_t samples_scored_ = 0;
  double scoring_seconds_ = 0.0;
};

} // namespace triage
