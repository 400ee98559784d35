#include "source_support.hpp"

#include <cmath>
#include <set>

// While scores decide nothing, estimators cost nothing.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t points = 3200;
constexpr std::size_t batch = 32;

/// Trains so many points, with an estimator that measures all it is asked for; returns how many that were.
std::size_t train(sampling_source& source, std::size_t samples, float score, double run_fraction = 0.0) {
  std::size_t measured = 0;
  drawn_batch b;
  std::uint64_t version = 1 + source.samples_drawn() / batch;
  for (std::size_t drawn = 0; drawn < samples; ++version) {
    if (source.draw(run_fraction, version, b))
      drawn += b.ids.size();
    for (auto order = source.next_order(256, version, points / batch); !order.ids.empty();
         order = source.next_order(256, version, points / batch)) {
      measured += order.ids.size();
      source.order_measured(order.ticket, std::vector<float>(order.ids.size(), score), version);
    }
  }
  return measured;
}

} // namespace

TEST_CASE(
    "rest: behind a closed gate estimators measure a thirty-second of what is trained, whatever they renew") {
  for (const char* estimator :
       {R"({"type": "renew_round_robin", "renew_ratio": 1})",
        R"({"type": "renew_round_robin", "wait": true})", R"({"type": "exact_sweep", "every_epochs": 0.5})",
        R"({"type": "oldest_first", "refresh_after_epochs": 0.1})"}) {
    CAPTURE(std::string(estimator));
    auto source =
        source_of(std::string(R"({"type": "pps_epoch", "estimator": )") + estimator + "}", points, batch);
    source.set_estimators(1);
    (void)train(source, points, 0.5F); // the warm-up
    (void)train(source, batch, 0.5F);
    REQUIRE(source.figures(1).selector.phase == "gated off");
    const auto measured = train(source, 8 * points, 0.5F);
    CHECK(measured <= 8 * points / 32 + 256);
  }
}

TEST_CASE("rest: a gate that opens again finds no debt: plans wait for what was owed meanwhile, not for all "
          "of it") {
  auto source = source_of(
      R"({"type": "pps_epoch", "estimator": {"type": "renew_round_robin", "renew_ratio": 1, "wait": true},
          "warm_epochs": 0.5, "gate": {"mode": "gain", "looks_per_epoch": 100}})",
      points, batch);
  source.set_estimators(1);
  (void)train(source, 10 * points, 0.5F);
  REQUIRE(source.figures(1).selector.phase == "gated off");
  record_all(source, heavy_scores(points, 5), 100000);
  const auto measured = train(source, 4 * batch, 0.5F);
  CHECK(source.figures(1).selector.phase == "prioritized");
  CHECK(measured <= 4 * batch + 320);
}

TEST_CASE("rest: nothing is measured in the uniform tail, and everything before") {
  auto source = source_of(
      R"({"type": "multinomial", "estimator": {"type": "renew_round_robin", "renew_ratio": 1},
          "tail_uniform_fraction": 0.25})",
      points, batch);
  source.set_estimators(1);
  CHECK(train(source, 2 * points, 0.5F, 0.5) >= 2 * points - 256);
  (void)train(source, batch, 0.5F, 0.8); // the tail begins with its first plan
  CHECK(train(source, 2 * points, 0.5F, 0.8) == 0);
}

TEST_CASE("rest: it goes on where it was after a resumption") {
  const char* description =
      R"({"type": "pps_epoch", "estimator": {"type": "renew_round_robin", "renew_ratio": 1}})";
  auto source = source_of(description, points, batch);
  source.set_estimators(1);
  (void)train(source, 4 * points, 0.5F);
  auto copy = source_of(description, points, batch);
  copy.set_estimators(1);
  REQUIRE(copy.load(source.save()).ok());
  CHECK(train(copy, 2 * points, 0.5F) == train(source, 2 * points, 0.5F));
}

TEST_CASE("classes: how often points of each were drawn is counted, also over a resumption") {
  std::vector<std::int32_t> labels(points);
  for (std::size_t i = 0; i < points; ++i)
    labels[i] = i % 8 == 0 ? 1 : 0;
  const auto make = [&] {
    return sampling_source(describe_sampling(R"({"type": "auto_balanced"})"), points, batch, 7,
                           point_classes{labels, 2});
  };
  auto source = make();
  std::vector<std::uint64_t> expected(2);
  const auto draw = [&](sampling_source& from) {
    drawn_batch b;
    REQUIRE(from.draw(0.0, 1, b));
    for (const auto id : b.ids)
      ++expected[static_cast<std::size_t>(labels[id])];
  };
  for (int i = 0; i < 100; ++i)
    draw(source);
  CHECK(source.figures(1).drawn_by_class == expected);
  auto copy = make();
  REQUIRE(copy.load(source.save()).ok());
  for (int i = 0; i < 100; ++i)
    draw(copy);
  CHECK(copy.figures(1).drawn_by_class == expected);
  CHECK(source_of(R"({"type": "uniform"})", points, batch).figures(1).drawn_by_class.empty());
}

TEST_CASE("orders: what estimators had in hand is handed out again in orders of the usual size, also after a "
          "resumption") {
  const char* description = R"({"type": "multinomial", "estimator": {"type": "exact_sweep"}})";
  auto source = source_of(description, points, batch);
  source.set_estimators(4);
  drawn_batch b;
  REQUIRE(source.draw(0.0, 1, b));
  std::set<std::uint32_t> out;
  for (int i = 0; i < 4; ++i) {
    const auto order = source.next_order(500, 1, 100.0);
    REQUIRE(order.ids.size() == 500);
    out.insert(order.ids.begin(), order.ids.end());
  }
  auto copy = source_of(description, points, batch);
  copy.set_estimators(4);
  REQUIRE(copy.load(source.save()).ok());
  std::set<std::uint32_t> again;
  for (int i = 0; i < 4; ++i) {
    const auto order = copy.next_order(500, 1, 100.0);
    REQUIRE(order.ids.size() == 500);
    again.insert(order.ids.begin(), order.ids.end());
  }
  CHECK(again == out);
}
