#include "nn/kernels/softmax.hpp"

#include "core/rng.hpp"
#include "nn/kernels/exponential.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <numeric>
#include <vector>

using namespace triage;

TEST_CASE("the exponential is within two units in the last place") {
  double worst = 0.0;
  for (double x = -86.9; x <= 0.0; x += 0.00037) {
    const auto rounded = static_cast<float>(x);
    const double exact = std::exp(static_cast<double>(rounded));
    const double unit = std::ldexp(1.0, std::ilogb(exact) - 23);
    worst = std::max(worst, std::abs(static_cast<double>(exponential_of_negative(rounded)) - exact) / unit);
  }
  CHECK(worst < 2.0);
  CHECK(exponential_of_negative(0.0F) == 1.0F);
}

TEST_CASE("the exponential of very small numbers is nearly zero, of NaN is NaN") {
  for (const float x : {-88.0F, -1000.0F, -std::numeric_limits<float>::infinity()}) {
    CHECK(exponential_of_negative(x) >= 0.0F);
    CHECK(exponential_of_negative(x) < 2e-38F);
  }
  CHECK(std::isnan(exponential_of_negative(std::nanf(""))));
}

TEST_CASE("sums of exponentials agree with double precision for every width and every kept element") {
  rng random(1, 0);
  for (const std::size_t width : {1U, 2U, 10U, 15U, 16U, 17U, 100U, 1000U}) {
    std::vector<float> row(width);
    for (float& z : row)
      z = static_cast<float>(4.0 * random.normal());
    const float max = *std::max_element(row.begin(), row.end());
    double total = 0.0;
    for (const float z : row)
      total += std::exp(static_cast<double>(z) - static_cast<double>(max));
    for (const std::size_t keep : {std::size_t{0}, width / 2, width - 1}) {
      std::vector<float> terms(width);
      const auto sums = sum_exponentials(row, keep, terms);
      const double kept = std::exp(static_cast<double>(row[keep]) - static_cast<double>(max));
      CHECK(sums.max == max);
      CHECK(static_cast<double>(sums.kept) == doctest::Approx(kept).epsilon(1e-6));
      CHECK(std::abs(sums.others - (total - kept)) < 2e-6 * total);
      CHECK(static_cast<double>(std::accumulate(terms.begin(), terms.end(), 0.0)) ==
            doctest::Approx(total).epsilon(1e-6));
      const auto bare = sum_exponentials(row, keep, {});
      CHECK(bare.others == sums.others);
      sum_exponentials(row, keep, row); // in place
      CHECK(row == terms);
      for (std::size_t j = 0; j < width; ++j)
        row[j] = std::log(terms[j]) + max;
    }
  }
}
