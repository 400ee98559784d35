#include "sampling/gate.hpp"

#include "source_support.hpp"

using namespace triage;
using namespace triage::test;

namespace {

gate gate_of(std::string_view text) {
  gate g;
  const auto read =
      read_options(json_text(text), {"run.json", "/sampling/gate"}, [&](option_visitor& v) { g.visit(v); });
  REQUIRE(read.ok());
  return g;
}

} // namespace

TEST_CASE("gate: over random evidence it is open from gain_min on and closed below gain_min - hysteresis, "
          "and never "
          "changes in between") {
  auto g = gate_of(R"({"mode": "gain", "gain_min": 1.3, "hysteresis": 0.2, "new_share": 0.4})");
  rng random(2, 2);
  std::optional<double> average;
  bool open = false;
  int changes = 0;
  for (int i = 0; i < 3000; ++i) {
    const double gain = 1.0 + 0.6 * random.uniform();
    average = average ? *average + 0.4 * (gain - *average) : gain;
    const bool was = open;
    open = *average >= (open ? 1.3 - 0.2 : 1.3);
    changes += open != was ? 1 : 0;
    g.look({static_cast<double>(i), gain, 0.1}); // speed does not count in this mode
    REQUIRE(g.open() == open);
    REQUIRE(*g.worth() == doctest::Approx(*average));
    REQUIRE(g.take_reason().empty() == (open == was));
  }
  CHECK(changes > 10);
}

TEST_CASE(
    "gate: a measured gate multiplies with the averaged speed, and takes an unknown speed for an even one") {
  auto g = gate_of(R"({"mode": "measured", "gain_min": 1.2, "hysteresis": 0, "new_share": 0.5})");
  CHECK(g.uses_speed());
  g.look({0.0, 1.5, std::nullopt});
  CHECK(g.open());
  CHECK(*g.worth() == 1.5);
  g.look({1.0, std::nullopt, 0.5});
  CHECK(*g.worth() == doctest::Approx(0.75));
  CHECK(!g.open());
  const auto reason = g.take_reason();
  CHECK(reason.find("off") != std::string::npos);
  CHECK(reason.find("0.50 of the uniform speed") != std::string::npos);
  CHECK(reason.find("together 0.75") != std::string::npos);
  g.look({2.0, std::nullopt, 1.1}); // 0.5 + 0.5 * 0.6
  CHECK(*g.worth() == doctest::Approx(1.5 * 0.8));
  CHECK(g.open());
}

TEST_CASE("gate: looks are due as often as the option says, and a gate that is off never looks") {
  auto g = gate_of(R"({"mode": "gain", "looks_per_epoch": 4})");
  CHECK(g.due(0.0));
  g.look({0.1, 1.0, std::nullopt});
  CHECK(!g.due(0.34));
  CHECK(g.due(0.35));
  auto off = gate_of(R"({"mode": "gain"})");
  off.disable();
  CHECK(!off.enabled());
  CHECK(off.open());
  CHECK(!off.due(1e9));
}

TEST_CASE("gate: a state of another shape is refused") {
  auto g = gate_of("{}");
  saved_state state;
  CHECK(!g.load(state).ok());
  state.put("figures", std::vector<double>{1.0});
  CHECK(!g.load(state).ok());
}
