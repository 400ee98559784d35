#include "actors/round_sum.hpp"

#include <algorithm>

namespace triage {

namespace {

/// Below, adding is not worth its bookkeeping.
constexpr std::size_t smallest_addition = 16384;

} // namespace

void round_sum::begin(std::span<const part> parts) {
  contributions_.clear();
  for (const auto& p : parts)
    contributions_.push_back({blob(), p.samples});
  weighted_.clear();
  weigh(contributions_, weighted_);
  terms_.clear();
  for (std::size_t i = 0; i < parts.size(); ++i)
    terms_.push_back({parts[i].samples, weighted_[i].share, blob(), trained_size_});
  mean_.resize(trained_size_);
  ++round_;
}

/// Another member in a place would have another block, unless nothing of it is known.
template <class Contribution>
bool round_sum::is_of(std::span<const Contribution> contributions) const {
  return std::equal(terms_.begin(), terms_.end(), contributions.begin(), contributions.end(),
                    [&](const term& t, const Contribution& c) {
                      return t.samples == c.samples &&
                             (t.from == trained_size_ || t.gradient.data() == c.gradient.data());
                    });
}

void round_sum::add(std::size_t index, std::size_t final_from) {
  term& t = terms_[index];
  const std::size_t from = index == 0 ? final_from : std::max(final_from, terms_[index - 1].from);
  if (from >= t.from || (t.from - from < smallest_addition && from > 0))
    return;
  add_up_next({t.gradient.data(), t.share}, from, index == 0, std::span(mean_).subspan(from, t.from - from));
  t.from = from;
}

void round_sum::advance(std::span<const part> parts) {
  if (!is_of(parts))
    clear();
  if (parts.empty())
    return;
  if (terms_.empty())
    begin(parts);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (terms_[i].from == trained_size_)
      terms_[i].gradient = parts[i].gradient;
    add(i, parts[i].from);
  }
}

summed_ahead round_sum::known() const {
  return terms_.empty() ? summed_ahead{} : summed_ahead{mean_, terms_.back().from, round_};
}

summed_ahead round_sum::take(std::span<const contribution> contributions) {
  const bool foreseen = !terms_.empty() && terms_[0].from < trained_size_ && is_of(contributions);
  const std::size_t rest_from = contributions.size() == 1 && foreseen ? terms_[0].from : 0;
  if (foreseen && rest_from == 0)
    for (std::size_t i = 0; i < contributions.size(); ++i) {
      terms_[i].gradient = contributions[i].gradient;
      add(i, 0);
    }
  clear();
  return foreseen ? summed_ahead{mean_, rest_from, round_} : summed_ahead{};
}

} // namespace triage
