#include "nn/parameters.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

namespace {

constexpr std::size_t alignment = 16; ///< floats: one cache line

std::size_t aligned(std::size_t floats) {
  return (floats + alignment - 1) / alignment * alignment;
}

std::int64_t receptive_field(const std::vector<std::int64_t>& shape) {
  std::int64_t field = 1;
  for (std::size_t i = 2; i < shape.size(); ++i)
    field *= shape[i];
  return field;
}

void fill(std::span<float> values, const parameter& p, rng& random) {
  switch (p.init) {
  case initialiser::zeros:
    std::fill(values.begin(), values.end(), 0.0F);
    return;
  case initialiser::ones:
    std::fill(values.begin(), values.end(), 1.0F);
    return;
  case initialiser::he_normal: {
    const double deviation = std::sqrt(2.0 / static_cast<double>(p.fan_in()));
    for (auto& v : values)
      v = static_cast<float>(deviation * random.normal());
    return;
  }
  case initialiser::glorot_uniform: {
    const double bound = std::sqrt(6.0 / static_cast<double>(p.fan_in() + p.fan_out()));
    for (auto& v : values)
      v = static_cast<float>(bound * (2.0 * random.uniform() - 1.0));
    return;
  }
  }
}

} // namespace

std::int64_t parameter::fan_in() const {
  return shape.size() < 2 ? 1 : shape[1] * receptive_field(shape);
}
std::int64_t parameter::fan_out() const {
  return shape.empty() ? 1 : shape[0] * receptive_field(shape);
}

std::size_t parameter_layout::add(parameter p) {
  p.size = 1;
  for (const auto d : p.shape)
    p.size *= static_cast<std::size_t>(d);
  tensors_.push_back(std::move(p));
  return tensors_.size() - 1;
}

void parameter_layout::finish() {
  size_ = 0;
  for (const bool trained : {true, false}) {
    for (auto& t : tensors_)
      if (t.trained == trained) {
        t.offset = size_;
        size_ += aligned(t.size);
      }
    if (trained)
      trained_size_ = size_;
  }
}

std::size_t parameter_layout::trained_values() const {
  std::size_t total = 0;
  for (const auto& t : tensors_)
    total += t.trained ? t.size : 0;
  return total;
}

std::vector<parameter_layout::decay_range> parameter_layout::decay_ranges() const {
  std::vector<decay_range> parts;
  for (const auto& t : tensors_)
    if (t.trained)
      parts.push_back({t.offset, t.offset + aligned(t.size), t.decayed});
  std::sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  std::vector<decay_range> ranges;
  for (const auto& p : parts)
    if (ranges.empty() || ranges.back().decays != p.decays)
      ranges.push_back(p);
    else
      ranges.back().end = p.end;
  return ranges;
}

void parameter_layout::initialise(std::span<float> block, std::uint64_t seed) const {
  std::vector<float> plain;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    plain.resize(tensors_[i].size);
    rng random(seed, rng_purpose::initialisation, i);
    fill(plain, tensors_[i], random);
    write(block, i, plain);
  }
  clear_gaps(block);
}

parameter_layout parameter_layout::without_decay() const {
  parameter_layout out = *this;
  for (auto& t : out.tensors_)
    t.decayed = false;
  return out;
}

void parameter_layout::clear_gaps(std::span<float> block) const {
  for (const auto& t : tensors_)
    std::fill(block.begin() + static_cast<std::ptrdiff_t>(t.offset + t.size),
              block.begin() + static_cast<std::ptrdiff_t>(t.offset + aligned(t.size)), 0.0F);
}

std::vector<float> parameter_layout::read(std::span<const float> block, std::size_t tensor) const {
  const parameter& t = tensors_[tensor];
  const auto stored = block.subspan(t.offset, t.size);
  std::vector<float> plain(stored.begin(), stored.end());
  if (t.packing)
    t.packing->unpack(stored, plain);
  return plain;
}

void parameter_layout::write(std::span<float> block, std::size_t tensor, std::span<const float> plain) const {
  const parameter& t = tensors_[tensor];
  const auto stored = block.subspan(t.offset, t.size);
  if (t.packing)
    t.packing->pack(plain, stored);
  else
    std::copy(plain.begin(), plain.end(), stored.begin());
}

} // namespace triage
