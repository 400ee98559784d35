#include "sampling/gain_meter.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace triage {

namespace {
constexpr std::size_t fewest_parts = 4;
constexpr double fewest_of_an_offer = 2048.0; ///< samples
constexpr double t_quantile = 2.1;            ///< 95 %, two-sided, for about twenty parts
} // namespace

void gain_meter::sums::operator+=(const sums& o) {
  count += o.count;
  inverse += o.inverse;
  uniform += o.uniform;
  weight += o.weight;
  weighted += o.weighted;
}

void gain_meter::sums::operator-=(const sums& o) {
  count -= o.count;
  inverse -= o.inverse;
  uniform -= o.uniform;
  weight -= o.weight;
  weighted -= o.weighted;
}

double gain_meter::sums::gain() const {
  return inverse > 0.0 && weighted > 0.0 ? uniform / inverse * weight / count * weight / weighted : 1.0;
}

void gain_meter::halve() {
  for (std::size_t i = 0; i < parts / 2; ++i) {
    parts_[i] = parts_[2 * i];
    parts_[i] += parts_[2 * i + 1];
  }
  std::fill(parts_.begin() + parts / 2, parts_.end(), sums{});
  used_ = parts / 2;
  samples_per_part_ *= 2;
}

void gain_meter::add(std::span<const float> frequencies, std::span<const float> weights,
                     std::span<const float> sizes) {
  sums batch;
  for (std::size_t i = 0; i < std::min({frequencies.size(), weights.size(), sizes.size()}); ++i) {
    const double w = 1.0 / static_cast<double>(frequencies[i]);
    const auto v = static_cast<double>(weights[i]);
    const auto s = static_cast<double>(sizes[i]);
    if (!std::isfinite(s))
      continue;
    batch.count += 1.0;
    batch.inverse += w;
    batch.uniform += w * s * s;
    batch.weight += v;
    batch.weighted += v * v * s * s;
    offer_.squared += w * w * s * s;
  }
  offer_.count += batch.count;
  offer_.inverse += batch.inverse;
  offer_.uniform += batch.uniform;
  if (used_ == 0)
    used_ = 1;
  if (parts_[used_ - 1].count >= static_cast<double>(samples_per_part_)) {
    if (used_ == parts)
      halve();
    if (parts_[used_ - 1].count >= static_cast<double>(samples_per_part_))
      ++used_;
  }
  parts_[used_ - 1] += batch;
  samples_ += static_cast<std::uint64_t>(batch.count);
}

std::optional<double> gain_meter::take_offer() {
  if (offer_.count < fewest_of_an_offer)
    return std::nullopt;
  const offer o = std::exchange(offer_, {});
  return o.squared > 0.0 ? o.uniform * o.inverse / (o.count * o.squared) : 1.0;
}

std::optional<estimate> gain_meter::gain() const {
  if (used_ < fewest_parts)
    return std::nullopt;
  sums all;
  for (std::size_t i = 0; i < used_; ++i)
    all += parts_[i];
  const auto n = static_cast<double>(used_);
  double mean = 0.0;
  std::array<double, parts> without{};
  for (std::size_t i = 0; i < used_; ++i) {
    sums rest = all;
    rest -= parts_[i];
    without[i] = std::log(rest.gain());
    mean += without[i] / n;
  }
  double spread = 0.0;
  for (std::size_t i = 0; i < used_; ++i)
    spread += (without[i] - mean) * (without[i] - mean);
  // Of a factor: on a logarithmic scale, where no bound falls below zero.
  const double half = t_quantile * std::sqrt((n - 1.0) / n * spread);
  const double value = all.gain();
  return estimate{value, value * std::exp(-half), value * std::exp(half)};
}

saved_state gain_meter::save() const {
  saved_state state;
  std::vector<double> values;
  for (const auto& p : parts_)
    values.insert(values.end(), {p.count, p.inverse, p.uniform, p.weight, p.weighted});
  state.put("sums", std::move(values));
  state.put("offer", std::vector<double>{offer_.count, offer_.inverse, offer_.uniform, offer_.squared});
  state.put("counts", std::vector<std::uint64_t>{used_, samples_per_part_, samples_});
  return state;
}

result<void> gain_meter::load(const saved_state& state) {
  const auto values = state.get<double>("sums");
  const auto counts = state.get<std::uint64_t>("counts");
  if (!values.ok())
    return values.error();
  if (!counts.ok())
    return counts.error();
  const auto offered = state.get<double>("offer");
  if (!offered.ok())
    return offered.error();
  if (values->size() != 5 * parts || counts->size() != 3 || (*counts)[0] > parts || offered->size() != 4)
    return data_error("the saved gain of the sampling has an unexpected length");
  offer_ = {(*offered)[0], (*offered)[1], (*offered)[2], (*offered)[3]};
  for (std::size_t i = 0; i < parts; ++i) {
    const double* const v = values->data() + 5 * i;
    parts_[i] = {v[0], v[1], v[2], v[3], v[4]};
  }
  used_ = static_cast<std::size_t>((*counts)[0]);
  samples_per_part_ = (*counts)[1];
  samples_ = (*counts)[2];
  return {};
}

} // namespace triage
