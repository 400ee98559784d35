#include "core/rng.hpp"

#include "core/multiversion.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace triage {

namespace {

using block = std::array<std::uint32_t, 4>;

TRIAGE_INLINE block philox(std::uint64_t key, std::uint64_t stream, std::uint64_t counter) {
  block c = {static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32U),
             static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32U)};
  auto k0 = static_cast<std::uint32_t>(key);
  auto k1 = static_cast<std::uint32_t>(key >> 32U);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53U} * c[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57U} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32U) ^ c[1] ^ k0, static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32U) ^ c[3] ^ k1, static_cast<std::uint32_t>(p0)};
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return c;
}

/// Blocks first, first + 1, …; independent of each other, so that they vectorise.
TRIAGE_MULTIVERSION void philox_blocks(std::uint64_t key, std::uint64_t stream, std::uint64_t first,
                                       std::size_t blocks, std::uint32_t* out) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < blocks; ++i) {
    const block b = philox(key, stream, first + i);
    out[4 * i] = b[0];
    out[4 * i + 1] = b[1];
    out[4 * i + 2] = b[2];
    out[4 * i + 3] = b[3];
  }
}

} // namespace

rng::result_type rng::operator()() {
  const std::uint64_t block = state_.position / 4;
  if (block != words_block_) {
    words_ = philox(state_.key, state_.stream, block);
    words_block_ = block;
  }
  return words_[state_.position++ % 4];
}

void rng::fill(std::span<result_type> out) {
  std::size_t i = 0;
  for (; i < out.size() && state_.position % 4 != 0; ++i)
    out[i] = (*this)();
  const std::size_t blocks = (out.size() - i) / 4;
  philox_blocks(state_.key, state_.stream, state_.position / 4, blocks, out.data() + i);
  state_.position += 4 * blocks;
  for (i += 4 * blocks; i < out.size(); ++i)
    out[i] = (*this)();
}

std::uint64_t rng::next_u64() {
  const std::uint64_t low = (*this)();
  return low | (static_cast<std::uint64_t>((*this)()) << 32U);
}

double rng::uniform() {
  return static_cast<double>(next_u64() >> 11U) * 0x1.0p-53;
}

float rng::uniform_float() {
  return static_cast<float>((*this)() >> 8U) * 0x1.0p-24F;
}

std::uint64_t rng::below(std::uint64_t bound) {
  // Rejects the incomplete last interval, so that every value is equally likely.
  const std::uint64_t limit = ~std::uint64_t{0} - (~std::uint64_t{0} % bound + 1) % bound;
  for (;;)
    if (const std::uint64_t x = next_u64(); x <= limit)
      return x % bound;
}

double rng::normal() {
  const double u = 1.0 - uniform(); // (0, 1]: the logarithm stays finite
  const double v = uniform();
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

} // namespace triage
