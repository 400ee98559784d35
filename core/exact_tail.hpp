#pragma once

#include "core/compressor.hpp"

namespace triage {

/// Compresses all floats but the last ones, which are sent as they are: statistics behind the weights, of
/// which a variance that an approximation made negative would be of no use to anybody.
class exact_tail final : public compressor {
public:
  /// Borrows the compressor, which must outlive it.
  exact_tail(const compressor& c, std::size_t floats) : compressor_(c), tail_(floats) {}

  /// Blocks have at least as many floats as the tail.
  void encode(std::span<const float> values, std::uint64_t round, byte_block& out) const override;
  [[nodiscard]] result<void> decode(std::span<const std::uint8_t> bytes, std::span<float> out) const override;
  [[nodiscard]] double worst_error(std::size_t floats) const override {
    return compressor_.worst_error(floats - tail_);
  }

private:
  const compressor& compressor_;
  std::size_t tail_;
};

} // namespace triage
