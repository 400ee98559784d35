#include "nn/kernels/sample_convolution.hpp"

#include <algorithm>
#include <oneapi/dnnl/dnnl.hpp>

namespace triage {

namespace {

double dot(const float* a, const float* b, std::int64_t n) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < n; ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

/// c (m x n) = op(a) op(b), row-major; k is the inner dimension.
void multiply(char transpose_a, char transpose_b, std::int64_t m, std::int64_t n, std::int64_t k,
              const float* a, std::int64_t row_a, const float* b, std::int64_t row_b, float* c) {
  dnnl::sgemm(transpose_a, transpose_b, m, n, k, 1.0F, a, row_a, b, row_b, 0.0F, c, n);
}

} // namespace

norm_form cheaper_norm_form(const convolution_geometry& g) {
  const std::int64_t inputs = g.in.channels / g.groups; // both without a rest
  const std::int64_t outputs = g.out.channels / g.groups;
  const auto positions = static_cast<double>(g.out.height * g.out.width);
  const auto window = static_cast<double>(inputs * g.size * g.size);
  const auto channels = static_cast<double>(outputs);
  const double direct = positions * window * channels;
  const double gram = positions * positions * (window + channels + 1.0);
  return gram < direct ? norm_form::gram : norm_form::direct;
}

sample_convolution::sample_convolution(const convolution_geometry& g, bool bias, norm_form form)
    : g_(g), bias_(bias), form_(form), positions_(g.out.height * g.out.width),
      window_(g.in.channels / g.groups * g.size * g.size), channels_(g.out.channels / g.groups),
      unfolded_(static_cast<std::size_t>(window_ * positions_)),
      gradient_(static_cast<std::size_t>(window_ * channels_)) {
  if (form_ == norm_form::gram) {
    input_gram_.resize(static_cast<std::size_t>(positions_ * positions_));
    output_gram_.resize(input_gram_.size());
  }
}

void sample_convolution::unfold(const float* input, std::int64_t group) {
  const std::int64_t inputs = g_.in.channels / g_.groups;
  float* to = unfolded_.data();
  for (std::int64_t c = 0; c < inputs; ++c) {
    const float* const plane = input + (group * inputs + c) * g_.in.height * g_.in.width;
    for (std::int64_t ky = 0; ky < g_.size; ++ky)
      for (std::int64_t kx = 0; kx < g_.size; ++kx)
        for (std::int64_t y = 0; y < g_.out.height; ++y) {
          const std::int64_t row = y * g_.step + ky - g_.top;
          const bool inside = row >= 0 && row < g_.in.height;
          for (std::int64_t x = 0; x < g_.out.width; ++x) {
            const std::int64_t column = x * g_.step + kx - g_.left;
            *to++ = inside && column >= 0 && column < g_.in.width ? plane[row * g_.in.width + column] : 0.0F;
          }
        }
  }
}

void sample_convolution::form_gradient(const float* output_gradient, std::int64_t group) {
  multiply('N', 'T', channels_, window_, positions_, output_gradient + group * channels_ * positions_,
           positions_, unfolded_.data(), positions_, gradient_.data());
}

double sample_convolution::channel_sum(const float* output_gradient, std::int64_t channel) const {
  const float* const row = output_gradient + channel * positions_;
  double sum = 0.0;
  for (std::int64_t t = 0; t < positions_; ++t)
    sum += static_cast<double>(row[t]);
  return sum;
}

double sample_convolution::squared_norm(const float* input, const float* output_gradient) {
  double sum = 0.0;
  for (std::int64_t group = 0; group < g_.groups; ++group) {
    unfold(input, group);
    if (form_ == norm_form::direct) {
      form_gradient(output_gradient, group);
      sum += dot(gradient_.data(), gradient_.data(), window_ * channels_);
      continue;
    }
    const float* const d = output_gradient + group * channels_ * positions_;
    multiply('T', 'N', positions_, positions_, window_, unfolded_.data(), positions_, unfolded_.data(),
             positions_, input_gram_.data());
    multiply('T', 'N', positions_, positions_, channels_, d, positions_, d, positions_, output_gram_.data());
    sum += dot(input_gram_.data(), output_gram_.data(), positions_ * positions_);
  }
  if (bias_)
    for (std::int64_t c = 0; c < g_.out.channels; ++c) {
      const double of_bias = channel_sum(output_gradient, c);
      sum += of_bias * of_bias;
    }
  return sum;
}

double sample_convolution::projection(const float* input, const float* output_gradient, const float* weights,
                                      const float* bias) {
  double sum = 0.0;
  for (std::int64_t group = 0; group < g_.groups; ++group) {
    unfold(input, group);
    form_gradient(output_gradient, group);
    sum += dot(gradient_.data(), weights + group * channels_ * window_, window_ * channels_);
  }
  if (bias_)
    for (std::int64_t c = 0; c < g_.out.channels; ++c)
      sum += channel_sum(output_gradient, c) * static_cast<double>(bias[c]);
  return sum;
}

} // namespace triage
