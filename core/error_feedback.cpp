#include "core/error_feedback.hpp"

#include "core/multiversion.hpp"

#include <algorithm>
#include <stdexcept>

namespace triage {

namespace {

TRIAGE_MULTIVERSION void add(const float* x, float* to, std::size_t n) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i)
    to[i] += x[i];
}

TRIAGE_MULTIVERSION void subtract(const float* x, float* from, std::size_t n) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i)
    from[i] -= x[i];
}

} // namespace

void error_feedback::encode(std::span<float> values, byte_block& bytes) {
  add(values.data(), residual_.data(), residual_.size());
  compressor_.encode(residual_, round_++, bytes);
  if (const auto decoded = compressor_.decode(bytes, values); !decoded.ok())
    throw std::logic_error("a compressor does not read what it wrote: " + decoded.error().message);
  subtract(values.data(), residual_.data(), residual_.size());
}

void error_feedback::forget() {
  std::fill(residual_.begin(), residual_.end(), 0.0F);
}

} // namespace triage
