#include "core/compressors/compressors.hpp"
#include "core/multiversion.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace triage {

namespace {

constexpr std::size_t block = 1024; ///< values with a scale of their own
constexpr std::size_t word = 32;

constexpr std::size_t lanes = 16;

/// In independent sums, which the compiler may keep in vectors.
TRIAGE_MULTIVERSION double sum_of_sizes(const float* x, std::size_t n) {
  std::array<double, lanes> sums{};
  for (std::size_t g = 0; g < n / lanes; ++g)
    for (std::size_t l = 0; l < lanes; ++l)
      sums[l] += static_cast<double>(std::abs(x[g * lanes + l]));
  for (std::size_t i = n / lanes * lanes; i < n; ++i)
    sums[0] += static_cast<double>(std::abs(x[i]));
  double sum = 0.0;
  for (const double s : sums)
    sum += s;
  return sum;
}

/// Bit i of a word is set where value i is below zero; n is at most a block.
TRIAGE_MULTIVERSION void take_signs(const float* x, std::size_t n, std::uint32_t* words) {
  for (std::size_t w = 0; w * word < n; ++w) {
    std::uint32_t bits = 0;
    const std::size_t m = std::min(word, n - w * word);
    for (std::size_t i = 0; i < m; ++i)
      bits |= (std::bit_cast<std::uint32_t>(x[w * word + i]) >> 31U) << i;
    words[w] = bits;
  }
}

TRIAGE_MULTIVERSION void give_signs(const std::uint32_t* words, std::size_t n, float size, float* out) {
  const auto plus = std::bit_cast<std::uint32_t>(size);
  for (std::size_t w = 0; w * word < n; ++w) {
    const std::size_t m = std::min(word, n - w * word);
    for (std::size_t i = 0; i < m; ++i)
      out[w * word + i] = std::bit_cast<float>(plus | (((words[w] >> i) & 1U) << 31U));
  }
}

/// One bit a value, times the mean size of its block (Karimireddy et al., "Error Feedback Fixes SignSGD",
/// ICML 2019): |c - C(c)|^2 = |c|^2 - |c|_1^2 / n. First all sizes, then all bits in words of 32.
class sign_compressor : public compressor {
public:
  void encode(std::span<const float> values, std::uint64_t, byte_block& out) const override {
    const shape s(values.size());
    out.resize(s.bytes());
    for (std::size_t b = 0; b < s.blocks; ++b) {
      const auto part = values.subspan(b * block, std::min(block, values.size() - b * block));
      const auto size =
          static_cast<float>(sum_of_sizes(part.data(), part.size()) / static_cast<double>(part.size()));
      std::memcpy(out.data() + b * sizeof(float), &size, sizeof size);
      std::uint32_t words[block / word] = {};
      take_signs(part.data(), part.size(), words);
      std::memcpy(out.data() + s.words_at(b), words, shape::words_of(part.size()) * sizeof(std::uint32_t));
    }
  }
  [[nodiscard]] result<void> decode(std::span<const std::uint8_t> bytes,
                                    std::span<float> out) const override {
    const shape s(out.size());
    if (bytes.size() != s.bytes())
      return not_encoded("sign");
    for (std::size_t b = 0; b < s.blocks; ++b) {
      float size = 0.0F;
      std::memcpy(&size, bytes.data() + b * sizeof(float), sizeof size);
      if (!(size >= 0.0F && std::isfinite(size)))
        return not_encoded("sign");
      const auto part = out.subspan(b * block, std::min(block, out.size() - b * block));
      std::uint32_t words[block / word];
      std::memcpy(words, bytes.data() + s.words_at(b), shape::words_of(part.size()) * sizeof(std::uint32_t));
      give_signs(words, part.size(), size, part.data());
    }
    return {};
  }
  [[nodiscard]] double worst_error(std::size_t floats) const override {
    return 1.0 - 1.0 / static_cast<double>(std::clamp<std::size_t>(floats, 1, block));
  }

private:
  struct shape {
    explicit shape(std::size_t n) : floats(n), blocks((n + block - 1) / block) {}
    static std::size_t words_of(std::size_t n) { return (n + word - 1) / word; }
    [[nodiscard]] std::size_t words_at(std::size_t b) const {
      return blocks * sizeof(float) + b * (block / word) * sizeof(std::uint32_t);
    }
    [[nodiscard]] std::size_t bytes() const {
      return blocks * sizeof(float) + words_of(floats) * sizeof(std::uint32_t);
    }
    std::size_t floats;
    std::size_t blocks;
  };
};

} // namespace

std::unique_ptr<compressor> make_sign_compressor() {
  return std::make_unique<sign_compressor>();
}

} // namespace triage
