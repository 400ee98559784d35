#include "actors/parameter_store.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace triage {

parameter_store::parameter_store(const parameter_layout& layout, const optimizer& rule,
                                 std::optional<double> clipping)
    : layout_(layout), rule_(rule), clipping_(clipping), pool_(layout.size()),
      decay_mask_(layout.trained_size()) {
  for (const auto& p : layout.tensors())
    if (p.trained && p.decayed)
      std::fill_n(decay_mask_.begin() + static_cast<std::ptrdiff_t>(p.offset), p.size, 1.0F);
  for (std::size_t i = 0; i < rule.moments().size(); ++i)
    moments_.emplace_back(layout.trained_size());
  for (auto& m : moments_)
    moment_spans_.push_back(m.values());
  current_ = pool_.acquire().freeze();
}

void parameter_store::initialise(std::uint64_t seed) {
  mutable_blob first = pool_.acquire();
  layout_.initialise(first.values(), seed);
  current_ = std::move(first).freeze();
  version_ = 0;
}

std::span<const float> parameter_store::mean_gradient(std::span<const contribution> contributions) {
  if (contributions.size() == 1)
    return contributions[0].gradient.view();
  double total = 0.0;
  for (const auto& c : contributions)
    total += c.samples;
  mean_.resize(layout_.size());
  bool first = true;
  for (const auto& c : contributions) {
    const auto share = static_cast<float>(c.samples / total);
    const float* g = c.gradient.data();
    float* out = mean_.data();
    const std::size_t n = mean_.size();
    if (first)
      for (std::size_t i = 0; i < n; ++i)
        out[i] = share * g[i];
    else
      for (std::size_t i = 0; i < n; ++i)
        out[i] += share * g[i];
    first = false;
  }
  return mean_;
}

void parameter_store::merge(std::span<const contribution> contributions, double learning_rate) {
  const auto gradient = mean_gradient(contributions);
  const auto trained = layout_.trained_size();
  float scale = 1.0F;
  if (clipping_) {
    last_norm_ = gradient_norm(gradient.first(trained));
    if (last_norm_ > *clipping_)
      scale = static_cast<float>(*clipping_ / last_norm_);
  }
  mutable_blob next = pool_.acquire();
  ++version_;
  rule_.apply({.parameters = current_.view().first(trained),
               .next = next.values().first(trained),
               .gradient = gradient.first(trained),
               .gradient_scale = scale,
               .moments = moment_spans_,
               .decay_mask = decay_mask_,
               .learning_rate = learning_rate,
               .step = static_cast<std::int64_t>(version_)});
  for (const auto& p : layout_.tensors())
    if (!p.trained)
      for (std::size_t i = p.offset; i < p.offset + p.size; ++i) {
        const float old = current_.data()[i];
        next.values()[i] = old + static_cast<float>(p.averaging) * (gradient[i] - old);
      }
  current_ = std::move(next).freeze();
}

saved_state parameter_store::save_moments() const {
  saved_state state;
  state.put("version", std::vector<std::uint64_t>{version_});
  const auto names = rule_.moments();
  for (std::size_t i = 0; i < names.size(); ++i)
    state.put(names[i], std::vector<float>(moment_spans_[i].begin(), moment_spans_[i].end()));
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
    if (saved->size() != moment_spans_[i].size())
      return data_error(fmt::format("the saved moment \"{}\" has {} values, the model needs {}", names[i],
                                    saved->size(), moment_spans_[i].size()));
    std::copy(saved->begin(), saved->end(), moment_spans_[i].begin());
  }
  mutable_blob block = pool_.acquire();
  std::copy(parameters.begin(), parameters.end(), block.values().begin());
  current_ = std::move(block).freeze();
  version_ = *version;
  return {};
}

} // namespace triage
