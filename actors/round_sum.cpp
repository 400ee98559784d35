#include "actors/round_sum.hpp"

#include <algorithm>

namespace triage {

namespace {

/// Below, a sum is not worth its bookkeeping.
constexpr std::size_t smallest_sum = 16384;
/// Short enough for all gradients' pieces of it to stay in the first-level cache while they are added.
constexpr std::size_t slice_floats = 4096;

} // namespace

void round_sum::clear() {
  summed_.clear();
  from_ = trained_size_;
}

void round_sum::advance(std::span<const part> parts) {
  std::size_t from = 0;
  for (const auto& p : parts)
    from = std::max(from, p.from);
  const auto same = [](const contribution& summed, const part& p) {
    return summed.gradient.data() == p.gradient.data() && summed.samples == p.samples;
  };
  if (!std::equal(summed_.begin(), summed_.end(), parts.begin(), parts.end(), same))
    clear();
  if (parts.size() < 2 || from >= from_ || (from_ - from < smallest_sum && from > 0))
    return;
  if (summed_.empty())
    for (const auto& p : parts)
      summed_.push_back({p.gradient, p.samples});
  mean_.resize(trained_size_);
  weighted_.clear();
  weigh(summed_, weighted_);
  for (std::size_t begin = from; begin < from_; begin += slice_floats)
    add_up(weighted_, begin, std::span(mean_).subspan(begin, std::min(slice_floats, from_ - begin)));
  from_ = from;
}

summed_ahead round_sum::take(std::span<const contribution> contributions) {
  const auto same = [](const contribution& a, const contribution& b) {
    return a.gradient.data() == b.gradient.data() && a.samples == b.samples;
  };
  const bool fits = !summed_.empty() && std::equal(summed_.begin(), summed_.end(), contributions.begin(),
                                                   contributions.end(), same);
  const std::size_t from = from_;
  clear();
  return fits ? summed_ahead{mean_, from} : summed_ahead{};
}

} // namespace triage
