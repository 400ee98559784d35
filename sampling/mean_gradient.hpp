#pragma once

#include "core/blob.hpp"
#include "core/saved_state.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <vector>

namespace triage {

/// A running mean of the gradient over the whole training set, made of the gradients that estimators find on
/// the points they renew: what projections are measured on (ALGORITHMS 1.1). Owned by one thread; the blobs
/// it hands out are immutable.
class mean_gradient {
public:
  /// "mean": (1 - f) old + f mean, with f the renewed share of the points. "fab_compat": as the first
  /// author's program computes it, (1 - f) f old + f sum (ALGORITHMS 1.5, P1).
  void set_rule(const std::string& rule) { compatible_ = rule == "fab_compat"; }
  /// `mean`: over `count` points. Counts from the next `commit` on: measurements of one iteration are all
  /// made on one direction.
  void add(std::span<const float> mean, std::size_t count);
  /// `points`: the size of the training set.
  void commit(std::size_t points);
  /// The mean gradient brought to length 1; empty before the first.
  [[nodiscard]] const blob& direction() const { return direction_; }
  /// The mean gradient of only those points that the last `commit` took in; empty where there were none, or
  /// where it was not finite, and unless `keep_renewed` asked for it.
  [[nodiscard]] const blob& renewed() const { return renewed_; }
  void keep_renewed() { keeps_renewed_ = true; }
  /// How many values the gradients have; 0 before the first.
  [[nodiscard]] std::size_t size() const { return std::max(current_.size(), pending_.size()); }

  [[nodiscard]] saved_state save() const;
  [[nodiscard]] result<void> load(const saved_state& state);

private:
  void find_direction();
  void find_renewed();

  bool compatible_ = false;
  bool keeps_renewed_ = false;
  double seen_share_ = 0.0; ///< of the points, until all were seen once: the plain mean until then

  std::vector<double> pending_; ///< sum over the points since the last commit
  std::size_t pending_count_ = 0;
  blob current_;
  blob direction_;
  blob renewed_;
};

} // namespace triage
