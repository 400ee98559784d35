#include "nn/kernels/row_norms.hpp"

#include "core/multiversion.hpp"

#include <array>
#include <cmath>

namespace triage {

namespace {

TRIAGE_MULTIVERSION double square_sum(const float* row, std::size_t n) {
  constexpr std::size_t lanes = 8;
  std::array<double, lanes> sums{};
  const std::size_t whole = n - n % lanes;
  for (std::size_t i = 0; i < whole; i += lanes)
    for (std::size_t l = 0; l < lanes; ++l) {
      const auto v = static_cast<double>(row[i + l]);
      sums[l] += v * v;
    }
  double total = 0.0;
  for (std::size_t i = whole; i < n; ++i)
    total += static_cast<double>(row[i]) * static_cast<double>(row[i]);
  for (const double s : sums)
    total += s;
  return total;
}

} // namespace

void row_norms(const float* rows, std::size_t width, std::span<float> norms) {
  for (std::size_t i = 0; i < norms.size(); ++i)
    norms[i] = static_cast<float>(std::sqrt(square_sum(rows + i * width, width)));
}

} // namespace triage
