#include "core/error_feedback.hpp"

#include "core/multiversion.hpp"

#include <algorithm>
#include <stdexcept>

namespace triage {

namespace {

TRIAGE_MULTIVERSION void add(const float* a, const float* b, float* out, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    out[i] = a[i] + b[i];
}

TRIAGE_MULTIVERSION void subtract(const float* a, const float* b, float* out, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    out[i] = a[i] - b[i];
}

} // namespace

void error_feedback::encode(std::span<float> values, byte_block& bytes) {
  wanted_.resize(residual_.size());
  add(values.data(), residual_.data(), wanted_.data(), wanted_.size());
  compressor_.encode(wanted_, round_++, bytes);
  if (const auto decoded = compressor_.decode(bytes, values); !decoded.ok())
    throw std::logic_error("a compressor does not read what it wrote: " + decoded.error().message);
  subtract(wanted_.data(), values.data(), residual_.data(), wanted_.size());
}

void error_feedback::forget() {
  std::fill(residual_.begin(), residual_.end(), 0.0F);
}

} // namespace triage
