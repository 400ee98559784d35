#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace triage {

/// A random order of the numbers below `points` that is computed where it is looked at, and takes no memory:
/// a Feistel network with ten rounds, over two digits whose ranges multiply to little more than the number of
/// points (Black & Rogaway, "Ciphers with arbitrary finite domains", 2002). Every order is a permutation;
/// which one, depends on the key. Meant for many points (up to 2^31): a few hundred have fewer orders than a
/// shuffle.
class computed_order {
public:
  computed_order() = default;
  computed_order(std::size_t points, std::uint64_t key);

  /// The next out.size() points. Precondition: so many are left.
  void take(std::span<std::uint32_t> out);

  [[nodiscard]] std::uint64_t key() const { return key_; }
  /// How far it has come among the numbers that it permutes, a few of which are no points.
  [[nodiscard]] std::uint64_t place() const { return place_; }
  /// Goes to a place where `taken` points were taken before. False: there is no such place.
  [[nodiscard]] bool go_to(std::uint64_t place, std::uint64_t taken);
  /// How many numbers it permutes.
  [[nodiscard]] std::uint64_t range() const { return std::uint64_t{rows_} * columns_; }

private:
  static constexpr std::size_t rounds = 10;

  std::uint32_t points_ = 0;
  std::uint32_t rows_ = 0;
  std::uint32_t columns_ = 0;
  std::uint64_t key_ = 0;
  std::uint64_t place_ = 0;
  std::array<std::uint32_t, rounds> round_keys_{};
};

} // namespace triage
