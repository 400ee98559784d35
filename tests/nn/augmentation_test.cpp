#include "nn/augmentation.hpp"

#include "tests/support/json_text.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <numeric>
#include <set>
#include <vector>

using namespace triage;

namespace {

std::vector<std::unique_ptr<augmentation>> augmentations_from(std::string_view text) {
  auto made = make_augmentations(json_text(text), {"test.json", "/augmentation"});
  REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message));
  return made.take();
}

std::vector<float> counting(std::size_t n) {
  std::vector<float> v(n);
  std::iota(v.begin(), v.end(), 1.0F);
  return v;
}

} // namespace

TEST_CASE("every augmentation only moves pixels about within their plane, and a seed repeats it") {
  const sample_shape shape{3, 7, 9};
  constexpr std::size_t images = 20;
  for (const auto name : names_of(augmentations())) {
    CAPTURE(name);
    const auto made = make_augmentations(json_value(json_value::array{json_value(name)}), {"test.json", ""});
    REQUIRE(made.ok());
    const auto& a = *made->front();
    REQUIRE(a.check(shape).ok());
    CHECK_FALSE(a.check({784, 1, 1}).ok());

    const auto before = counting(images * 3 * 63);
    std::vector<float> after = before;
    std::vector<float> again = before;
    std::vector<float> other = before;
    rng r1(5, 0);
    rng r2(5, 0);
    rng r3(6, 0);
    made->front()->apply(after, shape, r1);
    made->front()->apply(again, shape, r2);
    made->front()->apply(other, shape, r3);
    CHECK(after == again);
    CHECK(after != other);
    CHECK(after != before);
    for (std::size_t plane = 0; plane < images * 3; ++plane) {
      const auto begin = static_cast<std::ptrdiff_t>(plane * 63);
      const std::set<float> source(before.begin() + begin, before.begin() + begin + 63);
      for (std::ptrdiff_t k = begin; k < begin + 63; ++k)
        CHECK(source.contains(after[static_cast<std::size_t>(k)]));
      // Channels of an image move together: corresponding pixels differ by as much as before.
      if (plane % 3 != 0)
        for (std::ptrdiff_t k = begin; k < begin + 63; ++k)
          CHECK(after[static_cast<std::size_t>(k)] - after[static_cast<std::size_t>(k - 63)] == 63.0F);
    }
    std::vector<float> none;
    made->front()->apply(none, shape, r1);
  }
}

TEST_CASE("a flip mirrors rows, and with probability 1 twice is the identity") {
  const auto flip = augmentations_from(R"([{"type": "horizontal_flip", "probability": 1}])");
  const sample_shape shape{1, 2, 3};
  auto image = counting(6);
  rng random(1, 0);
  flip[0]->apply(image, shape, random);
  CHECK(image == std::vector<float>{3, 2, 1, 6, 5, 4});
  flip[0]->apply(image, shape, random);
  CHECK(image == counting(6));
}

TEST_CASE("flips happen as often as asked") {
  const auto flip = augmentations_from(R"([{"type": "horizontal_flip", "probability": 0.25}])");
  std::vector<float> images;
  for (int i = 0; i < 4000; ++i)
    images.insert(images.end(), {0.0F, 1.0F});
  rng random(2, 0);
  flip[0]->apply(images, {1, 1, 2}, random);
  int flipped = 0;
  for (std::size_t i = 0; i < images.size(); i += 2)
    flipped += images[i] > 0.5F ? 1 : 0;
  CHECK(std::abs(flipped - 1000) < 110); // four standard deviations
}

TEST_CASE("a shift equals its definition for every direction it draws, with both paddings") {
  const sample_shape shape{1, 4, 5};
  const auto original = counting(20);
  for (const bool zero : {false, true}) {
    const auto shift = augmentations_from(zero ? R"([{"type": "shift", "pixels": 2, "padding": "zero"}])"
                                               : R"([{"type": "shift", "pixels": 2}])");
    rng random(3, 0);
    std::set<std::pair<int, int>> seen;
    for (int trial = 0; trial < 400; ++trial) {
      auto image = original;
      shift[0]->apply(image, shape, random);
      int matches = 0;
      for (int dy = -2; dy <= 2; ++dy)
        for (int dx = -2; dx <= 2; ++dx) {
          std::vector<float> expected(20);
          for (int y = 0; y < 4; ++y)
            for (int x = 0; x < 5; ++x) {
              const bool inside = y + dy >= 0 && y + dy < 4 && x + dx >= 0 && x + dx < 5;
              const int from = std::clamp(y + dy, 0, 3) * 5 + std::clamp(x + dx, 0, 4);
              expected[static_cast<std::size_t>(y * 5 + x)] =
                  zero && !inside ? 0.0F : original[static_cast<std::size_t>(from)];
            }
          if (expected == image) {
            ++matches;
            seen.insert({dy, dx});
          }
        }
      CHECK(matches == 1);
    }
    CHECK(seen.size() == 25);
  }
}

TEST_CASE("bad augmentations are refused with their place, impossible ones for the shape") {
  const auto made =
      make_augmentations(json_text(R"(["shift", {"type": "rotate"}])"), {"run.json", "/augmentation"});
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().message.find("/augmentation/1") != std::string::npos);
  CHECK_FALSE(make_augmentations(json_text(R"("shift")"), {"run.json", "/augmentation"}).ok());
  CHECK_FALSE(augmentations_from(R"([{"type": "shift", "pixels": 4}])")[0]->check({1, 4, 5}).ok());
  CHECK(augmentations_from("[]").empty());
  CHECK(augmentations_from("null").empty());
}
