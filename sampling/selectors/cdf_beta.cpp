#include "sampling/selectors/selectors.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

namespace {

/// Selective-Backprop (Jiang et al. 2019): a candidate is kept with probability CDF(score)^beta, where CDF is
/// that of the scores of recent candidates. No weights: hard points keep their preference.
class cdf_beta : public selector {
public:
  void visit(option_visitor& v) override {
    v.field(
        {.name = "beta", .doc = "exponent: about 1 in beta + 1 candidates is kept", .min = 0.0, .max = 100.0},
        beta_);
    v.field(
        {.name = "history", .doc = "recent scores that a candidate is compared with", .min = 1, .max = 1e6},
        history_);
  }
  [[nodiscard]] std::size_t candidates(std::size_t batch_size, std::size_t points) const override {
    return std::min(batch_size, points);
  }

  void plan(const plan_request& request, rng& random, selection_plan& out) override {
    for (const auto id : request.candidates) {
      const double u = random.uniform();
      if (!request.priorities.seen(id)) {
        out.add(id, 1.0F);
        continue;
      }
      const float score = request.priorities.rank(id);
      remember(score);
      if (u < std::pow(share_not_above(score), beta_))
        out.add(id, 1.0F);
    }
    kept_ +=
        0.05 * (static_cast<double>(out.ids.size()) / static_cast<double>(request.candidates.size()) - kept_);
  }
  [[nodiscard]] bool unbiased() const override { return false; }
  [[nodiscard]] selector_figures figures() const override { return {kept_, std::nullopt, ""}; }

  [[nodiscard]] saved_state save() const override {
    saved_state state;
    state.put("recent", recent_);
    state.put("next", std::vector<std::uint64_t>{next_});
    return state;
  }
  result<void> load(const saved_state& state) override {
    auto recent = state.get<float>("recent");
    const auto next = state.get_one<std::uint64_t>("next");
    if (!recent.ok())
      return recent.error();
    if (!next.ok())
      return next.error();
    if (!std::all_of(recent->begin(), recent->end(), [](float s) { return std::isfinite(s); }))
      return data_error("the saved recent scores are not finite");
    recent_ = recent.take();
    fit_history(static_cast<std::size_t>(*next));
    sorted_ = recent_;
    std::sort(sorted_.begin(), sorted_.end());
    return {};
  }

private:
  /// The newest of what another length of the history has left, in a ring whose oldest was at `next`.
  void fit_history(std::size_t next) {
    const auto length = static_cast<std::size_t>(history_);
    next_ = next % length;
    if (recent_.size() == length || recent_.empty())
      return;
    std::rotate(recent_.begin(), recent_.begin() + static_cast<std::ptrdiff_t>(next % recent_.size()),
                recent_.end());
    if (recent_.size() > length)
      recent_.erase(recent_.begin(), recent_.end() - static_cast<std::ptrdiff_t>(length));
    next_ = recent_.size() % length;
  }
  void remember(float score) {
    if (recent_.size() < static_cast<std::size_t>(history_)) {
      recent_.push_back(score);
    } else {
      sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), recent_[next_]));
      recent_[next_] = score;
    }
    next_ = (next_ + 1) % static_cast<std::size_t>(history_);
    sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), score), score);
  }
  [[nodiscard]] double share_not_above(float score) const {
    const auto below = std::upper_bound(sorted_.begin(), sorted_.end(), score) - sorted_.begin();
    return static_cast<double>(below) / static_cast<double>(sorted_.size());
  }

  double beta_ = 1.0;
  std::int64_t history_ = 1024;
  std::vector<float> recent_; ///< a ring once it is full
  std::vector<float> sorted_; ///< the same, sorted
  std::size_t next_ = 0;
  double kept_ = 1.0;
};

} // namespace

std::unique_ptr<selector> make_cdf_beta() {
  return std::make_unique<cdf_beta>();
}

} // namespace triage
