#include "nn/kernels/softmax.hpp"

#include "nn/kernels/exponential.hpp"

#include <algorithm>
#include <array>

namespace triage {

namespace {

constexpr std::size_t lanes = 16;

TRIAGE_MULTIVERSION float largest(const float* row, std::size_t n) {
  float max = row[0];
  for (std::size_t i = 1; i < n; ++i)
    max = max < row[i] ? row[i] : max;
  return max;
}

/// terms[l] = e^(terms[l] - max) for one full block.
TRIAGE_MULTIVERSION void exponentiate_block(float* terms, float max) {
  for (std::size_t l = 0; l < lanes; ++l)
    terms[l] = exponential_of_negative(terms[l] - max);
}

} // namespace

exponential_sums sum_exponentials(std::span<const float> row, std::size_t keep_out, std::span<float> terms) {
  exponential_sums sums;
  sums.max = largest(row.data(), row.size());
  std::array<float, lanes> block;
  std::array<float, lanes> partial{};
  for (std::size_t begin = 0; begin < row.size(); begin += lanes) {
    const std::size_t n = std::min(lanes, row.size() - begin);
    block.fill(sums.max);
    std::copy_n(row.data() + begin, n, block.data());
    exponentiate_block(block.data(), sums.max);
    if (!terms.empty())
      std::copy_n(block.data(), n, terms.data() + begin);
    if (keep_out >= begin && keep_out - begin < lanes) {
      sums.kept = block[keep_out - begin];
      block[keep_out - begin] = 0.0F;
    }
    std::fill(block.begin() + static_cast<std::ptrdiff_t>(n), block.end(), 0.0F); // the padding
    for (std::size_t l = 0; l < lanes; ++l)
      partial[l] += block[l];
  }
  for (const float p : partial)
    sums.others += static_cast<double>(p);
  return sums;
}

TRIAGE_MULTIVERSION void scale(std::span<float> terms, float factor) {
  float* const t = terms.data();
  const std::size_t n = terms.size();
  for (std::size_t i = 0; i < n; ++i)
    t[i] *= factor;
}

} // namespace triage
