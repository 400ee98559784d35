#include "core/stall_meter.hpp"

#include <doctest/doctest.h>

using triage::stall_meter;

TEST_CASE("stall meter: calls that come about when they should tell of nothing") {
  stall_meter m(0.25, 1.0);
  CHECK(m.seconds(100.0) == 0.0); // the first one says nothing
  CHECK(m.seconds(100.25) == 0.0);
  CHECK(m.seconds(101.4) == 0.0); // late, within the tolerance
  CHECK(m.seconds(101.4) == 0.0);
}

TEST_CASE("stall meter: a call that comes much too late tells by how much, once") {
  stall_meter m(0.25, 1.0);
  (void)m.seconds(10.0);
  CHECK(m.seconds(17.25) == doctest::Approx(7.0));
  CHECK(m.seconds(17.5) == 0.0);
}
