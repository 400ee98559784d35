#include "nn/quantised/byte_windows.hpp"

#include "core/rng.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <vector>

using namespace triage;

TEST_CASE("byte windows: sums of products, scaled, rounded and clamped") {
  if (!multiplies_byte_windows(16)) {
    MESSAGE("not tested: this processor has no AVX512-VNNI");
    return;
  }
  CHECK(!multiplies_byte_windows(24));
  rng random(3, 1);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random.below(n)); };
  for (int round = 0; round < 40; ++round) {
    const byte_windows w{.pixels = 1 + below(11),
                         .step = 1 + below(3),
                         .rows = 1 + below(9),
                         .words = 1 + below(2),
                         .outputs = 16 * (1 + below(8))};
    const std::size_t width = (w.pixels - 1) * w.step + 4 * w.words;
    std::vector<std::vector<std::uint8_t>> lines(w.rows, std::vector<std::uint8_t>(width));
    std::vector<const std::uint8_t*> rows;
    for (auto& line : lines) {
      std::generate(line.begin(), line.end(), [&] { return static_cast<std::uint8_t>(below(256)); });
      rows.push_back(line.data());
    }
    std::vector<std::int8_t> weights(w.outputs * w.rows * w.words * 4);
    std::generate(weights.begin(), weights.end(),
                  [&] { return static_cast<std::int8_t>(static_cast<int>(below(255)) - 127); });
    std::vector<std::int8_t> packed(weights.size());
    pack_byte_windows(w, weights.data(), packed.data());
    std::vector<float> multiplier(w.outputs);
    std::vector<float> constant(w.outputs);
    for (std::size_t o = 0; o < w.outputs; ++o) {
      multiplier[o] = 0.01F * random.uniform_float();
      constant[o] = 20000.0F * (random.uniform_float() - 0.3F);
    }
    std::vector<std::uint8_t> out(w.pixels * w.outputs + 1, 77);
    multiply_byte_windows(w, rows.data(), packed.data(), multiplier.data(), constant.data(), out.data());
    CHECK(out.back() == 77);
    std::size_t clamped = 0;
    for (std::size_t x = 0; x < w.pixels; ++x)
      for (std::size_t o = 0; o < w.outputs; ++o) {
        std::int32_t sum = 0;
        for (std::size_t r = 0; r < w.rows; ++r)
          for (std::size_t j = 0; j < 4 * w.words; ++j)
            sum += lines[r][x * w.step + j] * weights[(o * w.rows + r) * 4 * w.words + j];
        const float scaled = (static_cast<float>(sum) + constant[o]) * multiplier[o];
        const float expected = std::clamp(std::nearbyint(scaled), 0.0F, 255.0F);
        clamped += expected == 0.0F || expected == 255.0F ? 1U : 0U;
        REQUIRE(static_cast<float>(out[x * w.outputs + o]) == expected);
      }
    CHECK(clamped < w.pixels * w.outputs);
  }
}

TEST_CASE("byte windows: two rows of output pixels, pooled, are the largest of what each gives") {
  if (!multiplies_byte_windows(16))
    return;
  rng random(4, 1);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random.below(n)); };
  for (int round = 0; round < 40; ++round) {
    const byte_windows w{.pixels = 2 * (1 + below(7)),
                         .step = 1 + below(2),
                         .rows = 1 + below(9),
                         .words = 1 + below(2),
                         .outputs = 16 * (1 + below(8))};
    const std::size_t width = (w.pixels - 1) * w.step + 4 * w.words;
    std::vector<std::uint8_t> lines(2 * w.rows * width);
    std::generate(lines.begin(), lines.end(), [&] { return static_cast<std::uint8_t>(below(256)); });
    std::vector<const std::uint8_t*> rows;
    for (std::size_t r = 0; r < 2 * w.rows; ++r)
      rows.push_back(lines.data() + r * width);
    std::vector<std::int8_t> packed(w.outputs * w.rows * w.words * 4);
    std::generate(packed.begin(), packed.end(),
                  [&] { return static_cast<std::int8_t>(static_cast<int>(below(255)) - 127); });
    std::vector<float> multiplier(w.outputs);
    std::vector<float> constant(w.outputs);
    for (std::size_t o = 0; o < w.outputs; ++o) {
      multiplier[o] = 0.01F * random.uniform_float();
      constant[o] = 20000.0F * (random.uniform_float() - 0.3F);
    }
    std::vector<std::uint8_t> each(2 * w.pixels * w.outputs);
    for (std::size_t r = 0; r < 2; ++r)
      multiply_byte_windows(w, rows.data() + r * w.rows, packed.data(), multiplier.data(), constant.data(),
                            each.data() + r * w.pixels * w.outputs);
    std::vector<std::uint8_t> out(w.pixels / 2 * w.outputs + 1, 77);
    multiply_pooled_byte_windows(w, rows.data(), packed.data(), multiplier.data(), constant.data(),
                                 out.data());
    CHECK(out.back() == 77);
    for (std::size_t x = 0; x < w.pixels / 2; ++x)
      for (std::size_t o = 0; o < w.outputs; ++o) {
        const std::uint8_t* const first = each.data() + 2 * x * w.outputs + o;
        const std::uint8_t* const second = first + w.pixels * w.outputs;
        REQUIRE(out[x * w.outputs + o] ==
                std::max({first[0], first[w.outputs], second[0], second[w.outputs]}));
      }
  }
}
