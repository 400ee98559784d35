#include "nn/quantised/byte_winograd.hpp"

#include "core/rng.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <vector>

using namespace triage;

namespace {

constexpr int point_rows[4][4] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
constexpr int pixel_rows[2][4] = {{1, 1, 1, 0}, {0, 1, -1, -1}};

/// A point of a tile in steps of four, as the kernel rounds it.
int transformed_pixel(const std::uint8_t* tile, std::size_t row_bytes, std::size_t channels, std::size_t c,
                      std::size_t i, std::size_t j) {
  int sum = 0;
  for (std::size_t y = 0; y < 4; ++y)
    for (std::size_t x = 0; x < 4; ++x)
      sum += point_rows[i][y] * point_rows[j][x] * tile[y * row_bytes + x * channels + c];
  const bool is_sum = i == 1 && j == 1;
  const int rounded = static_cast<int>(std::floor((sum + 2) / 4.0));
  return is_sum ? std::min(rounded, 255) : std::clamp(rounded, -128, 127);
}

struct problem {
  byte_winograd w;
  std::size_t tiles = 0;
  std::size_t row_bytes = 0;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int8_t> weights; // [output][point][channel]
  std::vector<float> multiplier;
  std::vector<float> constant;

  problem(const byte_winograd& winograd, std::size_t tile_count, rng& random)
      : w(winograd), tiles(tile_count), row_bytes((2 * tile_count + 2) * winograd.channels),
        pixels(4 * row_bytes), weights(w.outputs * w.tile_bytes()), multiplier(w.outputs),
        constant(w.outputs) {
    // Extremes as well as small values: what is transformed must not overflow.
    std::generate(pixels.begin(), pixels.end(), [&] {
      const auto kind = random.below(4);
      return static_cast<std::uint8_t>(kind == 0 ? 255 : kind == 1 ? 0 : random.below(256));
    });
    std::generate(weights.begin(), weights.end(),
                  [&] { return static_cast<std::int8_t>(static_cast<int>(random.below(255)) - 127); });
    for (std::size_t o = 0; o < w.outputs; ++o) {
      multiplier[o] = 0.0002F * random.uniform_float();
      constant[o] = 300000.0F * (random.uniform_float() - 0.3F);
    }
  }
  [[nodiscard]] float expected(std::size_t tile, std::size_t o, std::size_t y, std::size_t x) const {
    int sum = 0;
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t j = 0; j < 4; ++j) {
        const int sign = pixel_rows[y][i] * pixel_rows[x][j];
        for (std::size_t c = 0; sign != 0 && c < w.channels; ++c)
          sum += sign *
                 transformed_pixel(pixels.data() + 2 * tile * w.channels, row_bytes, w.channels, c, i, j) *
                 weights[(o * byte_winograd::points + 4 * i + j) * w.channels + c];
      }
    return std::clamp(std::nearbyint((static_cast<float>(sum) + constant[o]) * multiplier[o]), 0.0F, 255.0F);
  }
};

} // namespace

TEST_CASE(
    "byte tiles: products of transformed pixels, transformed back, scaled, rounded, clamped and pooled") {
  if (!multiplies_byte_tiles(32, 32)) {
    MESSAGE("not tested: this processor has no AVX512-VNNI");
    return;
  }
  CHECK(!multiplies_byte_tiles(16, 32));
  CHECK(!multiplies_byte_tiles(32, 48));
  rng random(3, 1);
  for (const byte_winograd w : {byte_winograd{32, 32}, byte_winograd{64, 96}, byte_winograd{96, 64}}) {
    const problem p(w, 2 * byte_winograd::together, random);
    std::vector<std::uint8_t> transformed(p.tiles * w.tile_bytes());
    // In two pieces, as blocks cut a row of tiles.
    transform_tiles(w, p.pixels.data(), p.row_bytes, 3, transformed.data());
    transform_tiles(w, p.pixels.data() + 6 * w.channels, p.row_bytes, p.tiles - 3,
                    transformed.data() + 3 * w.tile_bytes());
    packed_windows windows(w);
    windows.pack(w, p.weights.data());
    for (const bool pooled : {false, true}) {
      std::vector<std::uint8_t> out(4 * p.tiles * w.outputs + 1, 77);
      std::vector<tile_targets> targets(p.tiles);
      for (std::size_t t = 0; t < p.tiles; ++t)
        for (std::size_t k = 0; k < 4; ++k)
          targets[t][k] = out.data() + (4 * t + k) * w.outputs;
      multiply_tiles(w, transformed.data(), targets, windows, p.multiplier.data(), p.constant.data(), pooled);
      CHECK(out.back() == 77);
      std::size_t inside = 0;
      for (std::size_t t = 0; t < p.tiles; ++t)
        for (std::size_t o = 0; o < w.outputs; o += 5) {
          float largest = 0.0F;
          for (std::size_t k = 0; k < 4; ++k) {
            const float wanted = p.expected(t, o, k / 2, k % 2);
            largest = std::max(largest, wanted);
            inside += wanted > 0.0F && wanted < 255.0F ? 1U : 0U;
            if (!pooled)
              REQUIRE(static_cast<float>(out[(4 * t + k) * w.outputs + o]) == wanted);
          }
          if (pooled)
            REQUIRE(static_cast<float>(out[4 * t * w.outputs + o]) == largest);
        }
      CHECK(inside > p.tiles * w.outputs / 10);
    }
  }
}

TEST_CASE("byte tiles: transformed windows give the convolution of the pixels") {
  const byte_winograd w{3, 2};
  rng random(5, 1);
  std::vector<float> windows(w.outputs * w.channels * 9);
  for (float& v : windows)
    v = static_cast<float>(random.normal());
  std::vector<float> transformed(w.outputs * w.tile_bytes());
  transform_windows(w, windows.data(), transformed.data());
  std::vector<float> tile(w.channels * 16);
  for (float& v : tile)
    v = static_cast<float>(random.normal());
  for (std::size_t o = 0; o < w.outputs; ++o)
    for (std::size_t y = 0; y < 2; ++y)
      for (std::size_t x = 0; x < 2; ++x) {
        double direct = 0.0;
        double by_points = 0.0;
        for (std::size_t c = 0; c < w.channels; ++c) {
          for (std::size_t k = 0; k < 9; ++k)
            direct += static_cast<double>(windows[(o * w.channels + c) * 9 + k]) *
                      static_cast<double>(tile[c * 16 + (y + k / 3) * 4 + x + k % 3]);
          for (std::size_t p = 0; p < 16; ++p) {
            double pixel = 0.0;
            for (std::size_t k = 0; k < 16; ++k)
              pixel +=
                  point_rows[p / 4][k / 4] * point_rows[p % 4][k % 4] * static_cast<double>(tile[c * 16 + k]);
            by_points += pixel_rows[y][p / 4] * pixel_rows[x][p % 4] * pixel *
                         static_cast<double>(transformed[(o * 16 + p) * w.channels + c]);
          }
        }
        CHECK(by_points == doctest::Approx(direct).epsilon(1e-5));
      }
}
