#include "nn/kernels/pool_of_four.hpp"

#include "core/rng.hpp"

#include <array>
#include <doctest/doctest.h>
#include <vector>

using namespace triage;

namespace {

/// Where pixel (y, x) of channel c of a plane is, in images twice as large as the pooled ones.
std::size_t place(const pooled_images& i, std::size_t plane, std::size_t y, std::size_t x, std::size_t c) {
  return ((plane * 2 * i.height + y) * 2 * i.width + x) * i.block + c;
}

} // namespace

TEST_CASE("pool of four: the first of the largest values, and its gradient") {
  for (const std::size_t block : {16, 8, 5}) {
    const pooled_images images{3, 4, 5, block};
    const std::size_t n = images.pooled_floats();
    rng random(8, block);
    std::vector<float> in(4 * n);
    for (auto& v : in)
      v = static_cast<float>(random.below(5)) - 2.0F; // with ties and with values that are not positive
    std::vector<float> gradient(n);
    for (auto& v : gradient)
      v = random.uniform_float() + 0.5F;
    std::vector<float> out(n, -9.0F);
    std::vector<float> unremembered(n, -9.0F);
    std::vector<std::uint8_t> choices(n, 9);
    largest_of_four(images, in.data(), out.data(), choices.data());
    largest_of_four(images, in.data(), unremembered.data(), nullptr);
    CHECK(out == unremembered);
    std::vector<float> spread(4 * n, -9.0F);
    std::vector<float> rectified(4 * n, -9.0F);
    spread_to_chosen(images, gradient.data(), choices.data(), nullptr, spread.data());
    spread_to_chosen(images, gradient.data(), choices.data(), out.data(), rectified.data());
    std::size_t at = 0;
    for (std::size_t plane = 0; plane < images.planes; ++plane)
      for (std::size_t y = 0; y < images.height; ++y)
        for (std::size_t x = 0; x < images.width; ++x)
          for (std::size_t c = 0; c < block; ++c, ++at) {
            const std::array<std::size_t, 4> window = {
                place(images, plane, 2 * y, 2 * x, c), place(images, plane, 2 * y, 2 * x + 1, c),
                place(images, plane, 2 * y + 1, 2 * x, c), place(images, plane, 2 * y + 1, 2 * x + 1, c)};
            std::size_t largest = 0;
            for (std::size_t k = 1; k < 4; ++k)
              if (in[window.at(k)] > in[window.at(largest)])
                largest = k;
            REQUIRE(out[at] == in[window.at(largest)]);
            for (std::size_t k = 0; k < 4; ++k) {
              const float mine = k == largest ? gradient[at] : 0.0F;
              REQUIRE(spread[window.at(k)] == mine);
              REQUIRE(rectified[window.at(k)] == (out[at] > 0.0F ? mine : 0.0F));
            }
          }
  }
}
