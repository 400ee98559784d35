#include "core/dataset.hpp"

#include "core/multiversion.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace triage {

namespace {

struct moments {
  double mean = 0.0;
  double deviation = 0.0;
};

/// Exact: all bytes of a channel fall into 256 counts.
std::vector<moments> byte_moments(const dataset& set) {
  const auto channels = static_cast<std::size_t>(set.shape.channels);
  const std::size_t plane = static_cast<std::size_t>(set.shape.size()) / channels;
  std::vector<std::array<std::uint64_t, 256>> counts(channels);
  const auto rows = set.byte_rows();
  for (std::size_t i = 0; i < set.size; ++i) {
    const std::uint8_t* in = rows[i];
    for (auto& count : counts)
      for (std::size_t p = 0; p < plane; ++p)
        ++count[*in++];
  }
  const double n = static_cast<double>(set.size) * static_cast<double>(plane);
  std::vector<moments> out(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    double sum = 0.0;
    for (std::size_t v = 0; v < 256; ++v)
      sum += static_cast<double>(counts[c][v]) * static_cast<double>(v);
    out[c].mean = sum / n;
    double squares = 0.0;
    for (std::size_t v = 0; v < 256; ++v) {
      const double d = static_cast<double>(v) - out[c].mean;
      squares += static_cast<double>(counts[c][v]) * d * d;
    }
    out[c].deviation = std::sqrt(squares / n);
  }
  return out;
}

/// Two passes over the values: the mean first, so that a large mean does not swallow the spread.
std::vector<moments> float_moments(const dataset& set) {
  const auto channels = static_cast<std::size_t>(set.shape.channels);
  const std::size_t plane = static_cast<std::size_t>(set.shape.size()) / channels;
  const double n = static_cast<double>(set.size) * static_cast<double>(plane);
  std::vector<double> means(channels);
  std::vector<double> squares(channels);
  const auto rows = set.float_rows();
  for (std::size_t i = 0; i < set.size; ++i) {
    const float* in = rows[i];
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t p = 0; p < plane; ++p)
        means[c] += static_cast<double>(*in++);
  }
  for (auto& mean : means)
    mean /= n;
  for (std::size_t i = 0; i < set.size; ++i) {
    const float* in = rows[i];
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t p = 0; p < plane; ++p) {
        const double d = static_cast<double>(*in++) - means[c];
        squares[c] += d * d;
      }
  }
  std::vector<moments> out(channels);
  for (std::size_t c = 0; c < channels; ++c)
    out[c] = {means[c], std::sqrt(squares[c] / n)};
  return out;
}

} // namespace

standardisation measure_standardisation(const dataset& set, bool enabled) {
  const auto channels = static_cast<std::size_t>(set.shape.channels);
  const float unit = set.is_bytes() ? 1.0F / 255.0F : 1.0F;
  standardisation s{std::vector<float>(channels, unit), std::vector<float>(channels, 0.0F)};
  if (!enabled || set.size == 0)
    return s;
  const auto measured = set.is_bytes() ? byte_moments(set) : float_moments(set);
  for (std::size_t c = 0; c < channels; ++c) {
    const auto [mean, deviation] = measured[c];
    // Below float resolution, what looks like spread is rounding, and dividing by it would only magnify it.
    const bool has_spread = deviation > 1e-7 * std::abs(mean) && deviation > 1e-30;
    const double scale = has_spread ? 1.0 / deviation : static_cast<double>(unit);
    s.scale[c] = static_cast<float>(scale);
    s.shift[c] = static_cast<float>(-mean * scale);
  }
  return s;
}

namespace {

/// Of floats in double precision, where the product is exact: beside a large mean its rounding would be as
/// large as the spread, on processors that round it.
TRIAGE_INLINE float scaled(float value, float scale, float shift) {
  return static_cast<float>(static_cast<double>(value) * static_cast<double>(scale) +
                            static_cast<double>(shift));
}
TRIAGE_INLINE float scaled(std::uint8_t value, float scale, float shift) {
  return static_cast<float>(value) * scale + shift;
}

/// One sample. The loops carry nothing from one element to the next, so that the compiler can vectorise them.
template <class T>
TRIAGE_INLINE void standardise(const T* __restrict in, float* __restrict out, const float* __restrict scale,
                               const float* __restrict shift, std::size_t channels, std::size_t plane) {
  if (plane == 1) {
    for (std::size_t c = 0; c < channels; ++c)
      out[c] = scaled(in[c], scale[c], shift[c]);
    return;
  }
  for (std::size_t c = 0; c < channels; ++c, in += plane, out += plane) {
    const float a = scale[c];
    const float b = shift[c];
    for (std::size_t p = 0; p < plane; ++p)
      out[p] = scaled(in[p], a, b);
  }
}

TRIAGE_MULTIVERSION void standardise_bytes(const std::uint8_t* in, float* out, const float* scale,
                                           const float* shift, std::size_t channels, std::size_t plane) {
  standardise(in, out, scale, shift, channels, plane);
}

TRIAGE_MULTIVERSION void standardise_floats(const float* in, float* out, const float* scale,
                                            const float* shift, std::size_t channels, std::size_t plane) {
  standardise(in, out, scale, shift, channels, plane);
}

/// Fetches the start of a sample: positions are random, so no hardware prefetcher knows the next one.
void prefetch(const void* start, std::size_t bytes) {
  constexpr std::size_t line = 64;
  const auto* at = static_cast<const char*>(start);
  for (std::size_t i = 0; i < std::min<std::size_t>(bytes, 16 * line); i += line)
    __builtin_prefetch(at + i);
}

template <class T, class Standardise>
void gather(const sample_rows<T>& samples, const dataset& set, const standardisation& s,
            std::span<const std::uint32_t> ids, std::span<float> out, Standardise standardise_one) {
  const auto size = static_cast<std::size_t>(set.shape.size());
  const auto channels = static_cast<std::size_t>(set.shape.channels);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (i + 1 < ids.size())
      prefetch(samples[ids[i + 1]], size * sizeof(T));
    standardise_one(samples[ids[i]], out.data() + i * size, s.scale.data(), s.shift.data(), channels,
                    size / channels);
  }
}

} // namespace

void gather_samples(const dataset& set, const standardisation& s, std::span<const std::uint32_t> ids,
                    std::span<float> out) {
  if (set.is_bytes())
    gather(set.byte_rows(), set, s, ids, out, standardise_bytes);
  else
    gather(set.float_rows(), set, s, ids, out, standardise_floats);
}

} // namespace triage
