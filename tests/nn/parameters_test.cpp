#include "nn/network.hpp"
#include "nn/parameters.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <vector>

using namespace triage;

namespace {

parameter_layout small_layout() {
  parameter_layout layout;
  layout.add({.name = "w", .shape = {5, 7}, .init = initialiser::he_normal});
  layout.add({.name = "mean", .shape = {3}, .trained = false});
  layout.add({.name = "b", .shape = {16}, .init = initialiser::ones});
  layout.finish();
  return layout;
}

std::vector<float> initial(const parameter_layout& layout, std::uint64_t seed) {
  std::vector<float> block(layout.size(), std::numeric_limits<float>::quiet_NaN());
  layout.initialise(block, seed);
  return block;
}

struct moments {
  double mean = 0.0;
  double deviation = 0.0;
  double largest = 0.0;
};

moments measure(const std::vector<float>& values) {
  moments m;
  for (const float v : values) {
    m.mean += static_cast<double>(v) / static_cast<double>(values.size());
    m.largest = std::max(m.largest, std::abs(static_cast<double>(v)));
  }
  for (const float v : values)
    m.deviation += std::pow(static_cast<double>(v) - m.mean, 2.0) / static_cast<double>(values.size());
  m.deviation = std::sqrt(m.deviation);
  return m;
}

} // namespace

TEST_CASE("trained tensors come first, in order, then the statistics; each starts on a cache line") {
  const auto layout = small_layout();
  CHECK(layout[0].offset == 0);
  CHECK(layout[0].size == 35);
  CHECK(layout[2].offset == 48);
  CHECK(layout.trained_size() == 64);
  CHECK(layout[1].offset == 64);
  CHECK(layout.size() == 80);
  CHECK(layout.trained_values() == 51);
  CHECK(parameter_layout{}.size() == 0);
}

TEST_CASE("initialisation fills every value, zeros the gaps and depends on the seed") {
  const auto layout = small_layout();
  const auto block = initial(layout, 1);
  for (const float v : block)
    CHECK(std::isfinite(v));
  for (std::size_t i = 35; i < 48; ++i)
    CHECK(block[i] == 0.0F);
  CHECK(layout.read(block, 2) == std::vector<float>(16, 1.0F));
  CHECK(layout.read(block, 1) == std::vector<float>(3, 0.0F));
  CHECK(initial(layout, 1) == block);
  CHECK(initial(layout, 2) != block);
}

TEST_CASE("one tensor's start does not depend on the shapes of the others") {
  const auto layout = small_layout();
  parameter_layout other;
  other.add({.name = "w", .shape = {2, 2}, .init = initialiser::he_normal});
  other.add({.name = "extra", .shape = {4, 9}, .init = initialiser::he_normal});
  other.finish();
  parameter_layout changed;
  changed.add({.name = "w", .shape = {50, 3}, .init = initialiser::glorot_uniform});
  changed.add({.name = "extra", .shape = {4, 9}, .init = initialiser::he_normal});
  changed.finish();
  CHECK(other.read(initial(other, 5), 1) == changed.read(initial(changed, 5), 1));
  // Two tensors of one shape still differ from each other.
  parameter_layout twins;
  twins.add({.name = "a", .shape = {4, 9}, .init = initialiser::he_normal});
  twins.add({.name = "b", .shape = {4, 9}, .init = initialiser::he_normal});
  twins.finish();
  const auto block = initial(twins, 5);
  CHECK(twins.read(block, 0) != twins.read(block, 1));
}

TEST_CASE("He and Glorot have the spread their papers ask for, counted over receptive fields") {
  const std::vector<std::vector<std::int64_t>> shapes{{300, 200}, {64, 32, 3, 3}};
  for (const auto& shape : shapes) {
    parameter_layout layout;
    layout.add({.name = "he", .shape = shape, .init = initialiser::he_normal});
    layout.add({.name = "glorot", .shape = shape, .init = initialiser::glorot_uniform});
    layout.finish();
    const double field = shape.size() == 4 ? 9.0 : 1.0;
    const double in = field * static_cast<double>(shape[1]);
    const double out = field * static_cast<double>(shape[0]);
    CHECK(static_cast<double>(layout[0].fan_in()) == in);
    CHECK(static_cast<double>(layout[0].fan_out()) == out);
    const auto block = initial(layout, 3);
    const auto he = measure(layout.read(block, 0));
    CHECK(std::abs(he.deviation / std::sqrt(2.0 / in) - 1.0) < 0.03);
    CHECK(std::abs(he.mean) < 0.05 * he.deviation);
    CHECK(he.largest > 3.0 * he.deviation); // normal, not uniform
    const auto glorot = measure(layout.read(block, 1));
    CHECK(std::abs(glorot.deviation / std::sqrt(2.0 / (in + out)) - 1.0) < 0.03);
    CHECK(glorot.largest <= std::sqrt(6.0 / (in + out)));
    CHECK(glorot.largest > 0.99 * std::sqrt(6.0 / (in + out)));
  }
}

TEST_CASE("clearing gaps touches nothing else") {
  const auto layout = small_layout();
  std::vector<float> block(layout.size(), 7.0F);
  layout.clear_gaps(block);
  std::size_t zeros = 0;
  for (const auto v : block)
    zeros += v == 0.0F ? 1 : 0;
  CHECK(zeros == layout.size() - 35 - 16 - 3);
  for (std::size_t i = 0; i < layout.tensors().size(); ++i)
    CHECK(layout.read(block, i) == std::vector<float>(layout[i].size, 7.0F));
}

TEST_CASE("whatever the storage of the weights, reading returns what was written, in row-major order") {
  const auto model = json_text(R"([{"type": "conv2d", "filters": 32}, {"type": "dense", "units": 512},
                                   {"type": "dense", "units": 96, "activation": "relu"},
                                   {"type": "dense", "units": 10}])");
  std::vector<std::vector<float>> first;
  bool packed = false;
  for (const std::int64_t hint : {1, 64, 1000}) {
    CAPTURE(hint);
    const auto net = network::build(model, {"test.json", "/model"}, {3, 8, 8}, 10, {}, hint);
    REQUIRE(net.ok());
    const auto& layout = (*net)->parameters();
    std::vector<float> block(layout.size());
    for (std::size_t i = 0; i < layout.tensors().size(); ++i) {
      std::vector<float> plain(layout[i].size);
      for (std::size_t k = 0; k < plain.size(); ++k)
        plain[k] = static_cast<float>(k + i);
      layout.write(block, i, plain);
      CHECK(layout.read(block, i) == plain);
      packed = packed || layout[i].packing != nullptr;
    }
    // The initial network is the same one too.
    const auto start = initial(layout, 1);
    std::vector<std::vector<float>> values;
    for (std::size_t i = 0; i < layout.tensors().size(); ++i)
      values.push_back(layout.read(start, i));
    if (first.empty())
      first = values;
    CHECK(values == first);
  }
  MESSAGE("this CPU packs dense weights: ", packed);
}
