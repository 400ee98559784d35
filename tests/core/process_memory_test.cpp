#include "core/process_memory.hpp"

#include <doctest/doctest.h>
#include <vector>

using namespace triage;

TEST_CASE("the peak of memory rises with what is touched, and stays") {
  const auto before = peak_memory_bytes();
  REQUIRE(before);
  constexpr std::size_t much = std::size_t{256} << 20U;
  { const std::vector<char> touched(much + *before, 1); }
  const auto after = peak_memory_bytes();
  REQUIRE(after);
  CHECK(*after >= much);
  CHECK(*after >= *before);
}
