#include "nn/kernels/channels.hpp"

#include "core/rng.hpp"
#include "nn/kernels/engine.hpp"

#include <doctest/doctest.h>
#include <vector>

using namespace triage;

namespace {

using tag = dnnl::memory::format_tag;

/// The same batch in another layout, padding zero.
std::vector<float> in_layout(const std::vector<float>& plain, const tensor_layout& from,
                             const tensor_layout& to) {
  kernel_engine engine;
  float_buffer source(plain.size());
  std::copy(plain.begin(), plain.end(), source.data());
  float_buffer target(to.floats());
  auto reorder = make_reorder(engine, from.descriptor(), to.descriptor());
  reorder.set(DNNL_ARG_FROM, source.data());
  reorder.set(DNNL_ARG_TO, target.data());
  reorder.run();
  return {target.data(), target.data() + target.size()};
}

std::vector<float> noise(std::size_t n, std::uint64_t stream) {
  rng random(31, stream);
  std::vector<float> v(n);
  for (float& x : v)
    x = static_cast<float>(random.normal());
  return v;
}

tensor_layout layout_of(std::int64_t batch, const sample_shape& shape, tag t) {
  return tensor_layout(dnnl::memory::desc({batch, shape.channels, shape.height, shape.width},
                                          dnnl::memory::data_type::f32, t));
}

} // namespace

TEST_CASE("sums, scaling and combination of channels agree with their definitions in every layout") {
  constexpr std::int64_t batch = 3;
  for (const sample_shape shape : {sample_shape{5, 4, 5}, sample_shape{16, 1, 1}, sample_shape{19, 5, 7}})
    for (const tag t : {tag::nchw, tag::nhwc, tag::nChw8c, tag::nChw16c}) {
      CAPTURE(to_string(shape));
      CAPTURE(static_cast<int>(t));
      const auto plain = tensor_layout::plain(batch, shape);
      const auto layout = layout_of(batch, shape, t);
      const auto g = channel_geometry::of(layout, shape);
      REQUIRE(g.has_value());
      const auto size = static_cast<std::size_t>(batch * shape.size());
      const auto plane = static_cast<std::size_t>(shape.height * shape.width);
      const auto x = noise(size, 1);
      const auto y = noise(size, 2);
      const auto bx = in_layout(x, plain, layout);
      const auto by = in_layout(y, plain, layout);

      const std::size_t n = g->batch * g->channels();
      std::vector<double> sums(n);
      std::vector<double> products(n);
      sum_channels(*g, bx.data(), by.data(), nullptr, sums.data(), products.data());
      const auto slope = noise(n, 3);
      const auto center = noise(n, 4);
      const auto offset = noise(n, 5);
      const auto factor = noise(n, 6);
      std::vector<float> scaled(bx.size());
      std::vector<float> combined(bx.size());
      const channel_affine affine{slope.data(), center.data(), offset.data()};
      scale_channels(*g, affine, false, bx.data(), scaled.data());
      combine_channels(*g, factor.data(), affine, nullptr, by.data(), bx.data(), combined.data());
      const auto plain_scaled = in_layout(scaled, layout, plain);
      const auto plain_combined = in_layout(combined, layout, plain);

      const auto channels = static_cast<std::size_t>(shape.channels);
      for (std::size_t row = 0; row < static_cast<std::size_t>(batch) * channels; ++row) {
        const std::size_t k = row / channels * g->channels() + row % channels;
        double sum = 0.0;
        double product = 0.0;
        for (std::size_t i = row * plane; i < (row + 1) * plane; ++i) {
          sum += static_cast<double>(x[i]);
          product += static_cast<double>(x[i]) * static_cast<double>(y[i]);
          const float affine_value = slope[k] * (x[i] - center[k]) + offset[k];
          CHECK(std::abs(plain_scaled[i] - affine_value) < 1e-5F);
          CHECK(std::abs(plain_combined[i] - (factor[k] * y[i] + affine_value)) < 1e-5F);
        }
        CHECK(sums[k] == doctest::Approx(sum));
        CHECK(products[k] == doctest::Approx(product));
      }
    }
}

TEST_CASE("layouts of another kind are not taken for one of these") {
  const sample_shape shape{8, 4, 4};
  CHECK_FALSE(channel_geometry::of(layout_of(2, shape, tag::chwn), shape).has_value());
  CHECK_FALSE(channel_geometry::of(layout_of(2, shape, tag::nChw4c), shape).has_value());
}
