#pragma once

#include "core/json.hpp"
#include "core/options.hpp"
#include "core/registry.hpp"
#include "core/result.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace triage {

using byte_block = std::vector<std::uint8_t>;

/// Turns a block of floats into few bytes, and those back into the floats that they stand for: an
/// approximation, whose error error_feedback makes good later. Stateless; may be used by any thread.
///
/// What `decode` gives depends on the bytes alone, to the bit and on every processor: all that read the same
/// bytes hold the same parameters afterwards.
class compressor : public configurable {
public:
  /// Replaces `out`. `round` counts calls, from 0: warm-ups and random choices depend on it. Precondition:
  /// all finite.
  virtual void encode(std::span<const float> values, std::uint64_t round, byte_block& out) const = 0;
  /// Overwrites all of `out`, which is as long as what was encoded. Bytes that no encoder made are an error:
  /// they come from a peer.
  [[nodiscard]] virtual result<void> decode(std::span<const std::uint8_t> bytes,
                                            std::span<float> out) const = 0;
  /// A bound on |c - decode(encode(c))|^2 / |c|^2 for any c of this many floats, in round 1000; 1: none.
  [[nodiscard]] virtual double worst_error(std::size_t floats) const = 0;
};

using compressor_factory = std::unique_ptr<compressor> (*)();
/// none, int8, sign, top_k, random_k.
[[nodiscard]] registry_table<compressor_factory> compressors();
[[nodiscard]] result<std::unique_ptr<compressor>> make_compressor(const json_value& description,
                                                                  const json_place& place);

/// A number over all bits of all floats and their places, to compare what two processes hold.
[[nodiscard]] std::uint64_t fingerprint(std::span<const float> values);

} // namespace triage
