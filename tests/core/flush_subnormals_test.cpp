#include "core/flush_subnormals.hpp"

#include <doctest/doctest.h>
#include <limits>

using namespace triage;

TEST_CASE("subnormal numbers are zero while asked for, and only then") {
  const volatile float smallest = std::numeric_limits<float>::min();
  const volatile float half = 0.5F;
  const auto subnormal = [&] { return smallest * half; };
  REQUIRE(subnormal() > 0.0F);
  {
    const flush_subnormals outer;
    CHECK(subnormal() == 0.0F);
    { const flush_subnormals inner; }
    CHECK(subnormal() == 0.0F);
  }
  CHECK(subnormal() > 0.0F);
}
