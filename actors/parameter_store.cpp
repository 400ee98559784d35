#include "actors/parameter_store.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace triage {

namespace {
constexpr std::size_t slice_floats = 4096;
}

parameter_store::parameter_store(const parameter_layout& layout, const optimizer& rule,
                                 std::optional<double> clipping)
    : layout_(layout), rule_(rule), clipping_(clipping), pool_(layout.size()),
      decay_mask_(layout.trained_size()) {
  for (const auto& p : layout.tensors())
    if (p.trained && p.decayed)
      std::fill_n(decay_mask_.begin() + static_cast<std::ptrdiff_t>(p.offset), p.size, 1.0F);
  for (std::size_t i = 0; i < rule.moments().size(); ++i)
    moments_.emplace_back(layout.trained_size());
  moment_slices_.resize(moments_.size());
  current_ = pool_.acquire().freeze();
}

void parameter_store::initialise(std::uint64_t seed) {
  mutable_blob first = pool_.acquire();
  layout_.initialise(first.values(), seed);
  current_ = std::move(first).freeze();
  version_ = 0;
}

void parameter_store::weigh(std::span<const contribution> contributions) {
  double total = 0.0;
  for (const auto& c : contributions)
    total += c.samples;
  weighted_.clear();
  for (const auto& c : contributions)
    weighted_.push_back(
        {c.gradient.data(), contributions.size() == 1 ? 1.0F : static_cast<float>(c.samples / total)});
}

std::span<const float> parameter_store::mean_slice(std::size_t begin, std::size_t size) {
  if (weighted_.size() == 1)
    return {weighted_[0].values + begin, size};
  mean_.resize(std::max(mean_.size(), size));
  const std::span<float> mean(mean_.data(), size);
  add_up(weighted_, begin, mean);
  return mean;
}

void parameter_store::apply(std::size_t begin, std::span<const float> gradient,
                            const update_figures& figures) {
  const std::size_t size = gradient.size();
  for (std::size_t m = 0; m < moments_.size(); ++m)
    moment_slices_[m] = moments_[m].values().subspan(begin, size);
  rule_.apply({.parameters = current_.view().subspan(begin, size),
               .next = figures.next.subspan(begin, size),
               .gradient = gradient,
               .gradient_scale = figures.scale,
               .moments = moment_slices_,
               .decay_mask = std::span<const float>(decay_mask_).subspan(begin, size),
               .learning_rate = figures.learning_rate,
               .step = static_cast<std::int64_t>(version_)});
}

void parameter_store::merge(std::span<const contribution> contributions, double learning_rate) {
  weigh(contributions);
  const auto trained = layout_.trained_size();
  mutable_blob next = pool_.acquire();
  ++version_;
  update_figures figures{next.values(), 1.0F, learning_rate};
  if (clipping_) {
    // The norm of the whole must be known before the first element changes.
    const auto gradient = mean_slice(0, trained);
    last_norm_ = gradient_norm(gradient);
    if (last_norm_ > *clipping_)
      figures.scale = static_cast<float>(*clipping_ / last_norm_);
    apply(0, gradient, figures);
  } else {
    // Slice by slice: a mean is used while it is in the first-level cache.
    for (std::size_t begin = 0; begin < trained; begin += slice_floats)
      apply(begin, mean_slice(begin, std::min(slice_floats, trained - begin)), figures);
  }
  for (const auto& p : layout_.tensors())
    if (!p.trained) {
      const auto observed = mean_slice(p.offset, p.size);
      for (std::size_t i = 0; i < p.size; ++i) {
        const float old = current_.data()[p.offset + i];
        next.values()[p.offset + i] = old + static_cast<float>(p.averaging) * (observed[i] - old);
      }
    }
  current_ = std::move(next).freeze();
}

saved_state parameter_store::save_moments() const {
  saved_state state;
  state.put("version", std::vector<std::uint64_t>{version_});
  const auto names = rule_.moments();
  for (std::size_t i = 0; i < names.size(); ++i)
    state.put(names[i], std::vector<float>(moments_[i].view().begin(), moments_[i].view().end()));
  return state;
}

result<void> parameter_store::load(std::span<const float> parameters, const saved_state& moments) {
  const auto version = moments.get_one<std::uint64_t>("version");
  if (!version.ok())
    return version.error();
  const auto names = rule_.moments();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto saved = moments.get<float>(names[i]);
    if (!saved.ok())
      return saved.error();
    if (saved->size() != moments_[i].size())
      return data_error(fmt::format("the saved moment \"{}\" has {} values, the model needs {}", names[i],
                                    saved->size(), moments_[i].size()));
    std::copy(saved->begin(), saved->end(), moments_[i].values().begin());
  }
  mutable_blob block = pool_.acquire();
  std::copy(parameters.begin(), parameters.end(), block.values().begin());
  current_ = std::move(block).freeze();
  version_ = *version;
  return {};
}

} // namespace triage
