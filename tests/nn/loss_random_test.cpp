#include "nn/loss.hpp"

#include "core/rng.hpp"
#include "tests/support/allocation_count.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>
#include <string>
#include <vector>

// Losses over random outputs of every size against the formulas in long double; predictions and accuracy.

using namespace triage;

namespace {

std::unique_ptr<loss_function> loss_from(const json_value& d) {
  auto made = make_loss(d, {"test", ""});
  REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message));
  return made.take();
}

std::vector<long double> softmax(std::span<const float> row) {
  const auto top = static_cast<long double>(*std::max_element(row.begin(), row.end()));
  std::vector<long double> p;
  for (const float z : row)
    p.push_back(std::exp(static_cast<long double>(z) - top));
  const auto sum = std::accumulate(p.begin(), p.end(), 0.0L);
  for (auto& x : p)
    x /= sum;
  return p;
}

std::vector<float> random_outputs(rng& random, std::size_t n) {
  const double scale = std::pow(10.0, 3.0 * random.uniform() - 1.0);
  std::vector<float> z(n);
  for (auto& v : z)
    v = static_cast<float>(scale * random.normal());
  return z;
}

bool near(float ours, long double theirs, long double relative, long double absolute) {
  return std::abs(static_cast<long double>(ours) - theirs) <= relative * std::abs(theirs) + absolute;
}

} // namespace

TEST_CASE(
    "loss random: softmax cross entropy with any smoothing equals sum of -t log p, and p - t its gradient") {
  rng random(1, 0);
  for (int round = 0; round < 2000; ++round) {
    const std::size_t width = 2 + random.below(60);
    const double smoothing = random.below(2) == 0 ? 0.0 : random.uniform();
    const auto f = loss_from(json_value(json_value::object{{"type", json_value("softmax_cross_entropy")},
                                                           {"label_smoothing", json_value(smoothing)}}));
    const auto z = random_outputs(random, width);
    const std::vector<std::int32_t> label = {static_cast<std::int32_t>(random.below(width))};
    std::vector<float> loss(1);
    std::vector<float> gradient(width);
    f->evaluate(z, static_cast<std::int64_t>(width), {label, {}}, loss, gradient);
    const auto p = softmax(z);
    const auto top = static_cast<long double>(*std::max_element(z.begin(), z.end()));
    long double sum = 0.0L;
    for (const float v : z)
      sum += std::exp(static_cast<long double>(v) - top);
    const long double log_sum = top + std::log(sum);
    long double expected = 0.0L;
    long double magnitude = 0.0L; // of the terms, which bounds the rounding
    for (std::size_t j = 0; j < width; ++j) {
      const long double t = (1.0L - smoothing) * (j == static_cast<std::size_t>(label[0]) ? 1.0L : 0.0L) +
                            smoothing / static_cast<long double>(width);
      expected += t * (log_sum - static_cast<long double>(z[j]));
      magnitude += t * std::abs(static_cast<long double>(z[j]));
      REQUIRE(near(gradient[j], p[j] - t, 1e-5L, 1e-6L));
    }
    REQUIRE(near(loss[0], expected, 1e-5L, 1e-6L + 1e-7L * magnitude));
    // Shifting all outputs changes nothing: the gradient sums to zero.
    REQUIRE(std::abs(std::accumulate(gradient.begin(), gradient.end(), 0.0)) < 1e-4);
  }
}

TEST_CASE("loss random: mean squared error and binary cross entropy equal their formulas") {
  rng random(2, 0);
  const auto square = loss_from(json_value("mean_squared_error"));
  const auto binary = loss_from(json_value("binary_cross_entropy"));
  for (int round = 0; round < 2000; ++round) {
    const std::size_t width = 1 + random.below(9);
    const auto z = random_outputs(random, width);
    std::vector<float> targets(width);
    for (auto& t : targets)
      t = random.below(3) == 0 ? static_cast<float>(random.below(2)) : random.uniform_float();
    std::vector<float> loss(1);
    std::vector<float> gradient(width);
    const auto w = static_cast<long double>(width);
    long double squares = 0.0L;
    long double entropies = 0.0L;
    for (std::size_t j = 0; j < width; ++j) {
      const auto x = static_cast<long double>(z[j]);
      const auto t = static_cast<long double>(targets[j]);
      squares += (x - t) * (x - t) / w;
      const auto softplus = [](long double v) {
        return std::max(v, 0.0L) + std::log1p(std::exp(-std::abs(v)));
      };
      entropies += (t * softplus(-x) + (1.0L - t) * softplus(x)) / w;
    }
    square->evaluate(z, static_cast<std::int64_t>(width), {{}, targets}, loss, gradient);
    REQUIRE(near(loss[0], squares, 1e-5L, 1e-10L));
    for (std::size_t j = 0; j < width; ++j)
      REQUIRE(near(gradient[j],
                   2.0L * (static_cast<long double>(z[j]) - static_cast<long double>(targets[j])) / w, 1e-5L,
                   1e-6L));
    binary->evaluate(z, static_cast<std::int64_t>(width), {{}, targets}, loss, gradient);
    REQUIRE(near(loss[0], entropies, 1e-5L, 1e-30L));
    for (std::size_t j = 0; j < width; ++j) {
      const long double yes = 1.0L / (1.0L + std::exp(-static_cast<long double>(z[j])));
      REQUIRE(near(gradient[j], (yes - static_cast<long double>(targets[j])) / w, 1e-5L, 1e-7L));
    }
  }
}

TEST_CASE("loss random: tiny losses keep their order down to the smallest floats") {
  // Priorities are made of that order: points that are learned must not all look the same.
  const auto f = loss_from(json_value("softmax_cross_entropy"));
  const std::vector<std::int32_t> label = {1};
  float before = std::numeric_limits<float>::infinity();
  for (float margin = 0.0F; margin < 85.0F; margin += 0.5F) {
    const std::vector<float> z = {0.0F, margin, -3.0F};
    std::vector<float> loss(1);
    f->evaluate(z, 3, {label, {}}, loss, {});
    CHECK(loss[0] < before);
    CHECK(loss[0] > 0.0F);
    before = loss[0];
  }
}

TEST_CASE(
    "loss random: predictions are probabilities in the order of the outputs, or the values themselves") {
  rng random(3, 0);
  for (int round = 0; round < 500; ++round) {
    const std::size_t width = 2 + random.below(40);
    const std::size_t rows = 1 + random.below(4);
    const auto z = random_outputs(random, width * rows);
    auto p = z;
    loss_from(json_value("softmax_cross_entropy"))->to_prediction(p, static_cast<std::int64_t>(width));
    for (std::size_t r = 0; r < rows; ++r) {
      const auto expected = softmax(std::span(z).subspan(r * width, width));
      double sum = 0.0;
      for (std::size_t j = 0; j < width; ++j) {
        REQUIRE(near(p[r * width + j], expected[j], 1e-4L, 1e-7L));
        sum += static_cast<double>(p[r * width + j]);
      }
      REQUIRE(sum == doctest::Approx(1.0).epsilon(1e-5));
    }
    auto b = z;
    loss_from(json_value("binary_cross_entropy"))->to_prediction(b, static_cast<std::int64_t>(width));
    for (std::size_t i = 0; i < z.size(); ++i)
      REQUIRE(near(b[i], 1.0L / (1.0L + std::exp(-static_cast<long double>(z[i]))), 1e-5L, 1e-30L));
    auto same = z;
    loss_from(json_value("mean_squared_error"))->to_prediction(same, static_cast<std::int64_t>(width));
    REQUIRE(same == z);
  }
}

TEST_CASE("loss random: right is who has the largest output, and of equal ones the first") {
  rng random(4, 0);
  const auto f = loss_from(json_value("softmax_cross_entropy"));
  for (int round = 0; round < 3000; ++round) {
    const std::size_t width = 2 + random.below(5);
    std::vector<float> z(width);
    for (auto& v : z)
      v = static_cast<float>(random.below(3));                            // ties are frequent
    const auto winner = std::max_element(z.begin(), z.end()) - z.begin(); // the first of equal ones
    int right = 0;
    for (std::int32_t l = 0; l < static_cast<std::int32_t>(width); ++l) {
      const std::vector<std::int32_t> label = {l};
      const bool is = f->is_correct(z, {label, {}}, 0);
      REQUIRE(is == (l == winner));
      right += is ? 1 : 0;
    }
    REQUIRE(right == 1);
  }
}

TEST_CASE("loss random: the width a loss wants is one that it accepts, and the message names a way out") {
  for (const auto name : names_of(loss_functions())) {
    CAPTURE(name);
    const auto f = loss_from(json_value(name));
    for (const std::int64_t classes : {0, 2, 3, 10})
      for (const std::int64_t outputs : {1, 4}) {
        const auto target_outputs = classes == 0 ? outputs : 0;
        const auto width = f->output_width(classes, target_outputs);
        const auto fits = f->check(classes, target_outputs, width);
        if (fits.ok())
          continue;
        // Not for such targets at all: another loss is named, and that one accepts them.
        const auto& message = fits.error().message;
        CAPTURE(message);
        bool helped = false;
        for (const auto other : names_of(loss_functions()))
          if (other != name && message.find("\"" + std::string(other) + "\"") != std::string::npos) {
            const auto g = loss_from(json_value(other));
            helped = g->check(classes, target_outputs, g->output_width(classes, target_outputs)).ok();
          }
        CHECK(helped);
      }
  }
}

TEST_CASE("loss random: evaluation allocates nothing") {
  for (const auto name : names_of(loss_functions())) {
    const auto f = loss_from(json_value(name));
    const std::int64_t width = name == "binary_cross_entropy" ? 1 : 10;
    std::vector<float> z(static_cast<std::size_t>(64 * width), 0.5F);
    std::vector<float> gradient(z.size());
    std::vector<float> loss(64);
    const std::vector<std::int32_t> labels(64, 1);
    const std::vector<float> values(z.size(), 0.5F);
    const bool numbers = name == "mean_squared_error";
    const batch_targets targets{numbers ? std::span<const std::int32_t>{} : labels,
                                numbers ? std::span<const float>(values) : std::span<const float>{}};
    const allocation_count count;
    f->evaluate(z, width, targets, loss, gradient);
    f->evaluate(z, width, targets, loss, {});
    f->to_prediction(z, width);
    CHECK(count.largest() == 0);
  }
}
