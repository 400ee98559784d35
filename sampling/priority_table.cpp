#include "sampling/priority_table.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace triage {

namespace {
constexpr std::size_t summary_points = 4096;
}

priority_table::priority_table(std::size_t points, double floor, bool track_training,
                               std::unique_ptr<predictor> history)
    : points_(points), history_(std::move(history)), floor_(static_cast<float>(floor)) {
  const entry unknown{floor_, 0};
  if (track_training) {
    line none{};
    none.known.fill(unknown);
    lines_.assign((points + points_of_line - 1) / points_of_line, none);
  } else {
    entries_.assign(points, unknown);
  }
  if (history_)
    history_->start(points);
}

bool priority_table::record(std::uint32_t id, float score, std::uint64_t version) {
  if (!std::isfinite(score)) {
    ++rejected_;
    return false;
  }
  const auto stamp = static_cast<std::uint32_t>(version + 1);
  entry& known = this->known(id);
  if (stamp < known.stamp)
    return false; // a newer measurement is known
  if (history_) {
    const measurement before{known.value, this->version(id)};
    score = history_->measured(id, seen(id) ? &before : nullptr, {score, version});
  }
  known = {score, stamp};
  return true;
}

float priority_table::predicted(std::uint32_t id, std::uint64_t now, float ceiling) const {
  if (!history_ || !seen(id))
    return signed_value(id);
  return std::min(history_->predict(id, {signed_value(id), version(id)}, now), ceiling);
}

float priority_table::highest() const {
  float most = size() == 0 ? 0.0F : known(0).value;
  for (std::uint32_t id = 0; id < size(); ++id)
    most = std::max(most, known(id).value);
  return most;
}

staleness_summary priority_table::staleness(std::uint64_t now) const {
  staleness_summary out;
  const std::size_t stride = std::max<std::size_t>((size() + summary_points - 1) / summary_points, 1);
  std::vector<double> ages;
  std::size_t looked_at = 0;
  for (std::size_t i = 0; i < size(); i += stride, ++looked_at)
    if (const entry& e = known(static_cast<std::uint32_t>(i)); e.stamp != 0)
      ages.push_back(static_cast<double>(now) - static_cast<double>(e.stamp - 1));
  if (looked_at > 0)
    out.unseen_share = 1.0 - static_cast<double>(ages.size()) / static_cast<double>(looked_at);
  if (ages.empty())
    return out;
  const auto at = [&](double share) {
    const auto k = static_cast<std::ptrdiff_t>(share * static_cast<double>(ages.size() - 1));
    std::nth_element(ages.begin(), ages.begin() + k, ages.end());
    return std::max(ages[static_cast<std::size_t>(k)], 0.0);
  };
  out.median = at(0.5);
  out.p99 = at(0.99);
  return out;
}

double priority_table::effective_sample_share() const {
  double sum = 0.0;
  double squares = 0.0;
  const std::size_t stride = std::max<std::size_t>((size() + summary_points - 1) / summary_points, 1);
  std::size_t n = 0;
  for (std::size_t i = 0; i < size(); i += stride, ++n) {
    const auto v = static_cast<double>(value(static_cast<std::uint32_t>(i)));
    sum += v;
    squares += v * v;
  }
  return squares > 0.0 ? sum * sum / (squares * static_cast<double>(n)) : 1.0;
}

saved_state priority_table::save() const {
  saved_state state;
  std::vector<float> values;
  std::vector<std::uint32_t> versions;
  values.reserve(size());
  versions.reserve(size());
  std::vector<float> trained;
  trained.reserve(tracks_training() ? size() : 0);
  for (std::uint32_t id = 0; id < size(); ++id) {
    const entry& e = known(id);
    values.push_back(e.value);
    versions.push_back(e.stamp);
    if (tracks_training())
      trained.push_back(static_cast<float>(trained_at(id) / ticks_per_epoch));
  }
  state.put("values", std::move(values));
  state.put("versions", std::move(versions));
  state.put("trained_epochs", std::move(trained));
  state.put("rejected", std::vector<std::uint64_t>{rejected_});
  if (history_)
    state.put_all("history", history_->save());
  return state;
}

result<void> priority_table::load(const saved_state& state) {
  auto values = state.get<float>("values");
  auto versions = state.get<std::uint32_t>("versions");
  auto trained = state.get<float>("trained_epochs");
  const auto rejected = state.get_one<std::uint64_t>("rejected");
  if (!values.ok())
    return values.error();
  if (!versions.ok())
    return versions.error();
  if (!trained.ok())
    return trained.error();
  if (!rejected.ok())
    return rejected.error();
  if (values->size() != size() || versions->size() != size() ||
      trained->size() != (tracks_training() ? size() : 0))
    return data_error(
        fmt::format("the saved priorities are for {} points, the data has {}", values->size(), size()));
  if (history_)
    if (auto loaded = history_->load(state.below("history")); !loaded.ok())
      return loaded;
  for (std::uint32_t id = 0; id < size(); ++id) {
    known(id) = {(*values)[id], (*versions)[id]};
    if (tracks_training())
      trained_at(id) = ticks(static_cast<double>((*trained)[id]));
  }
  rejected_ = *rejected;
  return {};
}

} // namespace triage
