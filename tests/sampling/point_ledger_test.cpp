#include "sampling/point_ledger.hpp"

#include "source_support.hpp"

#include <algorithm>
#include <limits>

using namespace triage;
using namespace triage::test;

TEST_CASE("point ledger: over random batches it is what counting says") {
  constexpr std::size_t points = 40;
  point_ledger ledger(points);
  std::vector<std::vector<double>> losses(points);
  std::vector<std::uint32_t> scored(points, 0);
  rng random(4, 4);
  for (int i = 0; i < 60; ++i) { // about twelve visits a point: the first of them matters too
    std::vector<std::uint32_t> ids;
    std::vector<float> batch;
    for (int k = 0; k < 8; ++k) {
      ids.push_back(static_cast<std::uint32_t>(random.below(points)));
      const bool bad = random.below(15) == 0;
      batch.push_back(bad ? std::numeric_limits<float>::infinity() : random.uniform_float());
      if (!bad)
        losses[ids.back()].push_back(static_cast<double>(batch.back()));
    }
    ledger.trained(ids, batch);
    ledger.scored(ids);
    for (const auto id : ids)
      ++scored[id];
  }
  for (std::size_t id = 0; id < points; ++id) {
    const auto& l = losses[id];
    REQUIRE(!l.empty());
    CHECK(ledger.times_trained(id) == l.size());
    CHECK(ledger.times_scored(id) == scored[id]);
    CHECK(static_cast<double>(ledger.last_loss(id)) == l.back());
    CHECK(static_cast<double>(ledger.lowest_loss(id)) == *std::min_element(l.begin(), l.end()));
    CHECK(static_cast<double>(ledger.mean_loss(id)) ==
          doctest::Approx(std::accumulate(l.begin(), l.end(), 0.0) / static_cast<double>(l.size()))
              .epsilon(1e-4));
  }
}

TEST_CASE("point ledger: losses that are missing do not count; a state of other data says both sizes") {
  point_ledger ledger(3);
  ledger.trained(std::vector<std::uint32_t>{0, 1, 2}, std::vector<float>{1.0F});
  CHECK(ledger.times_trained(0) == 1);
  CHECK(ledger.lowest_loss(0) == 1.0F);
  CHECK(ledger.times_trained(1) == 0);
  const auto refused = point_ledger(5).load(ledger.save());
  REQUIRE(!refused.ok());
  CHECK(refused.error().message.find("3 points") != std::string::npos);
  CHECK(refused.error().message.find("5") != std::string::npos);
}
