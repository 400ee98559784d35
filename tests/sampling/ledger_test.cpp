#include "sampling/point_ledger.hpp"

#include <doctest/doctest.h>
#include <limits>

using namespace triage;

TEST_CASE("the ledger counts visits and keeps last, lowest and mean loss; bad losses never enter") {
  point_ledger l(3);
  l.trained(std::vector<std::uint32_t>{0, 2}, std::vector<float>{4.0F, 1.0F});
  l.trained(std::vector<std::uint32_t>{0}, std::vector<float>{2.0F});
  l.trained(std::vector<std::uint32_t>{0}, std::vector<float>{std::numeric_limits<float>::quiet_NaN()});
  l.trained(std::vector<std::uint32_t>{0, 0}, std::vector<float>{3.0F, 3.0F}); // twice in a batch
  l.scored(std::vector<std::uint32_t>{1, 1, 2});
  CHECK(l.times_trained(0) == 4);
  CHECK(l.times_trained(1) == 0);
  CHECK(l.times_scored(1) == 2);
  CHECK(l.mean_loss(0) == 3.0F);
  CHECK(l.last_loss(0) == 3.0F);
  CHECK(l.lowest_loss(0) == 2.0F);
  point_ledger copy(3);
  REQUIRE(copy.load(l.save()).ok());
  CHECK(copy.mean_loss(0) == 3.0F);
  CHECK(copy.times_scored(2) == 1);
  CHECK(!point_ledger(4).load(l.save()).ok());
}
