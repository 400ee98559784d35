#include "nn/augmentation.hpp"

#include "tests/support/allocation_count.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <map>
#include <numeric>
#include <string>
#include <vector>

// Statistics, determinism and cost of augmentations.

using namespace triage;

namespace {

std::unique_ptr<augmentation> augmentation_from(const std::string& text) {
  auto made = make_augmentations(json_text("[" + text + "]"), {"test", ""});
  REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message));
  return std::move(made->front());
}

/// Images whose pixels say where they were: 100 * image + channel * area + position.
std::vector<float> marked(std::size_t images, const sample_shape& shape) {
  std::vector<float> v(images * static_cast<std::size_t>(shape.size()));
  std::iota(v.begin(), v.end(), 0.0F);
  return v;
}

/// Chi square below what five deviations allow.
bool is_even(const std::vector<double>& counts, double expected) {
  double sum = 0.0;
  for (const double c : counts)
    sum += (c - expected) * (c - expected) / expected;
  const auto freedom = static_cast<double>(counts.size() - 1);
  return sum < freedom + 5.0 * std::sqrt(2.0 * freedom);
}

} // namespace

TEST_CASE("augmentation random: a shift is uniform over all moves, and its directions are independent") {
  for (const int pixels : {1, 3}) {
    const auto shift = augmentation_from(R"({"type": "shift", "pixels": )" + std::to_string(pixels) + "}");
    const sample_shape shape{1, 9, 9};
    const std::size_t images = 40000;
    std::vector<float> batch(images * 81);
    for (std::size_t i = 0; i < batch.size(); ++i)
      batch[i] = static_cast<float>(i % 81);
    rng random(1, 0);
    shift->apply(batch, shape, random);
    const auto side = static_cast<std::size_t>(2 * pixels + 1);
    std::vector<double> moves(side * side);
    for (std::size_t n = 0; n < images; ++n) {
      const auto center = static_cast<int>(batch[n * 81 + 40]); // came from row, column
      const int dy = center / 9 - 4 + pixels;
      const int dx = center % 9 - 4 + pixels;
      REQUIRE(dy >= 0);
      REQUIRE(dx >= 0);
      REQUIRE(dy < static_cast<int>(side));
      REQUIRE(dx < static_cast<int>(side));
      ++moves[static_cast<std::size_t>(dy) * side + static_cast<std::size_t>(dx)];
    }
    CHECK(is_even(moves, static_cast<double>(images) / static_cast<double>(moves.size())));
  }
}

TEST_CASE("augmentation random: whether an image is flipped does not depend on the one before") {
  const auto flip = augmentation_from(R"("horizontal_flip")");
  std::vector<float> batch;
  for (int i = 0; i < 40000; ++i)
    batch.insert(batch.end(), {0.0F, 1.0F});
  rng random(2, 0);
  flip->apply(batch, {1, 1, 2}, random);
  std::vector<double> pairs(4);
  for (std::size_t i = 0; i + 3 < batch.size(); i += 4)
    ++pairs[static_cast<std::size_t>(2.0F * batch[i] + batch[i + 2])];
  CHECK(is_even(pairs, 20000.0 / 4.0));
}

TEST_CASE("augmentation random: a probability of 0 never flips and a shift of 0 moves nothing") {
  for (const std::string text :
       {R"({"type": "horizontal_flip", "probability": 0})", R"({"type": "shift", "pixels": 0})"}) {
    const sample_shape shape{3, 5, 4};
    auto batch = marked(50, shape);
    rng random(3, 0);
    augmentation_from(text)->apply(batch, shape, random);
    CHECK(batch == marked(50, shape));
  }
}

TEST_CASE(
    "augmentation random: a batch in parts is the same as a batch in one, for every augmentation and shape") {
  rng shapes(4, 0);
  for (const auto name : names_of(augmentations()))
    for (int round = 0; round < 30; ++round) {
      CAPTURE(name);
      const sample_shape shape{1 + static_cast<std::int64_t>(shapes.below(4)),
                               3 + static_cast<std::int64_t>(shapes.below(7)),
                               3 + static_cast<std::int64_t>(shapes.below(7))};
      const auto one = augmentation_from("\"" + std::string(name) + "\"");
      if (!one->check(shape).ok())
        continue;
      const std::size_t images = 2 + shapes.below(10);
      const std::size_t cut = 1 + shapes.below(images - 1);
      auto whole = marked(images, shape);
      auto parts = whole;
      rng a(5, static_cast<std::uint64_t>(round));
      rng b = a;
      one->apply(whole, shape, a);
      const auto split = cut * static_cast<std::size_t>(shape.size());
      one->apply(std::span(parts).first(split), shape, b);
      one->apply(std::span(parts).subspan(split), shape, b);
      CHECK(whole == parts);
      CHECK(a.state() == b.state());
    }
}

TEST_CASE("augmentation random: an image never sees another one") {
  for (const auto name : names_of(augmentations())) {
    CAPTURE(name);
    const sample_shape shape{2, 6, 6};
    auto batch = marked(200, shape);
    rng random(6, 0);
    augmentation_from("\"" + std::string(name) + "\"")->apply(batch, shape, random);
    for (std::size_t i = 0; i < batch.size(); ++i)
      REQUIRE(static_cast<std::size_t>(batch[i]) / 72 == i / 72);
  }
}

TEST_CASE("augmentation random: nothing is allocated") {
  for (const auto name : names_of(augmentations())) {
    CAPTURE(name);
    const sample_shape shape{3, 32, 32};
    const auto one = augmentation_from("\"" + std::string(name) + "\"");
    auto batch = marked(64, shape);
    rng random(7, 0);
    const allocation_count count;
    one->apply(batch, shape, random);
    CHECK(count.largest() == 0);
  }
}

TEST_CASE("augmentation: what cannot be is refused with the reason and a way out") {
  const auto vectors = augmentation_from(R"("shift")")->check({784, 1, 1});
  REQUIRE_FALSE(vectors.ok());
  CHECK(vectors.error().kind == error_kind::configuration);
  CHECK(vectors.error().message.find("784 features") != std::string::npos);
  CHECK(vectors.error().message.find("\"augmentation\"") != std::string::npos);
  const auto far = augmentation_from(R"({"type": "shift", "pixels": 28})")->check({1, 28, 28});
  REQUIRE_FALSE(far.ok());
  CHECK(far.error().message.find("28 pixels") != std::string::npos);
  CHECK(far.error().message.find("\"pixels\"") != std::string::npos);
  CHECK(augmentation_from(R"({"type": "shift", "pixels": 27})")->check({1, 28, 28}).ok());
  const auto made = make_augmentations(json_text("{}"), {"run.json", "/augmentation"});
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().message ==
        "run.json, line 1, /augmentation: must be an array of augmentations, not an object");
}
