#include "actors/net/lateness.hpp"

#include <doctest/doctest.h>

using triage::lateness;

TEST_CASE("lateness: the first time is free, then a node is kept out for longer each time, within a bound") {
  lateness l;
  double now = 1000.0;
  CHECK(l.again(now) == 0.0);
  CHECK(l.seconds_left(now) == 0.0);
  for (const double pause : {10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0, 600.0}) {
    CAPTURE(pause);
    now += 60.0;
    CHECK(l.again(now) == pause);
    CHECK(l.seconds_left(now + 0.5 * pause) == doctest::Approx(0.5 * pause));
    CHECK(l.seconds_left(now + pause) == 0.0);
  }
  CHECK(l.times() == 9);
}

TEST_CASE("lateness: a long time without is forgiven") {
  lateness l;
  (void)l.again(0.0);
  (void)l.again(100.0);
  CHECK(l.again(1100.0) == 0.0);
  CHECK(l.times() == 1);
}

TEST_CASE("lateness: several members of a node at one moment are one time") {
  lateness l;
  CHECK(l.again(10.0) == 0.0);
  CHECK(l.again(10.0) == 0.0);
  CHECK(l.seconds_left(10.0) == 0.0);
  CHECK(l.again(100.0) == 10.0);
  CHECK(l.again(100.1) == 0.0);
  CHECK(l.seconds_left(100.1) == doctest::Approx(9.9));
}
