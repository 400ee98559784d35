#include "nn/kernels/rectifier.hpp"

#include "core/multiversion.hpp"
#include "core/prefetch.hpp"

namespace triage {

namespace {

TRIAGE_MULTIVERSION void relu_gradient(const float* y, const float* dy, float* dx, std::size_t size) {
  each_fetched(
      size, [&](std::size_t i) { dx[i] = y[i] > 0.0F ? dy[i] : 0.0F; }, y, dy);
}

TRIAGE_MULTIVERSION void leaky_gradient(const float* y, float slope, const float* dy, float* dx,
                                        std::size_t size) {
  each_fetched(
      size, [&](std::size_t i) { dx[i] = y[i] > 0.0F ? dy[i] : slope * dy[i]; }, y, dy);
}

TRIAGE_MULTIVERSION void add_relu_gradient(const float* y, const float* dy, float* dx, std::size_t size) {
  each_fetched(
      size, [&](std::size_t i) { dx[i] += y[i] > 0.0F ? dy[i] : 0.0F; }, y, dy, dx);
}

TRIAGE_MULTIVERSION void add(const float* x, const float* y, float* out, std::size_t size) {
  each_fetched(
      size, [&](std::size_t i) { out[i] = x[i] + y[i]; }, x, y);
}

TRIAGE_MULTIVERSION void add_and_rectify(const float* x, const float* y, float* out, std::size_t size) {
  const auto element = [&](std::size_t i) {
    const float sum = x[i] + y[i];
    out[i] = sum < 0.0F ? 0.0F : sum; // NaN stays NaN
  };
  each_fetched(size, element, x, y);
}

} // namespace

void rectifier_gradient(const float* y, float slope, const float* dy, float* dx, std::size_t size) {
  slope == 0.0F ? relu_gradient(y, dy, dx, size) : leaky_gradient(y, slope, dy, dx, size);
}

void add_rectifier_gradient(const float* y, const float* dy, float* dx, std::size_t size) {
  add_relu_gradient(y, dy, dx, size);
}

void add_images(const float* x, const float* y, bool rectify, float* out, std::size_t size) {
  rectify ? add_and_rectify(x, y, out, size) : add(x, y, out, size);
}

} // namespace triage
