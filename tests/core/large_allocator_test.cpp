#include "core/large_allocator.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

using namespace triage;

namespace {

/// How many bytes of whole pages within this memory are there.
std::size_t resident(const void* begin, std::size_t bytes) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t from = (reinterpret_cast<std::uintptr_t>(begin) + page - 1) / page * page;
  const std::uintptr_t to = (reinterpret_cast<std::uintptr_t>(begin) + bytes) / page * page;
  std::vector<unsigned char> pages((to - from) / page);
  REQUIRE(::mincore(reinterpret_cast<void*>(from), to - from, pages.data()) == 0);
  return page * static_cast<std::size_t>(
                    std::count_if(pages.begin(), pages.end(), [](auto p) { return (p & 1U) != 0; }));
}

} // namespace

TEST_CASE("what an array has spare is given back, and what it holds stays") {
  constexpr std::size_t all = 3'000'001;
  constexpr std::size_t kept = 1'234'567;
  std::vector<std::uint8_t> values(all, 7);
  CHECK(resident(values.data(), all) > all - 8192);
  values.resize(kept);
  give_back_pages(values.data() + kept, values.data() + all);
  CHECK(resident(values.data(), all) < kept + 8192);
  CHECK(std::count(values.begin(), values.end(), 7) == kept);
  give_back_pages(values.data() + kept, values.data() + kept); // nothing is not too little
  values.resize(all, 9);
  CHECK(std::count(values.begin(), values.end(), 9) == all - kept);
}

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

TEST_CASE("large arrays: small ones have the alignment of what they hold, too") {
  struct alignas(64) line {
    std::array<std::uint8_t, 64> bytes;
  };
  std::vector<large_vector<line>> all; // one alone may lie well by chance
  for (std::size_t n = 1; n < 40; ++n) {
    all.emplace_back(n);
    CHECK(reinterpret_cast<std::uintptr_t>(all.back().data()) % alignof(line) == 0);
  }
}
