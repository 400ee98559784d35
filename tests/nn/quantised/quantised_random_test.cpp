#include "nn/quantised/quantise.hpp"
#include "nn/quantised_network.hpp"
#include "nn/workspace.hpp"
#include "tests/support/allocation_count.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>
#include <string>
#include <vector>

// 8-bit networks of random shape: what scores need of them is the order of the points, that a point's outputs
// do not depend on its neighbours, and that loading new parameters leaves nothing of the old ones.

using namespace triage;

namespace {

struct random_model {
  std::string text;
  sample_shape input;
};

std::string number(rng& random, std::uint64_t low, std::uint64_t high) {
  return std::to_string(low + random.below(high - low + 1));
}

random_model any_model(rng& random) {
  random_model m{"[", {1 + static_cast<std::int64_t>(random.below(120)), 1, 1}};
  if (random.below(2) == 0) {
    m.input = {1 + static_cast<std::int64_t>(random.below(3)), 6 + static_cast<std::int64_t>(random.below(8)),
               6 + static_cast<std::int64_t>(random.below(8))};
    for (auto n = 1 + random.below(2); n > 0; --n) {
      m.text += R"({"type": "conv2d", "activation": "relu", "filters": )" + number(random, 4, 40) +
                ", \"kernel\": " + number(random, 1, 4) + ", \"stride\": " + number(random, 1, 2) +
                ", \"bias\": " + (random.below(2) == 0 ? "true" : "false") + "}, ";
      if (random.below(2) == 0)
        m.text += random.below(2) == 0 ? R"({"type": "max_pool", "padding": "same"}, )"
                                       : R"({"type": "avg_pool", "padding": "same"}, )";
    }
  }
  m.text += R"({"type": "dense", "activation": "relu", "units": )" + number(random, 8, 90) + "}, ";
  if (random.below(3) == 0)
    m.text += R"({"type": "dropout", "rate": 0.3}, )";
  m.text += R"({"type": "dense", "units": 5}])";
  return m;
}

/// A network with random parameters and samples of random bytes, in both arithmetics.
struct both {
  explicit both(const random_model& m, std::int64_t n, std::uint64_t seed) : batch(n) {
    auto built = network::build(json_text(m.text), {"test", "/model"}, m.input, 5);
    REQUIRE_MESSAGE(built.ok(), (built.ok() ? "" : built.error().message));
    net = built.take();
    exact = std::make_unique<workspace>(net);
    exact->watch_input_ranges(true);
    parameters.resize(net->parameters().size());
    net->parameters().initialise(parameters, seed);
    auto made = quantised_network::compile(net, batch);
    REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message));
    bytes = made.take();
    rng random(seed, 1);
    for (auto& b : bytes->input())
      b = static_cast<std::uint8_t>(random.below(256));
    fill_exact();
  }
  void fill_exact() {
    const auto x = exact->input(batch);
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<float>(bytes->input()[i]) * scale[0] + shift[0];
  }
  std::vector<float> precise() {
    fill_exact();
    const auto y = exact->infer(parameters, batch);
    ranges = exact->input_ranges();
    return {y.begin(), y.end()};
  }
  std::vector<float> rough() {
    bytes->load(parameters, {scale, shift}, ranges);
    const auto y = bytes->infer();
    return {y.begin(), y.end()};
  }

  std::int64_t batch;
  std::vector<float> scale{0.015F};
  std::vector<float> shift{-1.8F};
  std::shared_ptr<const network> net;
  std::unique_ptr<workspace> exact;
  std::unique_ptr<quantised_network> bytes;
  std::vector<float> parameters;
  std::vector<float> ranges;
};

std::vector<double> ranks(std::span<const float> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return values[a] < values[b]; });
  std::vector<double> out(values.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    out[order[i]] = static_cast<double>(i);
  return out;
}

/// Spearman's.
double rank_correlation(std::span<const float> a, std::span<const float> b) {
  const auto x = ranks(a);
  const auto y = ranks(b);
  const double mean = (static_cast<double>(x.size()) - 1.0) / 2.0;
  double together = 0.0;
  double spread = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    together += (x[i] - mean) * (y[i] - mean);
    spread += (x[i] - mean) * (x[i] - mean);
  }
  return together / spread;
}

std::vector<float> losses_of(std::span<const float> outputs, std::size_t rows) {
  auto f = make_loss(json_value("softmax_cross_entropy"), {"test", ""});
  std::vector<std::int32_t> labels(rows);
  for (std::size_t i = 0; i < rows; ++i)
    labels[i] = static_cast<std::int32_t>(i % 5);
  std::vector<float> loss(rows);
  (*f)->evaluate(outputs, 5, {labels, {}}, loss, {});
  return loss;
}

} // namespace

TEST_CASE("8-bit random: losses have the order of those in floats, for networks of any shape") {
  if (!quantised_network::processor_supports())
    return;
  rng random(1, 0);
  for (std::uint64_t round = 0; round < 40; ++round) {
    const auto m = any_model(random);
    CAPTURE(m.text);
    CAPTURE(to_string(m.input));
    both b(m, 64, round);
    const auto precise = losses_of(b.precise(), 64);
    const auto rough = losses_of(b.rough(), 64);
    CHECK(rank_correlation(precise, rough) > 0.97);
  }
}

TEST_CASE("8-bit random: a sample's outputs are the same bits alone, in company, and at another place") {
  if (!quantised_network::processor_supports())
    return;
  rng random(2, 0);
  for (std::uint64_t round = 0; round < 15; ++round) {
    const auto m = any_model(random);
    CAPTURE(m.text);
    both many(m, 9, round);
    (void)many.precise();
    const auto y = many.rough();
    both one(m, 1, round);
    one.ranges = many.ranges;
    const auto size = one.bytes->input().size();
    for (std::size_t i = 0; i < 9; ++i) {
      std::copy_n(many.bytes->input().begin() + static_cast<std::ptrdiff_t>(i * size), size,
                  one.bytes->input().begin());
      const auto z = one.rough();
      REQUIRE(std::equal(z.begin(), z.end(), y.begin() + static_cast<std::ptrdiff_t>(5 * i)));
    }
    // Samples in reverse order give outputs in reverse order.
    const std::vector<std::uint8_t> in(many.bytes->input().begin(), many.bytes->input().end());
    for (std::size_t i = 0; i < 9; ++i)
      std::copy_n(in.begin() + static_cast<std::ptrdiff_t>((8 - i) * size), size,
                  many.bytes->input().begin() + static_cast<std::ptrdiff_t>(i * size));
    const auto turned = many.rough();
    for (std::size_t i = 0; i < 9; ++i)
      REQUIRE(std::equal(turned.begin() + static_cast<std::ptrdiff_t>(5 * i),
                         turned.begin() + static_cast<std::ptrdiff_t>(5 * i + 5),
                         y.begin() + static_cast<std::ptrdiff_t>(5 * (8 - i))));
  }
}

TEST_CASE(
    "8-bit random: new parameters leave nothing of the old ones, and the old ones give the old outputs") {
  if (!quantised_network::processor_supports())
    return;
  rng random(3, 0);
  for (std::uint64_t round = 0; round < 10; ++round) {
    const auto m = any_model(random);
    CAPTURE(m.text);
    both used(m, 16, round);
    (void)used.precise();
    const auto first = used.rough();
    const auto parameters = used.parameters;
    const auto ranges = used.ranges;
    used.net->parameters().initialise(used.parameters, 1000 + round);
    (void)used.precise();
    CHECK(used.rough() != first);
    used.parameters = parameters;
    used.ranges = ranges;
    CHECK(used.rough() == first);
  }
}

TEST_CASE("8-bit random: loading and inference allocate nothing that stays, and nothing large") {
  if (!quantised_network::processor_supports())
    return;
  rng random(4, 0);
  for (std::uint64_t round = 0; round < 5; ++round) {
    const auto m = any_model(random);
    CAPTURE(m.text);
    both b(m, 32, round);
    (void)b.precise();
    (void)b.rough();
    std::vector<float> norms(32);
    const allocation_count count;
    for (int i = 0; i < 3; ++i) {
      b.bytes->load(b.parameters, {b.scale, b.shift}, b.ranges);
      (void)b.bytes->infer();
      b.bytes->last_input_norms(norms);
    }
    CHECK(count.kept() == 0);
    CHECK(count.largest() <= 4096); // oneDNN's maps of arguments
  }
}

TEST_CASE("8-bit random: rows and values are quantised as the definition says, in double") {
  rng random(5, 0);
  for (int round = 0; round < 300; ++round) {
    const std::size_t rows = 1 + random.below(6);
    const std::size_t columns = 1 + random.below(70);
    std::vector<float> weights(rows * columns);
    for (auto& w : weights)
      w = static_cast<float>(random.normal());
    std::vector<float> scale(columns);
    std::vector<float> offset(columns);
    for (std::size_t c = 0; c < columns; ++c) {
      scale[c] = 0.1F + random.uniform_float();
      offset[c] = static_cast<float>(random.normal());
    }
    quantised_matrix out(rows, columns);
    quantise_rows(weights.data(), scale, offset, out);
    for (std::size_t r = 0; r < rows; ++r) {
      double largest = 0.0;
      for (std::size_t c = 0; c < columns; ++c)
        largest = std::max(largest, std::abs(static_cast<double>(weights[r * columns + c] * scale[c])));
      CHECK(static_cast<double>(out.scale[r]) == doctest::Approx(largest / 127.0).epsilon(1e-5));
      double sum = 0.0;
      int top = 0;
      for (std::size_t c = 0; c < columns; ++c) {
        const double back = static_cast<double>(out.scale[r]) * out.values[r * columns + c];
        // Half a step away at most.
        REQUIRE(std::abs(back - static_cast<double>(weights[r * columns + c] * scale[c])) <=
                0.501 * static_cast<double>(out.scale[r]));
        sum += static_cast<double>(out.values[r * columns + c]) * static_cast<double>(offset[c]);
        top = std::max(top, std::abs(static_cast<int>(out.values[r * columns + c])));
      }
      CHECK(top == 127);
      CHECK(static_cast<double>(out.offset[r]) == doctest::Approx(sum).epsilon(1e-4));
    }
    std::vector<std::uint8_t> bytes(columns);
    const float step = 0.01F + random.uniform_float();
    quantise_values(std::span(weights).first(columns), step, -1.0F, bytes.data());
    for (std::size_t c = 0; c < columns; ++c) {
      const double exact = (static_cast<double>(weights[c]) + 1.0) / static_cast<double>(step);
      REQUIRE(std::abs(static_cast<double>(bytes[c]) - std::clamp(exact, 0.0, 255.0)) <= 0.501);
    }
    std::vector<double> squares(1);
    byte_row_squares(bytes.data(), columns, squares);
    REQUIRE(squares[0] == std::inner_product(bytes.begin(), bytes.end(), bytes.begin(), 0.0));
  }
}
