#include "sampling/sampling_source.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>
#include <set>

using namespace triage;

namespace {

constexpr std::size_t points = 1000;

sampling_source make_source(const std::string& json, std::size_t batch) {
  auto document = parse_json(json, "sampling");
  REQUIRE(document.ok());
  auto made = make_sampling(*document, {"sampling", ""});
  REQUIRE_MESSAGE(made.ok(), made.error().message);
  sampling_source source(made.take(), points, batch, 7);
  source.set_estimators(1);
  return source;
}

float score_of(std::uint32_t id) {
  return 0.1F + static_cast<float>(id % 13);
}

/// Measures an order as an estimator would.
void measure(sampling_source& source, const refresh_order& order, std::uint64_t version) {
  std::vector<float> scores;
  for (const auto id : order.ids)
    scores.push_back(score_of(id));
  source.order_measured(order.ticket, scores, version);
}

} // namespace

TEST_CASE("renew_round_robin: so many measurements for each point trained, exactly, and everybody in turn") {
  // ALGORITHMS 1.6, tests 5 and 6: k = 4 % and r = 1 % of the points in an iteration.
  auto source = make_source(R"({"type": "topk_shard", "share": 0.04, "score": "loss",
      "estimator": {"type": "renew_round_robin", "renew_ratio": 0.25, "initial_sweep": true, "wait": true}})",
                            40);
  drawn_batch b;
  CHECK(!source.draw(0.0, 0, b)); // nothing is known yet
  std::size_t measured = 0;
  std::vector<std::uint64_t> version_of(points, 0);
  for (std::uint64_t iteration = 0; iteration < 300; ++iteration) {
    while (!source.draw(0.0, iteration, b)) {
      const auto order = source.next_order(256, iteration, 25.0);
      REQUIRE(!order.ids.empty());
      for (const auto id : order.ids)
        version_of[id] = iteration;
      measured += order.ids.size();
      measure(source, order, iteration);
    }
    REQUIRE(b.ids.size() == 40);
    CHECK(measured == points + 10 * iteration);
    if (iteration >= 101) {
      // Everybody was measured within the last 1/r iterations.
      const auto oldest = *std::min_element(version_of.begin(), version_of.end());
      CHECK(oldest + 101 >= iteration);
    }
  }
}

TEST_CASE("topk_shard: the chosen are those that brute force chooses") {
  auto source = make_source(R"({"type": "topk_shard", "share": 0.1, "score": "loss"})", 100);
  std::vector<std::uint32_t> ids(points);
  std::iota(ids.begin(), ids.end(), 0U);
  std::vector<float> scores;
  for (const auto id : ids)
    scores.push_back(static_cast<float>((id * 7919U) % 1009U) - 500.0F); // of both signs, no ties
  source.record(ids, scores, 1);
  drawn_batch b;
  REQUIRE(source.draw(0.0, 1, b));
  std::sort(ids.begin(), ids.end(), [&](auto x, auto y) { return scores[x] > scores[y]; });
  ids.resize(100);
  std::sort(ids.begin(), ids.end());
  CHECK(b.ids == ids); // one batch: in the order of their numbers
  CHECK(std::all_of(b.weights.begin(), b.weights.end(), [](float w) { return w == 1.0F; }));
}

TEST_CASE("presample: every candidate is measured before its plan is made, pools ahead of need") {
  for (const int ahead : {0, 2}) {
    CAPTURE(ahead);
    auto source = make_source(R"({"type": "presample_topb", "candidates": 4, "score": "loss",
        "estimator": {"type": "presample", "pools_ahead": )" +
                                  std::to_string(ahead) + "}}",
                              20);
    std::set<std::uint32_t> measured;
    std::size_t orders = 0;
    drawn_batch b;
    for (std::uint64_t step = 0; step < 60; ++step) {
      while (!source.draw(0.0, step, b)) {
        const auto order = source.next_order(50, step, 50.0);
        REQUIRE(!order.ids.empty());
        REQUIRE(order.ids.size() <= 50);
        measured.insert(order.ids.begin(), order.ids.end());
        ++orders;
        measure(source, order, step);
      }
      for (const auto id : b.ids)
        CHECK(measured.count(id) == 1);
      if (step == 30) {
        const bool more = !source.next_order(50, step, 50.0).ids.empty();
        CHECK(more == (ahead > 0)); // measured while the batch is trained, or not before it is wanted
        break;
      }
    }
    CHECK(orders > 30);
  }
}

TEST_CASE("presample: without estimators plans go on with what is known") {
  auto source = make_source(R"({"type": "multinomial", "candidates": 3, "score": "loss",
                                "estimator": "presample"})",
                            20);
  drawn_batch b;
  CHECK(!source.draw(0.0, 0, b));
  const auto order = source.next_order(50, 0, 50.0);
  source.set_estimators(0);
  for (int i = 0; i < 200; ++i)
    REQUIRE(source.draw(0.0, 1, b));
  measure(source, order, 1); // late, and harmless
  REQUIRE(source.draw(0.0, 1, b));
}

TEST_CASE("a lost order is handed out again, also after a save and a load") {
  const char* json = R"({"type": "pps_epoch", "estimator": {"type": "exact_sweep", "every_epochs": 1}})";
  auto source = make_source(json, 20);
  const auto first = source.next_order(300, 0, 50.0);
  const auto second = source.next_order(300, 0, 50.0);
  source.order_lost(first.ticket);
  CHECK(source.next_order(300, 0, 50.0).ids == first.ids);
  auto copy = make_source(json, 20);
  REQUIRE(copy.load(source.save()).ok());
  std::set<std::uint32_t> again;
  while (true) {
    const auto order = copy.next_order(300, 0, 50.0);
    if (order.ids.empty())
      break;
    again.insert(order.ids.begin(), order.ids.end());
  }
  CHECK(again.size() == points);
  for (const auto id : second.ids)
    CHECK(again.count(id) == 1);
}

TEST_CASE("exact_sweep: all points at each interval") {
  auto source = make_source(
      R"({"type": "rank_exp", "score": "loss", "estimator": {"type": "exact_sweep", "every_epochs": 0.5}})",
      50);
  drawn_batch b;
  std::size_t measured = 0;
  for (int step = 0; step < 40; ++step) { // two epochs
    while (true) {
      const auto order = source.next_order(400, 1, 20.0);
      if (order.ids.empty())
        break;
      measured += order.ids.size();
      measure(source, order, 1);
    }
    REQUIRE(source.draw(0.0, 1, b));
  }
  CHECK(measured == 4 * points);
}

TEST_CASE("the mean gradient is that of all points once all were seen, and a direction of length one") {
  mean_gradient mean;
  CHECK(mean.direction().empty());
  mean.add(std::vector<float>{1.0F, 0.0F}, 250);
  CHECK(mean.direction().empty()); // one iteration is measured on one direction
  mean.commit(1000);
  mean.add(std::vector<float>{0.0F, 1.0F}, 750);
  mean.commit(1000);
  // 0.25 and 0.75
  const auto d = mean.direction().view();
  CHECK(d[0] == doctest::Approx(0.25 / std::sqrt(0.625)));
  CHECK(d[1] == doctest::Approx(0.75 / std::sqrt(0.625)));
  mean.add(std::vector<float>{1.0F, 1.0F}, 100);
  mean.commit(1000); // an exponential average from now on
  CHECK(mean.direction().view()[0] == doctest::Approx((0.9 * 0.25 + 0.1) / std::hypot(0.325, 0.775)));
  mean_gradient copy;
  REQUIRE(copy.load(mean.save()).ok());
  CHECK(copy.direction().view()[1] == mean.direction().view()[1]);
}
