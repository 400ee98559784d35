#include "core/adaptive_deadline.hpp"

#include <doctest/doctest.h>

using triage::adaptive_deadline;

TEST_CASE("adaptive deadline: generous before anything was measured") {
  const adaptive_deadline d({.shortest = 2.0, .longest = 30.0, .medians = 4.0, .unmeasured = 5.0});
  CHECK(d.seconds() == 10.0);
  CHECK_FALSE(d.measured());
}

TEST_CASE("adaptive deadline: follows the median and the spread, within its bounds") {
  adaptive_deadline d({.shortest = 1.0, .longest = 30.0, .medians = 4.0});
  for (int i = 0; i < 20; ++i)
    d.add(0.1);
  CHECK(d.seconds() == 1.0);
  for (int i = 0; i < 64; ++i)
    d.add(2.0);
  CHECK(d.median() == 2.0);
  CHECK(d.seconds() == 8.0);
  for (int i = 0; i < 64; ++i)
    d.add(i % 2 == 0 ? 1.0 : 3.0);
  CHECK(d.seconds() == doctest::Approx(19.0).epsilon(0.2)); // a median of 1 or 3, and a spread of 2
  for (int i = 0; i < 64; ++i)
    d.add(100.0);
  CHECK(d.seconds() == 30.0);
}

TEST_CASE("adaptive deadline: one straggler does not move it") {
  adaptive_deadline d({.shortest = 0.1, .longest = 30.0, .medians = 3.0});
  for (int i = 0; i < 63; ++i)
    d.add(0.2);
  d.add(25.0);
  CHECK(d.seconds() == doctest::Approx(0.6));
}

TEST_CASE("adaptive deadline: what never came in time gets twice as long, until something was measured") {
  adaptive_deadline d({.shortest = 2.0, .longest = 30.0, .medians = 4.0, .unmeasured = 5.0});
  d.extend();
  CHECK(d.seconds() == 20.0);
  d.extend();
  CHECK(d.seconds() == 30.0); // not beyond the longest
  d.add(1.0);
  CHECK(d.seconds() == 4.0);
  d.extend(); // now it goes by what is measured
  CHECK(d.seconds() == 4.0);
}
