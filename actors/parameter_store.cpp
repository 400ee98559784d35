#include "actors/parameter_store.hpp"

#include "core/flush_subnormals.hpp"
#include "core/prefetch.hpp"

#include <algorithm>
#include <utility>

namespace triage {

namespace {
constexpr std::size_t slice_floats = 1024;
constexpr std::size_t smallest_shared = 65536; ///< below, waking a thread costs more than it saves
constexpr std::size_t shared_floats = 32768;   ///< that a lane takes at once
constexpr std::size_t told_floats = 65536;     ///< fewer are not worth a message
} // namespace

void weigh(std::span<const contribution> contributions, std::vector<weighted_gradient>& out) {
  double total = 0.0;
  for (const auto& c : contributions)
    total += c.samples;
  for (const auto& c : contributions)
    out.push_back(
        {c.gradient.data(), contributions.size() == 1 ? 1.0F : static_cast<float>(c.samples / total)});
}

parameter_store::parameter_store(const parameter_layout& layout, const optimizer& rule,
                                 std::optional<double> clipping, std::shared_ptr<fork_join> threads)
    : layout_(layout), rule_(rule), clipping_(clipping), pool_(layout.size()),
      decay_ranges_(layout.decay_ranges()), lanes_(threads ? threads->lanes() : 1),
      pieces_done_((layout.trained_size() + shared_floats - 1) / shared_floats),
      threads_(threads ? std::move(threads) : std::make_shared<fork_join>(1)) {
  for (std::size_t i = 0; i < rule.moments().size(); ++i)
    moments_.emplace_back(layout.trained_size());
  for (auto& l : lanes_)
    l.moments.resize(moments_.size());
  current_ = pool_.acquire().freeze();
}

void parameter_store::initialise(std::uint64_t seed) {
  merged_ahead_.reset();
  mutable_blob first = pool_.acquire();
  layout_.initialise(first.values(), seed);
  current_ = std::move(first).freeze();
  version_ = 0;
}

mutable_blob parameter_store::own_block() {
  mutable_blob block = pool_.reclaim(current_);
  if (block.size() > 0)
    return block;
  block = pool_.acquire();
  std::copy(current_.view().begin(), current_.view().end(), block.values().begin());
  return block;
}

void parameter_store::place(std::span<const float> parameters) {
  merged_ahead_.reset();
  mutable_blob block = pool_.reclaim(current_);
  if (block.size() == 0)
    block = pool_.acquire();
  std::copy(parameters.begin(), parameters.end(), block.values().begin());
  current_ = std::move(block).freeze();
}

void parameter_store::pull(std::span<const float> anchor, double share) {
  merged_ahead_.reset();
  mutable_blob block = own_block();
  const auto values = block.values();
  const auto towards = static_cast<float>(share);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] += towards * (anchor[i] - values[i]);
  current_ = std::move(block).freeze();
}

void parameter_store::forget_steps() {
  merged_ahead_.reset();
  version_ = epoch_began_ = moments_began_ = 0;
  for (auto& m : moments_)
    std::fill(m.values().begin(), m.values().end(), 0.0F);
}

std::span<const float> parameter_store::gradient_slice(lane& l, std::size_t begin, std::size_t size,
                                                       const update_figures& figures) const {
  const auto mean = mean_slice(l, begin, size);
  if (!figures.positions)
    return mean;
  l.mean.resize(std::max(l.mean.size(), size)); // where the mean may be already
  for (std::size_t i = 0; i < size; ++i)
    l.mean[i] = figures.parameters[begin + i] - mean[i];
  return {l.mean.data(), size};
}

std::span<const float> parameter_store::mean_slice(lane& l, std::size_t begin, std::size_t size) const {
  if (weighted_.size() == 1)
    return {weighted_[0].values + begin, size};
  if (!ahead_.mean.empty() && begin >= ahead_.from)
    return ahead_.mean.subspan(begin, size);
  l.mean.resize(std::max(l.mean.size(), size));
  const std::span<float> mean(l.mean.data(), size);
  find_mean(begin, mean);
  return mean;
}

void parameter_store::find_mean(std::size_t begin, std::span<float> out) const {
  const std::size_t known = ahead_.mean.empty() ? layout_.size() : ahead_.from;
  const std::size_t unknown = begin < known ? std::min(known - begin, out.size()) : 0;
  add_up(weighted_, begin, out.first(unknown));
  const auto rest = ahead_.mean.subspan(ahead_.mean.empty() ? 0 : begin + unknown, out.size() - unknown);
  std::copy(rest.begin(), rest.end(), out.begin() + static_cast<std::ptrdiff_t>(unknown));
}

void parameter_store::apply(lane& l, std::size_t begin, std::span<const float> gradient,
                            const update_figures& figures) {
  const std::size_t end = begin + gradient.size();
  auto range = std::upper_bound(decay_ranges_.begin(), decay_ranges_.end(), begin,
                                [](std::size_t at, const auto& r) { return at < r.end; });
  for (std::size_t at = begin; at < end; ++range) {
    const std::size_t size = std::min(range->end, end) - at;
    for (std::size_t m = 0; m < moments_.size(); ++m) {
      const auto old = moments_[m].values().subspan(at, size);
      l.moments[m] = figures.moves_moments ? next_moments_[m].values().subspan(at, size) : old;
      if (figures.moves_moments)
        std::copy(old.begin(), old.end(), l.moments[m].begin());
    }
    rule_.apply(
        {.parameters = figures.parameters.subspan(at, size),
         .next = figures.next.subspan(at, size),
         .gradient = gradient.subspan(at - begin, size),
         .gradient_scale = figures.scale,
         .moments = l.moments,
         .decays = range->decays,
         .learning_rate = figures.learning_rate,
         .step = static_cast<std::int64_t>(figures.step - moments_began_),
         .epoch_began = static_cast<std::int64_t>(epoch_began_) - static_cast<std::int64_t>(moments_began_)});
    at += size;
  }
}

void parameter_store::advance(std::size_t end, merge_observer& observer) {
  const std::size_t last = merged_ahead_ ? merged_ahead_->from : layout_.size();
  const std::size_t told = arriving_->ready();
  if (end <= told || (end - told < told_floats && end < last))
    return;
  arriving_->advance(end);
  observer.advanced();
}

void parameter_store::each_slice(const slice_work& work, std::span<const float> written, bool on_all_lanes,
                                 merge_observer* observer) {
  const std::size_t last = merged_ahead_ ? merged_ahead_->from : layout_.trained_size();
  const auto slices = [&](lane& l, std::size_t from, std::size_t to) {
    const flush_subnormals fast;
    for (std::size_t begin = from; begin < to; begin += slice_floats) {
      const std::size_t end = std::min(begin + slice_floats, to);
      if (lanes_.size() > 1)
        prefetch_to_write(written.data() + end, std::min(slice_floats, to - end));
      work(l, begin, end - begin);
    }
  };
  const auto end_of = [&](std::size_t piece) { return std::min((piece + 1) * shared_floats, last); };
  const std::size_t pieces = (last + shared_floats - 1) / shared_floats;
  if (!on_all_lanes || last < smallest_shared) {
    for (std::size_t piece = 0; piece < pieces; ++piece) {
      slices(lanes_[0], piece * shared_floats, end_of(piece));
      if (observer != nullptr)
        advance(end_of(piece), *observer);
    }
    threads_->release();
    return;
  }
  for (auto& done : pieces_done_)
    done.store(false, std::memory_order_relaxed);
  std::size_t in_front = 0; // pieces that are done and have none before them that is not
  threads_->run(
      pieces,
      [&](std::size_t k, std::size_t piece) {
        slices(lanes_[k], piece * shared_floats, end_of(piece));
        pieces_done_[piece].store(true, std::memory_order_release);
        if (k > 0 || observer == nullptr)
          return; // the observer is told by this thread, which is lane 0
        while (in_front < pieces && pieces_done_[in_front].load(std::memory_order_acquire))
          ++in_front;
        if (in_front > 0)
          advance(end_of(in_front - 1), *observer);
      },
      observer == nullptr ? fork_join::order::by_core : fork_join::order::from_front);
}

bool parameter_store::goes_on(const update_figures& how, const summed_ahead& ahead) const {
  return merged_ahead_ && !how.local && !ahead.mean.empty() && ahead.round == merged_ahead_->round &&
         how.learning_rate == merged_ahead_->learning_rate;
}

bool parameter_store::merge_ahead(const summed_ahead& known, double learning_rate) {
  if (clipping_ || known.mean.empty())
    return false;
  // Slices begin where those of a merge do: the same bits.
  const std::size_t from = (known.from + slice_floats - 1) / slice_floats * slice_floats;
  const bool more = goes_on({.learning_rate = learning_rate}, known);
  const std::size_t end = more ? merged_ahead_->from : layout_.trained_size();
  if (from == 0 || end < from + told_floats)
    return false;
  if (!more)
    merged_ahead_.emplace(known.round, learning_rate, pool_.acquire(), end);
  while (next_moments_.size() < moments_.size())
    next_moments_.emplace_back(layout_.trained_size());
  const update_figures figures{.parameters = current_.view(),
                               .next = merged_ahead_->next.values(),
                               .learning_rate = learning_rate,
                               .step = version_ + 1,
                               .moves_moments = true};
  const flush_subnormals fast;
  for (std::size_t begin = from; begin < end; begin += slice_floats) {
    const std::size_t size = std::min(slice_floats, end - begin);
    apply(lanes_[0], begin, known.mean.subspan(begin, size), figures);
  }
  merged_ahead_->from = from;
  return true;
}

parameters_ahead parameter_store::ahead() const {
  return {version_ + 1, merged_ahead_->next.early_look(), merged_ahead_->from, layout_.trained_size()};
}

parameter_store::transition parameter_store::begin_merge(std::uint64_t steps, merge_observer* observer,
                                                         bool from_ahead) {
  version_ += steps;
  mutable_blob next;
  if (from_ahead)
    next = std::move(merged_ahead_->next);
  else
    merged_ahead_.reset();
  if (next.size() == 0)
    next = pool_.reclaim(current_);
  if (next.size() == 0)
    next = pool_.acquire();
  blob before = std::exchange(current_, next.early_look());
  if (observer != nullptr) {
    const std::size_t trained = layout_.trained_size();
    const std::size_t from = merged_ahead_ ? merged_ahead_->from : trained;
    arriving_ =
        std::make_shared<parameter_arrival>(layout_.size(), parameter_arrival::head_start{from, trained});
    observer->began();
  }
  return {std::move(before), std::move(next)};
}

void parameter_store::end_merge(merge_observer* observer) {
  if (observer != nullptr && !arriving_->complete())
    advance(layout_.size(), *observer);
  arriving_ = nullptr;
  merged_ahead_.reset();
}

void parameter_store::break_off(const std::string& reason) {
  if (const auto arriving = std::exchange(arriving_, nullptr))
    arriving->fail(reason);
}

float parameter_store::clipping_factor(std::span<const float> gradient) {
  last_norm_ = gradient_norm(gradient);
  return last_norm_ > *clipping_ ? static_cast<float>(*clipping_ / last_norm_) : 1.0F;
}

void parameter_store::merge(std::span<const contribution> contributions, double learning_rate,
                            const summed_ahead& ahead, merge_observer* observer) {
  merge_mean(contributions, {.learning_rate = learning_rate}, ahead, observer);
}

void parameter_store::merge(std::span<const contribution> contributions, const local_merge& how,
                            const summed_ahead& ahead, merge_observer* observer) {
  merge_mean(contributions,
             {.local = true,
              .positions = how.positions,
              .scale = static_cast<float>(how.scale),
              .learning_rate = how.learning_rate},
             ahead, observer);
}

void parameter_store::merge_mean(std::span<const contribution> contributions, update_figures how,
                                 const summed_ahead& ahead, merge_observer* observer) {
  weighted_.clear();
  weigh(contributions, weighted_);
  ahead_ = ahead;
  transition change = begin_merge(1, observer, goes_on(how, ahead));
  update_figures figures = how;
  figures.moves_moments = merged_ahead_.has_value();
  figures.parameters = change.figures().parameters;
  figures.next = change.next.values();
  figures.step = version_;
  // A single contribution is merged while other workers compute: their cores are not free.
  const bool on_all_lanes = weighted_.size() > 1;
  if (clipping_) {
    // The norm of the whole must be known before the first element changes.
    std::span<const float> gradient(weighted_[0].values, layout_.trained_size());
    if (weighted_.size() > 1) {
      mean_.resize(gradient.size());
      each_slice([&](lane&, std::size_t begin,
                     std::size_t size) { find_mean(begin, std::span(mean_).subspan(begin, size)); },
                 mean_, on_all_lanes, nullptr);
      gradient = mean_;
    }
    figures.scale = clipping_factor(gradient);
    each_slice([&](lane& l, std::size_t begin,
                   std::size_t size) { apply(l, begin, gradient.subspan(begin, size), figures); },
               figures.next, on_all_lanes, observer);
  } else {
    // Slice by slice: a mean is used while it is in the first-level cache.
    each_slice([&](lane& l, std::size_t begin,
                   std::size_t size) { apply(l, begin, gradient_slice(l, begin, size, figures), figures); },
               figures.next, on_all_lanes, observer);
  }
  ahead_ = {};
  if (figures.moves_moments)
    std::swap(moments_, next_moments_);
  move_statistics(figures);
  end_merge(observer);
}

void parameter_store::merge_in_turn(std::span<const contribution> contributions,
                                    std::span<const double> learning_rates, merge_observer* observer) {
  turns_.clear();
  for (std::size_t i = 0; i < contributions.size(); ++i) {
    const auto gradient = contributions[i].gradient.view().first(layout_.trained_size());
    turns_.push_back({.scale = clipping_ ? clipping_factor(gradient) : 1.0F,
                      .learning_rate = learning_rates[i],
                      .step = version_ + i + 1});
  }
  transition change = begin_merge(contributions.size(), observer);
  for (std::size_t i = 0; i < turns_.size(); ++i) {
    turns_[i].next = change.next.values();
    turns_[i].parameters = i == 0 ? change.figures().parameters : change.next.view();
  }
  each_slice(
      [&](lane& l, std::size_t begin, std::size_t size) {
        for (std::size_t i = 0; i < turns_.size(); ++i)
          apply(l, begin, contributions[i].gradient.view().subspan(begin, size), turns_[i]);
      },
      change.next.view(), false, observer);
  for (std::size_t i = 0; i < turns_.size(); ++i) {
    weighted_.assign(1, {contributions[i].gradient.data(), 1.0F});
    move_statistics(turns_[i]);
  }
  end_merge(observer);
}

void parameter_store::move_statistics(const update_figures& figures) {
  for (const auto& p : layout_.tensors())
    if (!p.trained) {
      const auto observed = mean_slice(lanes_[0], p.offset, p.size);
      for (std::size_t i = 0; i < p.size; ++i) {
        const float old = figures.parameters[p.offset + i];
        float& next = figures.next[p.offset + i];
        if (!figures.local)
          next = old + static_cast<float>(p.averaging) * (observed[i] - old);
        else // momentum would carry a variance below zero
          next = figures.positions ? observed[i] : old - observed[i];
      }
    }
}

} // namespace triage
