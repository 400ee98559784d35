#include "core/large_allocator.hpp"

#include <cstdint>
#include <doctest/doctest.h>

using namespace triage;

TEST_CASE("large arrays begin on a large page, and vectors of any size work") {
  large_vector<std::uint32_t> values;
  for (std::uint32_t i = 0; i < large_array / 2; ++i) // small at first, large in the end
    values.push_back(i);
  CHECK(reinterpret_cast<std::uintptr_t>(values.data()) % large_page == 0);
  bool same = true;
  for (std::uint32_t i = 0; i < values.size(); ++i)
    same = same && values[i] == i;
  CHECK(same);
  values.resize(10);
  values.shrink_to_fit();
  CHECK(values.back() == 9);
}
