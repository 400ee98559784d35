#include "core/compressors/compressors.hpp"
#include "core/finite.hpp"
#include "core/multiversion.hpp"

#include <algorithm>
#include <bit>

namespace triage {

namespace {

constexpr std::size_t block = 256; ///< values with a scale of their own
constexpr float largest = 127.0F;

/// By the bits, which order sizes as the floats do: a maximum of integers needs no order of comparisons.
TRIAGE_MULTIVERSION float largest_size(const float* x, std::size_t n) {
  std::uint32_t m = 0;
  for (std::size_t i = 0; i < n; ++i)
    m = std::max(m, std::bit_cast<std::uint32_t>(x[i]) & 0x7FFFFFFFU);
  return std::bit_cast<float>(m);
}

TRIAGE_MULTIVERSION void round_to_bytes(const float* x, std::size_t n, float per_unit, std::int8_t* out) {
  for (std::size_t i = 0; i < n; ++i) {
    const float v = std::min(std::max(x[i] * per_unit, -largest), largest);
    out[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(v + (v < 0.0F ? -0.5F : 0.5F)));
  }
}

TRIAGE_MULTIVERSION void scale_bytes(const std::int8_t* x, std::size_t n, float unit, float* out) {
  for (std::size_t i = 0; i < n; ++i)
    out[i] = static_cast<float>(x[i]) * unit;
}

/// Bytes between -127 and 127, times the unit of their block, which is its largest value divided by 127:
/// first all units, then all bytes.
class int8_compressor : public compressor {
public:
  void encode(std::span<const float> values, std::uint64_t, byte_block& out) const override {
    const std::size_t blocks = blocks_of(values.size());
    out.resize(blocks * sizeof(float) + values.size());
    auto* const bytes = reinterpret_cast<std::int8_t*>(out.data() + blocks * sizeof(float));
    for (std::size_t b = 0; b < blocks; ++b) {
      const auto part = values.subspan(b * block, std::min(block, values.size() - b * block));
      const float unit = largest_size(part.data(), part.size()) / largest;
      // Below, the quotient overflows: such values are nothing beside any that matter.
      const bool zero = unit < 1e-37F;
      const float written = zero ? 0.0F : unit;
      std::memcpy(out.data() + b * sizeof(float), &written, sizeof written);
      round_to_bytes(part.data(), part.size(), zero ? 0.0F : 1.0F / unit, bytes + b * block);
    }
  }
  [[nodiscard]] result<void> decode(std::span<const std::uint8_t> bytes,
                                    std::span<float> out) const override {
    const std::size_t blocks = blocks_of(out.size());
    if (bytes.size() != blocks * sizeof(float) + out.size())
      return not_encoded("int8");
    const auto* const values = reinterpret_cast<const std::int8_t*>(bytes.data() + blocks * sizeof(float));
    for (std::size_t b = 0; b < blocks; ++b) {
      float unit = 0.0F;
      std::memcpy(&unit, bytes.data() + b * sizeof(float), sizeof unit);
      if (!(unit >= 0.0F && unit < 1e36F))
        return not_encoded("int8");
      const auto part = out.subspan(b * block, std::min(block, out.size() - b * block));
      scale_bytes(values + b * block, part.size(), unit, part.data());
    }
    return {};
  }
  [[nodiscard]] double worst_error(std::size_t) const override {
    // Half a unit for each value of a block whose largest is 127 units.
    return static_cast<double>(block) * 0.25 / (127.0 * 127.0) * 1.01;
  }

private:
  static std::size_t blocks_of(std::size_t floats) { return (floats + block - 1) / block; }
};

} // namespace

std::unique_ptr<compressor> make_int8_compressor() {
  return std::make_unique<int8_compressor>();
}

} // namespace triage
