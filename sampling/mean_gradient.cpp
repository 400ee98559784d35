#include "sampling/mean_gradient.hpp"

#include "core/finite.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

void mean_gradient::add(std::span<const float> mean, std::size_t count) {
  if (mean.empty() || count == 0)
    return;
  pending_.resize(mean.size(), 0.0);
  for (std::size_t i = 0; i < mean.size(); ++i)
    pending_[i] += static_cast<double>(count) * static_cast<double>(mean[i]);
  pending_count_ += count;
}

void mean_gradient::commit(std::size_t points) {
  find_renewed();
  if (pending_count_ == 0)
    return;
  const auto count = static_cast<double>(pending_count_);
  const double share = std::min(count / static_cast<double>(points), 1.0);
  double keep = 1.0 - share;
  double take = share;
  if (compatible_ && seen_share_ >= 1.0) {
    keep *= share;
    take *= count;
  } else if (seen_share_ < 1.0) {
    keep = seen_share_ / (seen_share_ + share);
    take = 1.0 - keep;
  }
  seen_share_ = std::min(seen_share_ + share, 1.0);
  mutable_blob next(pending_.size());
  const auto old = current_.view();
  const auto values = next.values();
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>((old.empty() ? 0.0 : keep * static_cast<double>(old[i])) +
                                   take * pending_[i] / count);
  current_ = std::move(next).freeze();
  pending_.clear();
  pending_count_ = 0;
  find_direction();
}

void mean_gradient::find_renewed() {
  renewed_ = blob();
  const auto finite = [](double g) { return std::isfinite(static_cast<float>(g)); };
  if (!keeps_renewed_ || pending_count_ == 0 || !std::all_of(pending_.begin(), pending_.end(), finite))
    return;
  mutable_blob mean(pending_.size());
  std::transform(pending_.begin(), pending_.end(), mean.values().begin(),
                 [&](double sum) { return static_cast<float>(sum / static_cast<double>(pending_count_)); });
  renewed_ = std::move(mean).freeze();
}

void mean_gradient::find_direction() {
  double square = 0.0;
  for (const float g : current_.view())
    square += static_cast<double>(g) * static_cast<double>(g);
  if (!(square > 0.0) || !std::isfinite(square)) {
    direction_ = blob();
    return;
  }
  const double scale = 1.0 / std::sqrt(square);
  mutable_blob unit(current_.size());
  const auto values = unit.values();
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(scale * static_cast<double>(current_.view()[i]));
  direction_ = std::move(unit).freeze();
}

saved_state mean_gradient::save() const {
  saved_state state;
  const auto values = current_.empty() ? std::span<const float>{} : current_.view();
  state.put("values", std::vector<float>(values.begin(), values.end()));
  state.put("seen_share", std::vector<double>{seen_share_});
  state.put("pending", pending_);
  state.put("pending_count", std::vector<std::uint64_t>{pending_count_});
  if (!renewed_.empty())
    state.put("renewed", std::vector<float>(renewed_.view().begin(), renewed_.view().end()));
  return state;
}

result<void> mean_gradient::load(const saved_state& state) {
  const auto values = state.get<float>("values");
  const auto share = state.get_one<double>("seen_share");
  if (!values.ok())
    return values.error();
  if (!share.ok())
    return share.error();
  auto pending = state.get<double>("pending");
  const auto pending_count = state.get_one<std::uint64_t>("pending_count");
  if (!pending.ok())
    return pending.error();
  if (!pending_count.ok())
    return pending_count.error();
  renewed_ = blob();
  if (keeps_renewed_ && state.find("renewed") != nullptr) {
    const auto renewed = state.get<float>("renewed");
    if (!renewed.ok())
      return renewed.error();
    if (renewed->size() != values->size() || !all_finite(*renewed))
      return data_error("the saved mean gradient contradicts itself");
    renewed_ = blob::copy_of(*renewed);
  }
  if (pending->empty() != (*pending_count == 0) ||
      (!values->empty() && !pending->empty() && values->size() != pending->size()))
    return data_error("the saved mean gradient contradicts itself");
  seen_share_ = *share;
  pending_ = pending.take();
  pending_count_ = static_cast<std::size_t>(*pending_count);
  current_ = values->empty() ? blob() : blob::copy_of(*values);
  find_direction();
  return {};
}

} // namespace triage
