#include "core/blob.hpp"

#include <algorithm>
#include <cstdint>
#include <doctest/doctest.h>
#include <thread>

using namespace triage;

TEST_CASE("a blob copies share one block and outlive each other") {
  const std::vector<float> values = {1.0F, -2.0F, 3.5F};
  blob a = blob::copy_of(values);
  const blob b = a;
  a = blob();
  CHECK(a.empty());
  CHECK(b.size() == 3);
  CHECK(b.view()[2] == 3.5F);
  CHECK(reinterpret_cast<std::uintptr_t>(b.data()) % 64 == 0);
}

TEST_CASE("an empty blob is harmless") {
  const blob none;
  CHECK(none.view().empty());
  const blob zero = blob::copy_of({});
  CHECK(zero.empty());
  CHECK(zero.data() != nullptr);
}

TEST_CASE("a pool reuses a block as soon as nobody else holds it, and not before") {
  blob_pool pool(16);
  blob held = pool.acquire().freeze();
  const float* first = held.data();
  mutable_blob second = pool.acquire();
  CHECK(second.values().data() != first);
  held = blob();
  const blob third = pool.acquire().freeze();
  CHECK(third.data() == first);
  CHECK(pool.blocks() == 2);
}

TEST_CASE("a pool's blocks may be released on other threads") {
  blob_pool pool(1024);
  for (int round = 0; round < 200; ++round) {
    mutable_blob m = pool.acquire();
    std::fill(m.values().begin(), m.values().end(), static_cast<float>(round));
    std::thread reader([b = std::move(m).freeze(), round] {
      for (const float x : b.view())
        REQUIRE(x == static_cast<float>(round));
    });
    if (round % 2 == 0)
      reader.join();
    else {
      (void)pool.acquire();
      reader.join();
    }
  }
  CHECK(pool.blocks() <= 3);
}

TEST_CASE("a pool takes a block back from its last reader, and from nobody else") {
  blob_pool pool(8);
  blob last = pool.acquire().freeze();
  const float* const where = last.data();
  blob reader = last;
  CHECK(pool.reclaim(last).size() == 0);
  CHECK(last.data() == where);
  reader = blob();
  mutable_blob again = pool.reclaim(last);
  CHECK(last.empty());
  REQUIRE(again.size() == 8);
  CHECK(again.values().data() == where);
  CHECK(pool.acquire().values().data() != where); // it is in use
  CHECK(pool.blocks() == 2);
  blob nothing;
  CHECK(pool.reclaim(nothing).size() == 0);
}

TEST_CASE("an early look sees what is written later") {
  mutable_blob writing(4);
  const blob look = writing.early_look();
  writing.values()[2] = 3.0F;
  CHECK(look.view()[2] == 3.0F);
  CHECK(std::move(writing).freeze().data() == look.data());
}

TEST_CASE("blocks of every size are zero and aligned, also on huge pages") {
  for (const std::size_t floats : {std::size_t{0}, std::size_t{1}, std::size_t{17}, std::size_t{524287},
                                   std::size_t{524288}, std::size_t{1200000}}) {
    mutable_blob block(floats);
    CHECK(reinterpret_cast<std::uintptr_t>(block.view().data()) % 64 == 0);
    CHECK(std::all_of(block.view().begin(), block.view().end(), [](float x) { return x == 0.0F; }));
    std::fill(block.values().begin(), block.values().end(), 1.0F);
  }
}
