#include "apps/forecast/measure_profile.hpp"

#include <doctest/doctest.h>

using namespace triage;

TEST_CASE("forecast: an order has as many samples as were trained for it, and no more than described") {
  CHECK(samples_of_order(64, 64'000, 1000) == 64);
  CHECK(samples_of_order(64, 64'064, 1000) == 64);
  CHECK(samples_of_order(1000, 30'000, 100) == 300); // the training set has no more
  CHECK(samples_of_order(64, 5000, 100) == 50);      // every second batch ends a pass
  CHECK(samples_of_order(1, 0, 0) == 1);
}
