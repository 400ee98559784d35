#pragma once

#include "core/options.hpp"
#include "core/saved_state.hpp"
#include "sampling/irreducible_losses.hpp"
#include "sampling/point_classes.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace triage {

/// Tells wrong labels from points that are only hard, by the losses that fall off while training. A visit is
/// doubtful when the model gives the label less than chance does: a loss above the logarithm of the number
/// of classes (or above what knowing the class's share would give, for rare classes). Hard points leave that
/// state when the rest of the data has taught the model; wrong labels come back to it. So labels count as
/// noisy where many points are in doubt *and* those in doubt mostly are again at their next visit.
///
/// Then suspects (in doubt on average over their visits) are passed over, but for a few visits that let them
/// prove themselves; or, where the model has learned too little to tell, prioritization is turned off.
/// Where irreducible losses are given, held-out models have judged the labels before the run: then these are
/// the evidence, suspects are known from the first step on, and the losses of the run change nothing.
/// Four bytes a point. Plain; owned by one thread.
class noise_guard {
public:
  void visit(option_visitor& v);

  [[nodiscard]] bool enabled() const { return mode_ != "off"; }
  /// Whether it may take points out of the order.
  [[nodiscard]] bool may_pass_over() const { return mode_ == "pass_over"; }
  /// Called once after the options were read; reads the file of irreducible losses, if one is named.
  [[nodiscard]] result<void> prepare(const json_place& place);
  /// What is wrong with that file for this data, if anything; before `start`. `classified`: whether the data
  /// has classes.
  [[nodiscard]] result<void> check(std::size_t points, bool classified,
                                   std::string_view data_fingerprint) const;
  /// Before anything else. Without classes the guard stays silent.
  void start(std::size_t points, const point_classes& classes);

  /// Losses of points in the order of their visits.
  void observe(std::span<const std::uint32_t> ids, std::span<const float> losses);
  /// When the next look is due.
  [[nodiscard]] bool due(double epochs) const {
    return watching() && !knows_beforehand_ && epochs >= next_look_;
  }
  void look(double epochs);

  /// Whether points should be drawn in uniform order for now.
  [[nodiscard]] bool closes() const { return verdict_ == verdict::undecided || verdict_ == verdict::closed; }
  /// Whether suspects are to be passed over, but for `revisit_share` of their visits.
  [[nodiscard]] bool passes_over() const { return verdict_ == verdict::passing_over; }
  [[nodiscard]] bool suspect(std::uint32_t id) const { return mean_loss_[id] > limit(id); }
  [[nodiscard]] double revisit_share() const { return revisit_share_; }

  /// Share of the points that were suspects at the last look; absent before it.
  [[nodiscard]] std::optional<double> suspect_share() const { return suspect_share_; }
  /// Share of the doubtful visits that were doubtful again at the next one; absent until there are enough.
  [[nodiscard]] std::optional<double> persistence() const;
  /// Why it changed its mind since the last call; mostly empty.
  [[nodiscard]] std::string take_reason();

  [[nodiscard]] saved_state save() const;
  [[nodiscard]] result<void> load(const saved_state& state);

private:
  enum class verdict { clean, undecided, passing_over, closed };

  [[nodiscard]] bool watching() const { return !limits_.empty(); }
  [[nodiscard]] float limit(std::uint32_t id) const { return limits_[classes_.of(id)]; }
  [[nodiscard]] bool doubted(std::uint32_t id) const { return (doubted_[id / 32] >> (id % 32) & 1U) != 0; }
  void set_doubted(std::uint32_t id, bool doubt);
  [[nodiscard]] verdict judge(double rest) const;
  void explain(double epochs);

  std::string mode_ = "off";
  double suspect_share_min_ = 0.1;
  double persistence_min_ = 0.8;
  double revisit_share_ = 0.1;
  double looks_per_epoch_ = 4.0;
  std::string irreducible_file_;
  bool knows_beforehand_ = false;  ///< by irreducible losses; else the run's own losses are the evidence
  irreducible_losses irreducible_; ///< until the start, where they become the mean losses

  point_classes classes_;
  std::vector<float> limits_;          ///< of each class; empty: not watching
  std::vector<float> mean_loss_;       ///< newer visits count more; negative: never visited
  std::vector<std::uint32_t> doubted_; ///< one bit a point: its last visit was doubtful
  double pairs_ = 0.0;                 ///< visits after a doubtful one, older ones forgotten
  double doubted_again_ = 0.0;         ///< of them, how many were doubtful too
  verdict verdict_ = verdict::clean;
  double next_look_ = 1.0;
  std::optional<double> suspect_share_;
  std::string reason_;
};

} // namespace triage
