#include "actors/best_figure.hpp"

#include <cmath>

namespace triage {

bool best_figure::offer(const evaluation_figures& figures, double epochs, std::uint64_t step) {
  if (metric_.empty())
    return false;
  last_ = epochs;
  const auto value = figures.find(metric_);
  if (!value || !std::isfinite(*value))
    return false;
  const auto gain_over = [&](double before) {
    return grows_better(metric_) ? *value - before : before - *value;
  };
  if (!best_ || gain_over(best_->value) > 0.0)
    best_ = best_value{metric_, *value, epochs, step};
  if (counted_ && !(gain_over(counted_->value) > min_change_))
    return false;
  counted_ = counted{*value, epochs};
  return true;
}

void best_figure::save(saved_state& state, const std::string& prefix) const {
  if (!best_)
    return;
  state.put_text(prefix + "/metric", best_->metric);
  state.put(prefix + "/value",
            std::vector<double>{best_->value, best_->epochs, last_, counted_->value, counted_->epochs});
  state.put(prefix + "/step", std::vector<std::uint64_t>{best_->step});
}

result<void> best_figure::load(const saved_state& state, const std::string& prefix) {
  forget();
  if (state.find(prefix + "/value") == nullptr)
    return {};
  const auto metric = state.get_text(prefix + "/metric");
  const auto value = state.get<double>(prefix + "/value");
  const auto step = state.get<std::uint64_t>(prefix + "/step");
  if (!metric.ok() || !value.ok() || !step.ok() || value->size() != 5 || step->size() != 1)
    return data_error("the saved best " + prefix + " is incomplete");
  if (*metric != metric_)
    return {};
  best_ = best_value{metric_, (*value)[0], (*value)[1], (*step)[0]};
  last_ = (*value)[2];
  counted_ = counted{(*value)[3], (*value)[4]};
  return {};
}

} // namespace triage
