#pragma once

#include "core/compressor.hpp"

#include <vector>

namespace triage {

/// Compression that loses nothing for good: what one message leaves out is added to the next (error
/// compensation; Stich, Cordonnier and Jaggi, NeurIPS 2018; DoubleSqueeze, ICML 2019).
///
///   c = values + e;  q = C(c);  e = c - decode(q)
///
/// so after any number of messages the sum of what was decoded and the residual e is the sum of the values.
/// One owner.
class error_feedback {
public:
  /// Borrows the compressor, which must outlive it.
  error_feedback(const compressor& c, std::size_t floats) : compressor_(c), residual_(floats) {}

  /// Encodes `values`, which become what `bytes` stand for.
  void encode(std::span<float> values, byte_block& bytes);
  /// What was not sent is lost.
  void forget();
  [[nodiscard]] std::span<const float> residual() const { return residual_; }

private:
  const compressor& compressor_;
  std::vector<float> residual_; ///< and c, while a message is made
  std::uint64_t round_ = 0;
};

} // namespace triage
