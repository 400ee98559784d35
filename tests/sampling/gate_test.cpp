#include "sampling/gate.hpp"

#include "core/rng.hpp"
#include "sampling/gain_meter.hpp"
#include "sampling/inclusion.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <vector>

using namespace triage;

namespace {

gate make_gate(const char* json) {
  gate g;
  auto document = parse_json(json, "gate");
  REQUIRE(document.ok());
  REQUIRE(read_options(*document, {"gate", ""}, [&](option_visitor& v) { g.visit(v); }).ok());
  return g;
}

} // namespace

TEST_CASE("gate: opens at gain_min, closes a hysteresis below, and says why") {
  auto g = make_gate(R"({"gain_min": 1.2, "hysteresis": 0.1, "new_share": 1, "looks_per_epoch": 1})");
  CHECK(!g.open());
  g.look({0.0, std::nullopt, std::nullopt}); // nothing is known yet
  CHECK(!g.open());
  CHECK(g.take_reason().empty());
  g.look({1.0, 1.19, std::nullopt});
  CHECK(!g.open());
  g.look({2.0, 1.25, std::nullopt});
  CHECK(g.open());
  CHECK(g.take_reason().find("on at epoch 2.00: the scores promise a gain of 1.25") != std::string::npos);
  CHECK(g.take_reason().empty());
  g.look({3.0, 1.15, std::nullopt}); // between the two
  CHECK(g.open());
  g.look({4.0, 1.05, std::nullopt});
  CHECK(!g.open());
  CHECK(g.take_reason().find("off") != std::string::npos);
  CHECK(!g.due(4.5));
  CHECK(g.due(5.0));
}

TEST_CASE("gate: measured speed counts in that mode only") {
  auto by_gain = make_gate(R"({"mode": "gain", "new_share": 1})");
  auto measured = make_gate(R"({"mode": "measured", "new_share": 1})");
  for (auto* g : {&by_gain, &measured})
    g->look({1.0, 1.5, 0.6});
  CHECK(by_gain.open());
  CHECK(!measured.open());
  CHECK(*measured.worth() == doctest::Approx(0.9));
  auto off = make_gate(R"({"mode": "off"})");
  CHECK(off.open());
  CHECK(!off.due(100.0));
}

TEST_CASE("gate: a saved gate goes on as it was") {
  auto g = make_gate(R"({"new_share": 0.3})");
  g.look({1.0, 2.0, 0.9});
  auto copy = make_gate(R"({"new_share": 0.3})");
  REQUIRE(copy.load(g.save()).ok());
  for (double gain : {1.0, 1.1, 0.9}) {
    g.look({2.0, gain, std::nullopt});
    copy.look({2.0, gain, std::nullopt});
    CHECK(g.open() == copy.open());
    CHECK(*g.worth() == *copy.worth());
  }
}

TEST_CASE("gain meter: the measured gain is the plan's, and its interval covers it") {
  constexpr std::size_t n = 20000;
  rng random(4, 4);
  std::vector<double> sizes(n);
  for (auto& s : sizes)
    s = std::exp(1.2 * random.normal());
  inclusion_plan plan;
  plan_inclusion(sizes, sizes, {0.1, 1.0, 0.25, 0.3, 0.0}, plan);
  REQUIRE(plan.gain > 1.5);
  gain_meter meter;
  CHECK(!meter.gain());
  for (int pass = 0; pass < 20; ++pass) {
    std::vector<float> frequencies;
    std::vector<float> weights;
    std::vector<float> measured;
    systematic_sample(plan.probability, random, [&](std::size_t i, std::uint32_t) {
      frequencies.push_back(static_cast<float>(0.7 * plan.probability[i])); // any scale
      weights.push_back(static_cast<float>(3.0 / plan.probability[i]));     // the same
      measured.push_back(static_cast<float>(sizes[i]));
      if (frequencies.size() == 64) {
        meter.add(frequencies, weights, measured);
        frequencies.clear();
        weights.clear();
        measured.clear();
      }
    });
  }
  const auto gain = meter.gain();
  REQUIRE(gain.has_value());
  CHECK(gain->value == doctest::Approx(plan.gain).epsilon(0.1));
  CHECK(gain->low < plan.gain);
  CHECK(gain->high > plan.gain);
  CHECK(gain->high - gain->low < 0.2 * plan.gain);

  gain_meter copy;
  REQUIRE(copy.load(meter.save()).ok());
  CHECK(copy.gain()->value == gain->value);
  CHECK(copy.samples() == meter.samples());
}

TEST_CASE("gain meter: constant sizes and even weights gain nothing") {
  gain_meter meter;
  const std::vector<float> ones(64, 1.0F);
  for (int i = 0; i < 2000; ++i)
    meter.add(ones, ones, ones);
  CHECK(meter.gain()->value == doctest::Approx(1.0));
}

TEST_CASE("tau of Katharopoulos & Fleuret in both forms, and the gain of constant scores") {
  // ALGORITHMS 1.10, test 4.
  rng random(8, 8);
  for (const double spread : {0.0, 0.5, 2.0}) {
    std::vector<double> s(300);
    double sum = 0.0;
    for (auto& v : s)
      sum += v = std::exp(spread * random.normal());
    const auto b = static_cast<double>(s.size());
    double distance = 0.0;
    double squares = 0.0;
    double variance = 0.0;
    for (const double v : s) {
      const double p = v / sum;
      distance += (p - 1.0 / b) * (p - 1.0 / b);
      squares += p * p;
      variance += (v - sum / b) * (v - sum / b) / b;
    }
    const double published = 1.0 / std::sqrt(1.0 - distance / squares);
    const double ours = std::sqrt(1.0 + variance / (sum / b) / (sum / b));
    CHECK(std::abs(published / ours - 1.0) < 1e-12 * std::max(1.0, published * published));
    // As relative frequencies, the gain of sampling in proportion is tau squared.
    std::vector<double> frequency;
    for (const double v : s)
      frequency.push_back(v * b / sum);
    CHECK(gain_of(frequency, s).gain == doctest::Approx(ours * ours).epsilon(1e-12));
    if (spread == 0.0)
      CHECK(ours == doctest::Approx(1.0));
  }
}

TEST_CASE("gate: promises that were not kept count for less, and a saved gate remembers that") {
  auto g = make_gate(R"({"new_share": 1, "looks_per_epoch": 1})");
  g.look({1.0, 2.0, std::nullopt});
  CHECK(g.open());
  (void)g.take_reason();
  g.look({2.0, 2.0, std::nullopt, 1.0}); // half of what was promised was found
  CHECK(*g.worth() == doctest::Approx(1.0));
  CHECK_FALSE(g.open());
  CHECK(g.take_reason().find(
            "promise a gain of 2.00, of which 0.50 was found in what they chose, together 1.00 "
            "(below 1.10)") != std::string::npos);
  auto copy = make_gate(R"({"new_share": 1, "looks_per_epoch": 1})");
  REQUIRE(copy.load(g.save()).ok());
  for (auto* one : {&g, &copy}) {
    one->look({3.0, 2.6, std::nullopt});
    CHECK(*one->worth() == doctest::Approx(2.6 * 0.51)); // a little of what was found is forgotten
    CHECK(one->open());
  }
}
