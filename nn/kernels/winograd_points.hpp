#pragma once

#include "core/multiversion.hpp"

// One dimension of Winograd's algorithm F(4x4, 3x3) (Lavin & Gray, "Fast algorithms for convolutional neural
// networks", 2016): four outputs of a window of three values come from products at six points 0, a, -a, b, -b
// and infinity. With these points rounding errors are about a third of those of the usual 1 and 2. Each
// function works on any type that adds and multiplies like a number; the gradients use the transposed ones.
namespace triage::winograd {

inline constexpr float a = 0.625F;
inline constexpr float b = 1.5F;
inline constexpr float a2 = a * a;
inline constexpr float b2 = b * b;
// The windows carry the divisors of Lagrange's interpolation.
inline constexpr float at_zero = 1.0F / (a2 * b2);
inline constexpr float at_a = 1.0F / (2.0F * a2 * (a2 - b2));
inline constexpr float at_b = 1.0F / (2.0F * b2 * (b2 - a2));

template <class V>
TRIAGE_INLINE void input_to_points(const V (&d)[6], V (&p)[6]) {
  const V even_a = d[4] - b2 * d[2];
  const V odd_a = a * (d[3] - b2 * d[1]);
  const V even_b = d[4] - a2 * d[2];
  const V odd_b = b * (d[3] - a2 * d[1]);
  p[0] = d[4] - (a2 + b2) * d[2] + (a2 * b2) * d[0];
  p[1] = even_a + odd_a;
  p[2] = even_a - odd_a;
  p[3] = even_b + odd_b;
  p[4] = even_b - odd_b;
  p[5] = d[5] - (a2 + b2) * d[3] + (a2 * b2) * d[1];
}

template <class V>
TRIAGE_INLINE void window_to_points(const V (&w)[3], V (&p)[6]) {
  const V even_a = at_a * w[0] + (at_a * a2) * w[2];
  const V odd_a = (at_a * a) * w[1];
  const V even_b = at_b * w[0] + (at_b * b2) * w[2];
  const V odd_b = (at_b * b) * w[1];
  p[0] = at_zero * w[0];
  p[1] = even_a + odd_a;
  p[2] = even_a - odd_a;
  p[3] = even_b + odd_b;
  p[4] = even_b - odd_b;
  p[5] = w[2];
}

template <class V>
TRIAGE_INLINE void points_to_output(const V (&p)[6], V (&y)[4]) {
  const V sum_a = p[1] + p[2];
  const V difference_a = p[1] - p[2];
  const V sum_b = p[3] + p[4];
  const V difference_b = p[3] - p[4];
  y[0] = p[0] + sum_a + sum_b;
  y[1] = a * difference_a + b * difference_b;
  y[2] = a2 * sum_a + b2 * sum_b;
  y[3] = (a2 * a) * difference_a + (b2 * b) * difference_b + p[5];
}

/// The transpose of points_to_output.
template <class V>
TRIAGE_INLINE void output_to_points(const V (&y)[4], V (&p)[6]) {
  const V even_a = y[0] + a2 * y[2];
  const V odd_a = a * (y[1] + a2 * y[3]);
  const V even_b = y[0] + b2 * y[2];
  const V odd_b = b * (y[1] + b2 * y[3]);
  p[0] = y[0];
  p[1] = even_a + odd_a;
  p[2] = even_a - odd_a;
  p[3] = even_b + odd_b;
  p[4] = even_b - odd_b;
  p[5] = y[3];
}

/// The transpose of window_to_points.
template <class V>
TRIAGE_INLINE void points_to_window(const V (&p)[6], V (&w)[3]) {
  const V sum_a = p[1] + p[2];
  const V difference_a = p[1] - p[2];
  const V sum_b = p[3] + p[4];
  const V difference_b = p[3] - p[4];
  w[0] = at_zero * p[0] + at_a * sum_a + at_b * sum_b;
  w[1] = (at_a * a) * difference_a + (at_b * b) * difference_b;
  w[2] = (at_a * a2) * sum_a + (at_b * b2) * sum_b + p[5];
}

} // namespace triage::winograd
