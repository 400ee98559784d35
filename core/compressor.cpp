#include "core/compressor.hpp"

#include "core/component.hpp"
#include "core/compressors/compressors.hpp"
#include "core/multiversion.hpp"

#include <array>
#include <bit>

namespace triage {

registry_table<compressor_factory> compressors() {
  static constexpr std::array<registry_entry<compressor_factory>, 5> table = {{
      {"none", "floats as they are", make_no_compressor},
      {"int8", "a byte for each value, a scale for 256: a quarter of the bytes", make_int8_compressor},
      {"sign", "a bit for each value, a scale for 1024: a thirty-second of the bytes", make_sign_compressor},
      {"top_k", "the largest values and their places", make_top_k_compressor},
      {"random_k", "values at places that both sides draw", make_random_k_compressor},
  }};
  return table;
}

result<std::unique_ptr<compressor>> make_compressor(const json_value& description, const json_place& place) {
  return make_component<compressor>(compressors(), "compressor", description, place);
}

namespace {

TRIAGE_MULTIVERSION void add_bits(const float* x, std::size_t n, std::uint64_t place, std::uint64_t* sums) {
  std::uint64_t plain = 0;
  std::uint64_t placed = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t bits = std::bit_cast<std::uint32_t>(x[i]);
    plain += bits;
    placed += bits * (place + i);
  }
  sums[0] += plain;
  sums[1] += placed;
}

} // namespace

std::uint64_t fingerprint(std::span<const float> values) {
  std::array<std::uint64_t, 2> sums{};
  add_bits(values.data(), values.size(), 1, sums.data());
  return sums[0] * 0x9E3779B97F4A7C15ULL ^ std::rotl(sums[1], 29);
}

} // namespace triage
