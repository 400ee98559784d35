#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace triage {

/// The whole state of a random stream; saving it and restoring it continues the sequence exactly.
struct rng_state {
  std::uint64_t key = 0;
  std::uint64_t stream = 0;
  std::uint64_t position = 0; ///< how many 32-bit words have been drawn
  bool operator==(const rng_state&) const = default;
};

/// What a stream is for. Every consumer has a stream of its own, so that using one never shifts another.
enum class rng_purpose : std::uint32_t {
  initialisation = 1,
  sampling = 2,
  dropout = 3,
  augmentation = 4,
  split = 5,
  synthetic = 6,
  probe = 7,
  regime = 8,
};

/// A counter-based generator (Philox 4x32-10; Salmon et al., SC 2011): the n-th word is a function of
/// (seed, stream, n), so streams are independent, cheap to make, and can be positioned anywhere.
/// Satisfies UniformRandomBitGenerator. Not thread safe; give every thread a stream.
class rng {
public:
  using result_type = std::uint32_t;

  rng() : rng(0, 0) {}
  rng(std::uint64_t seed, std::uint64_t stream) : state_{seed, stream, 0} {}
  /// The stream number `index` of a purpose: e.g. dropout for one training order.
  rng(std::uint64_t seed, rng_purpose purpose, std::uint64_t index = 0)
      : rng(seed, (static_cast<std::uint64_t>(purpose) << 56U) ^ index) {}
  explicit rng(const rng_state& state) : state_(state) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return 0xFFFFFFFFU; }

  result_type operator()();
  /// The next out.size() words, several times as fast as one by one.
  void fill(std::span<result_type> out);
  std::uint64_t next_u64();
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Uniform in [0, 1), 24 bits.
  float uniform_float();
  /// Uniform in [0, bound), without modulo bias. Precondition: bound > 0.
  std::uint64_t below(std::uint64_t bound);
  /// Standard normal (Box-Muller, the cosine branch: two words in, one number out, no hidden state).
  double normal();

  [[nodiscard]] const rng_state& state() const { return state_; }

private:
  rng_state state_;
  std::array<std::uint32_t, 4> words_{};
  std::uint64_t words_block_ = ~std::uint64_t{0}; ///< which counter `words_` was computed for
};

/// Fisher-Yates, in place.
template <class Container>
void shuffle(Container& items, rng& random) {
  for (std::size_t i = items.size(); i > 1; --i) {
    const auto j = static_cast<std::size_t>(random.below(i));
    using std::swap;
    swap(items[i - 1], items[j]);
  }
}

} // namespace triage
