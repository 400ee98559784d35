#include "sampling/predictor.hpp"

#include "source_support.hpp"

#include <cmath>

using namespace triage;
using namespace triage::test;

namespace {

std::unique_ptr<predictor> predictor_of(std::string_view description, std::size_t points = 1) {
  auto made = make_predictor(json_text(description), {"run.json", "/sampling/predictor"});
  REQUIRE(made.ok());
  auto p = made.take();
  p->start(points);
  return p;
}

} // namespace

TEST_CASE("predictors: exp_linear smooths its rates as stated, and stops at a rise of e and a fall of e^-5") {
  auto p = predictor_of(R"({"type": "exp_linear", "smoothing": 0.8})");
  measurement last{8.0F, 0};
  last.value = p->measured(0, nullptr, last);
  double rate = 0.0;
  for (const auto& [value, version] : {std::pair{4.0F, 10}, std::pair{1.0F, 30}, std::pair{2.0F, 35}}) {
    const measurement now{value, static_cast<std::uint64_t>(version)};
    const double fresh = std::log(static_cast<double>(value) / static_cast<double>(last.value)) /
                         static_cast<double>(now.version - last.version);
    rate = 0.8 * fresh + 0.2 * rate;
    last = {p->measured(0, &last, now), now.version};
    CHECK(p->predict(0, last, now.version + 3) ==
          doctest::Approx(static_cast<double>(value) * std::exp(3.0 * rate)));
  }
  REQUIRE(rate > 0.0);
  CHECK(p->predict(0, last, 1'000'000) == doctest::Approx(2.0 * std::exp(1.0)));
  auto falling = predictor_of(R"({"type": "exp_linear", "smoothing": 1})");
  measurement first{1.0F, 0};
  (void)falling->measured(0, nullptr, first);
  const measurement second{falling->measured(0, &first, {0.5F, 1}), 1};
  CHECK(falling->predict(0, second, 1'000'000) == doctest::Approx(0.5 * std::exp(-5.0)));
  // A second measurement at one version replaces the value and says nothing about the rate.
  const measurement again{falling->measured(0, &second, {0.25F, 1}), 1};
  CHECK(again.value == 0.25F);
  CHECK(falling->predict(0, again, 2) == doctest::Approx(0.125));
}

TEST_CASE("predictors: ema is the weighted mean of old and new, keep the last; neither moves by itself") {
  auto e = predictor_of(R"({"type": "ema", "new_share": 0.25})");
  CHECK(e->measured(0, nullptr, {8.0F, 1}) == 8.0F);
  const measurement before{8.0F, 1};
  CHECK(e->measured(0, &before, {4.0F, 9}) == 7.0F);
  CHECK(e->predict(0, {7.0F, 9}, 1000) == 7.0F);
  auto k = predictor_of(R"("keep")");
  CHECK(k->measured(0, &before, {4.0F, 9}) == 4.0F);
  CHECK(k->predict(0, {4.0F, 9}, 1000) == 4.0F);
  CHECK(!e->extrapolates());
  CHECK(!k->extrapolates());
}

TEST_CASE("predictors: points do not disturb one another") {
  for (const auto& entry : predictors()) {
    CAPTURE(entry.name);
    const std::string description = "\"" + std::string(entry.name) + "\"";
    auto alone = predictor_of(description, 3);
    auto among = predictor_of(description, 3);
    measurement one{1.0F, 0};
    measurement other{5.0F, 0};
    one.value = alone->measured(1, nullptr, one);
    (void)among->measured(1, nullptr, one);
    other.value = among->measured(2, nullptr, other);
    for (std::uint64_t v = 5; v < 60; v += 5) {
      const measurement now{1.0F / static_cast<float>(v), v};
      const measurement loud{static_cast<float>(v * v), v};
      const float a = alone->measured(1, &one, now);
      const float b = among->measured(1, &one, now);
      REQUIRE(a == b);
      one = {a, v};
      other = {among->measured(2, &other, loud), v};
      REQUIRE(alone->predict(1, one, v + 7) == among->predict(1, one, v + 7));
    }
  }
}
