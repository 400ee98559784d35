#include "sampling/predictor.hpp"

#include "sampling/priority_view.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <limits>

using namespace triage;

namespace {

std::unique_ptr<predictor> make(std::string_view name, std::size_t points) {
  auto made = find_entry(predictors(), "predictor", name);
  REQUIRE(made.ok());
  auto p = (*made)->make();
  p->start(points);
  return p;
}

/// Feeds p(v) = value(v) every `period` versions, and returns the largest relative error between the last
/// measurement and the next one.
template <class Value>
double error_after(predictor& p, const Value& value, int renewals, std::uint64_t period) {
  measurement last{value(0), 0};
  last.value = p.measured(0, nullptr, last);
  for (int k = 1; k <= renewals; ++k) {
    const std::uint64_t v = static_cast<std::uint64_t>(k) * period;
    const measurement now{value(v), v};
    last = {p.measured(0, &last, now), v};
  }
  double worst = 0.0;
  for (std::uint64_t d = 0; d < period; ++d) {
    const auto exact = static_cast<double>(value(last.version + d));
    worst =
        std::max(worst, std::abs(static_cast<double>(p.predict(0, last, last.version + d)) / exact - 1.0));
  }
  return worst;
}

} // namespace

TEST_CASE("predictors: an exponential is followed to within a percent after eight renewals") {
  // ALGORITHMS 1.6, test 3.
  const auto falling = [](std::uint64_t v) { return 7.0F * std::exp(-0.004F * static_cast<float>(v)); };
  for (const auto name : {"exp_linear", "exp_quadratic"}) {
    CAPTURE(name);
    auto p = make(name, 1);
    CHECK(error_after(*p, falling, 8, 100) < 0.01);
  }
  auto plain = make("keep", 1);
  CHECK(error_after(*plain, falling, 8, 100) > 0.2); // the control
}

TEST_CASE("predictors: a quadratic exponent is followed better by exp_quadratic") {
  const auto bending = [](std::uint64_t v) {
    const auto x = static_cast<float>(v) / 1000.0F;
    return 3.0F * std::exp(-0.5F * x * x);
  };
  auto straight = make("exp_linear", 1);
  auto bent = make("exp_quadratic", 1);
  const double linear = error_after(*straight, bending, 10, 100);
  const double quadratic = error_after(*bent, bending, 10, 100);
  CHECK(quadratic < 0.01);
  CHECK(quadratic < 0.5 * linear);
}

TEST_CASE("predictors: a constant stays what it is") {
  for (const auto& entry : predictors()) {
    CAPTURE(entry.name);
    auto p = make(entry.name, 1);
    CHECK(error_after(
              *p, [](std::uint64_t) { return 0.3F; }, 8, 50) < 1e-6);
  }
}

TEST_CASE("predictors: zeros, sign changes, jumps and repeated versions never give NaN or infinity") {
  const std::vector<float> values = {0.0F, 1.0F, -1.0F, 1e-38F, 3e38F, 0.0F, -3e38F, 1e-30F, 2.0F, 2.0F};
  for (const auto& entry : predictors()) {
    CAPTURE(entry.name);
    auto p = make(entry.name, 1);
    measurement last{values[0], 5};
    last.value = p->measured(0, nullptr, last);
    for (int round = 0; round < 50; ++round) {
      const auto v = values[static_cast<std::size_t>(round * 7) % values.size()];
      const auto version = last.version + static_cast<std::uint64_t>(round % 3);
      last = {p->measured(0, &last, {v, version}), version};
      for (const std::uint64_t ahead : {0U, 1U, 1000U, 4000000U}) {
        const float predicted = p->predict(0, last, version + ahead);
        CHECK(!std::isnan(predicted));
        CHECK((std::abs(predicted) <= std::abs(last.value) * 2.8F || std::isinf(last.value * 2.8F)));
      }
    }
  }
}

TEST_CASE("predictors: the state is saved and loaded, and one for other data is refused") {
  for (const auto& entry : predictors()) {
    CAPTURE(entry.name);
    auto p = make(entry.name, 3);
    measurement last{1.0F, 0};
    last.value = p->measured(1, nullptr, last);
    for (std::uint64_t v = 10; v < 60; v += 10)
      last = {p->measured(1, &last, {1.0F / static_cast<float>(v), v}), v};
    auto copy = make(entry.name, 3);
    REQUIRE(copy->load(p->save()).ok());
    CHECK(copy->predict(1, last, 77) == p->predict(1, last, 77));
    if (p->extrapolates())
      CHECK(!make(entry.name, 4)->load(p->save()).ok());
  }
}

TEST_CASE(
    "a view of the priorities never predicts above the largest measurement, nor weighs below the floor") {
  priority_table table(3, 1e-3, false, make("exp_linear", 3));
  for (std::uint64_t v = 0; v < 5; ++v) {
    table.record(0, std::exp(0.5F * static_cast<float>(v)), v); // rises
    table.record(1, -1.0F, v);
  }
  const priority_view view(table, 50);
  CHECK(view.rank(0) == table.highest());
  CHECK(view.rank(1) == -1.0F);
  CHECK(view.weight(1) == 1e-3F);
  CHECK(!view.seen(2));
  CHECK(!table.record(0, std::numeric_limits<float>::quiet_NaN(), 60));
  CHECK(table.rejected() == 1);
}
