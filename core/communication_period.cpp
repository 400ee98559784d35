#include "core/communication_period.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

namespace {
/// Of a new round in the running mean: about ten rounds count.
constexpr double share_of_new = 0.1;
} // namespace

void communication_period_options::visit(option_visitor& v) {
  v.field({.name = "interval_seconds",
           .doc = "training time after which the period is looked at again",
           .min = 0.001,
           .max = 1e9},
          interval_seconds);
  v.field({.name = "shrink",
           .doc = "factor on the period where the loss alone would not shorten it",
           .min = 0.01,
           .max = 0.99},
          shrink);
  v.field({.name = "follows_rate", .doc = "a lower learning rate lengthens the period, as sqrt(first / now)"},
          follows_rate);
}

std::int64_t next_period(std::int64_t first, std::int64_t previous, double loss_ratio, double rate_ratio,
                         double shrink) {
  // A zero rate or a loss that is not finite says nothing; the period then shrinks as it does without them.
  const double factor = loss_ratio / rate_ratio;
  const double wanted = std::isfinite(factor) && factor >= 0.0
                            ? std::ceil(static_cast<double>(first) * std::sqrt(factor))
                            : static_cast<double>(previous);
  if (wanted < static_cast<double>(previous))
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(wanted));
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::floor(shrink * static_cast<double>(previous))));
}

bool communication_period::merged(double loss, double rate, double seconds) {
  if (!begun_) {
    begun_ = true;
    loss_ = first_loss_ = loss;
    first_rate_ = rate;
    interval_began_ = seconds;
    return false;
  }
  if (first_rate_ == 0.0)
    first_rate_ = rate; // a warm-up begins at zero
  loss_ += share_of_new * (loss - loss_);
  if (seconds - interval_began_ < options_.interval_seconds)
    return false;
  interval_began_ = seconds;
  const auto before = steps_;
  const double rate_ratio = options_.follows_rate ? rate / first_rate_ : 1.0;
  steps_ = next_period(first_, steps_, loss_ratio(), rate_ratio, options_.shrink);
  return steps_ != before;
}

saved_state communication_period::save() const {
  saved_state state;
  state.put("steps", std::vector<std::uint64_t>{static_cast<std::uint64_t>(steps_), begun_ ? 1U : 0U});
  state.put("figures", std::vector<double>{loss_, first_loss_, first_rate_, interval_began_});
  return state;
}

result<void> communication_period::load(const saved_state& state) {
  const auto steps = state.get<std::uint64_t>("steps");
  const auto figures = state.get<double>("figures");
  if (!steps.ok())
    return steps.error();
  if (!figures.ok())
    return figures.error();
  if (steps->size() != 2 || figures->size() != 4 || (*steps)[0] < 1)
    return data_error("the saved communication period contradicts itself");
  // A run that is resumed may be told to begin with fewer.
  steps_ = static_cast<std::int64_t>(std::min((*steps)[0], static_cast<std::uint64_t>(first_)));
  begun_ = (*steps)[1] != 0;
  loss_ = (*figures)[0];
  first_loss_ = (*figures)[1];
  first_rate_ = (*figures)[2];
  interval_began_ = (*figures)[3];
  return {};
}

} // namespace triage
