#include "source_support.hpp"

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <set>

// What estimators are asked to measure, under random sequences of orders, answers, losses and draws.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t points = 220;
constexpr std::size_t batch = 10;

std::unique_ptr<refresh_policy> policy_of(std::string_view description, std::size_t n = points) {
  auto made = make_refresh_policy(json_text(description), {"run.json", "/sampling/estimator"});
  REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message));
  auto policy = made.take();
  policy->start(n);
  return policy;
}

std::vector<float> ones(std::size_t n) {
  return std::vector<float>(n, 1.0F);
}

} // namespace

TEST_CASE("estimators that go round in turn: whatever is lost, nobody is measured twice before everybody was "
          "once") {
  for (
      const char* text : {
          R"({"type": "topk_shard", "score": "loss", "estimator": {"type": "renew_round_robin", "renew_ratio": 3,
               "wait": true}})",
          R"({"type": "topk_shard", "score": "loss", "estimator": {"type": "renew_round_robin", "renew_ratio": 2,
               "initial_sweep": true}})",
          R"({"type": "rank_exp", "score": "loss", "estimator": {"type": "exact_sweep", "every_epochs": 0.5,
               "wait": true}})",
      }) {
    CAPTURE(std::string(text));
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      auto source = source_of(text, points, batch);
      source.set_estimators(3);
      rng random(seed, 2);
      std::vector<int> measured(points, 0);
      std::vector<refresh_order> open;
      std::uint64_t answered = 0;
      for (int event = 0; event < 1500; ++event) {
        const auto kind = random.below(4);
        drawn_batch b;
        if (kind == 0) {
          (void)source.draw(0.0, 1, b);
        } else if (kind == 1 && open.size() < 3) {
          auto order = source.next_order(1 + random.below(60), 1, 20.0);
          if (!order.ids.empty())
            open.push_back(std::move(order));
        } else if (!open.empty()) {
          const auto k = random.below(open.size());
          const auto order = std::move(open[k]);
          open.erase(open.begin() + static_cast<std::ptrdiff_t>(k));
          if (random.below(3) == 0) {
            source.order_lost(order.ticket);
            continue;
          }
          source.order_measured(order.ticket, ones(order.ids.size()), 1);
          source.order_measured(order.ticket, ones(order.ids.size()), 1); // twice counts once
          source.order_lost(order.ticket);                                // and cannot be lost any more
          for (const auto id : order.ids)
            ++measured[id];
          answered += order.ids.size();
        }
      }
      // What is still out or lost is at most a few orders: bring it home.
      for (const auto& order : open)
        source.order_lost(order.ticket);
      for (auto order = source.next_order(1000, 1, 20.0); !order.ids.empty();
           order = source.next_order(1000, 1, 20.0)) {
        source.order_measured(order.ticket, ones(order.ids.size()), 1);
        for (const auto id : order.ids)
          ++measured[id];
        answered += order.ids.size();
      }
      const auto [fewest, most] = std::minmax_element(measured.begin(), measured.end());
      CHECK(*most - *fewest <= 1);
      CHECK(answered > points);
    }
  }
}

TEST_CASE("renew_round_robin: the account is renew_ratio measurements for each sample drawn, to the point") {
  for (const double ratio : {0.01, 0.25, 1.0, 7.3}) {
    CAPTURE(ratio);
    auto policy = policy_of(R"({"type": "renew_round_robin", "wait": true, "renew_ratio": )" +
                            std::to_string(ratio) + "}");
    priority_table table(points);
    std::uint64_t handed = 0;
    for (std::uint64_t drawn = 0; drawn < 3000; drawn += 7) {
      CHECK(policy->holds_back({table, 1, 1.0, drawn, handed}) ==
            (handed < static_cast<std::uint64_t>(std::floor(ratio * static_cast<double>(drawn) + 1e-9))));
      std::vector<std::uint32_t> ids;
      policy->next(1'000'000, {table, 1, 1.0, drawn, handed}, ids);
      // One order never holds a point twice.
      REQUIRE(std::set<std::uint32_t>(ids.begin(), ids.end()).size() == ids.size());
      handed += ids.size();
      while (!ids.empty()) {
        ids.clear();
        policy->next(1'000'000, {table, 1, 1.0, drawn, handed}, ids);
        handed += ids.size();
      }
      REQUIRE(handed == static_cast<std::uint64_t>(std::floor(ratio * static_cast<double>(drawn) + 1e-9)));
      REQUIRE(!policy->holds_back({table, 1, 1.0, drawn, handed}));
    }
  }
}

TEST_CASE("renew_round_robin: without wait small debts are left to grow until an order is worth its way") {
  auto policy = policy_of(R"({"type": "renew_round_robin", "renew_ratio": 1})", 10'000);
  priority_table table(10'000);
  std::vector<std::uint32_t> ids;
  policy->next(1000, {table, 1, 1.0, 255, 0}, ids);
  CHECK(ids.empty());
  CHECK(!policy->holds_back({table, 1, 1.0, 255, 0}));
  policy->next(1000, {table, 1, 1.0, 256, 0}, ids);
  CHECK(ids.size() == 256);
}

TEST_CASE("renew_round_robin: a first sweep that plans wait for is handed out to its last point, in orders "
          "of any size") {
  for (const std::size_t n : {1U, 100U, 255U, 256U, 600U}) {
    for (const std::size_t count : {1U, 256U, 1000U}) {
      CAPTURE(n);
      CAPTURE(count);
      auto source = source_of(R"({"type": "topk_shard", "score": "loss",
                                  "estimator": {"type": "renew_round_robin", "initial_sweep": true}})",
                              n, batch);
      source.set_estimators(1);
      std::size_t handed = 0;
      for (auto order = source.next_order(count, 1, 1.0); !order.ids.empty();
           order = source.next_order(count, 1, 1.0)) {
        handed += order.ids.size();
        source.order_measured(order.ticket, ones(order.ids.size()), 1);
      }
      CHECK(handed == n);
      drawn_batch b;
      CHECK(source.draw(0.0, 1, b));
    }
  }
}

TEST_CASE(
    "exact_sweep: a sweep at the start and after each interval, complete before a plan that waits for it") {
  auto policy = policy_of(R"({"type": "exact_sweep", "every_epochs": 2, "wait": true})");
  priority_table table(points);
  std::uint64_t measured = 0;
  const auto sweep = [&](std::uint64_t drawn) {
    std::uint64_t n = 0;
    std::vector<std::uint32_t> ids;
    do {
      ids.clear();
      policy->next(50, {table, 1, 1.0, drawn, measured}, ids);
      n += ids.size();
    } while (!ids.empty());
    return n;
  };
  CHECK(policy->holds_back({table, 1, 1.0, 0, measured}));
  CHECK(sweep(0) == points);
  CHECK(policy->holds_back({table, 1, 1.0, 0, points - 1}));
  measured = points;
  CHECK(!policy->holds_back({table, 1, 1.0, 2 * points - 1, measured}));
  CHECK(sweep(2 * points - 1) == 0);
  CHECK(policy->holds_back({table, 1, 1.0, 2 * points, measured}));
  CHECK(sweep(2 * points) == points);
  CHECK(sweep(7 * points) == 2 * points); // two intervals were missed, and are made up for
}

TEST_CASE("oldest_first: over random measurements an order holds only stale points, no younger one before an "
          "older") {
  rng random(3, 3);
  for (int round = 0; round < 60; ++round) {
    auto policy = policy_of(R"({"type": "oldest_first", "refresh_after_epochs": 1.5})");
    priority_table table(points);
    for (std::uint32_t id = 0; id < points; ++id)
      if (random.uniform() < 0.8)
        table.record(id, 1.0F, random.below(1000));
    const std::uint64_t now = 600 + random.below(1000);
    const double per_epoch = 100.0;
    const auto age = [&](std::uint32_t id) {
      return table.seen(id) ? static_cast<double>(now) - static_cast<double>(table.version(id))
                            : std::numeric_limits<double>::infinity();
    };
    std::vector<std::uint32_t> all;
    while (true) {
      std::vector<std::uint32_t> ids;
      policy->next(17, {table, now, per_epoch, 0, 0}, ids);
      if (ids.empty())
        break;
      all.insert(all.end(), ids.begin(), ids.end());
    }
    std::size_t stale = 0;
    for (std::uint32_t id = 0; id < points; ++id)
      stale += age(id) > 1.5 * per_epoch ? 1 : 0;
    CHECK(all.size() == stale);
    // An unseen point is as old as the run; a measurement at version 0 is one version younger.
    for (std::size_t i = 1; i < all.size(); ++i)
      REQUIRE(age(all[i - 1]) >= age(all[i]));
  }
}

TEST_CASE(
    "oldest_first: what was measured in the meantime is passed over, and sweeps do not follow one another at "
    "one version") {
  auto policy = policy_of(R"({"type": "oldest_first", "refresh_after_epochs": 1})");
  priority_table table(points);
  std::vector<std::uint32_t> first;
  policy->next(20, {table, 500, 100.0, 0, 0}, first);
  REQUIRE(first.size() == 20);
  for (std::uint32_t id = 20; id < points; ++id)
    table.record(id, 1.0F, 500);
  std::vector<std::uint32_t> second;
  policy->next(1000, {table, 500, 100.0, 0, 0}, second);
  CHECK(second.empty());
  policy->next(1000, {table, 501, 100.0, 0, 0}, second);
  CHECK(second.empty()); // the next search is due a fiftieth of an epoch later
  policy->next(1000, {table, 503, 100.0, 0, 0}, second);
  CHECK(second == first); // they were never brought back
}

TEST_CASE("presample: no candidate is trained that was not measured for this plan, whatever is lost and in "
          "whatever "
          "order answers come") {
  for (const int ahead : {0, 1, 3}) {
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      CAPTURE(ahead);
      auto source = source_of(R"({"type": "presample_topb", "candidates": 3, "score": "loss",
                                  "estimator": {"type": "presample", "pools_ahead": )" +
                                  std::to_string(ahead) + "}}",
                              points, batch);
      source.set_estimators(4);
      rng random(seed, 4);
      std::vector<int> measured(points, 0);
      std::vector<int> visited(points, 0);
      std::vector<refresh_order> open;
      int batches = 0;
      for (int event = 0; event < 3000; ++event) {
        drawn_batch b;
        if (source.draw(0.0, 1, b)) {
          ++batches;
          for (const auto id : b.ids) {
            ++visited[id];
            REQUIRE(visited[id] <= measured[id]);
          }
          continue;
        }
        if (open.size() < 4 && random.below(2) == 0) {
          auto order = source.next_order(1 + random.below(12), 1, 20.0);
          if (!order.ids.empty())
            open.push_back(std::move(order));
          continue;
        }
        if (open.empty())
          continue;
        const auto k = random.below(open.size());
        const auto order = std::move(open[k]);
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(k));
        if (random.below(4) == 0) {
          source.order_lost(order.ticket);
          continue;
        }
        source.order_measured(order.ticket, ones(order.ids.size()), 1);
        for (const auto id : order.ids)
          ++measured[id];
      }
      CHECK(batches > 60);
      // Pools drawn ahead are measured too; beyond them nobody is measured for nothing.
      const auto total = std::accumulate(measured.begin(), measured.end(), 0);
      CHECK(total <= 3 * batch * (batches + 2 + ahead));
    }
  }
}

TEST_CASE("estimators that are all gone do not hold a run up, whatever the estimator") {
  for (const auto& entry : refresh_policies()) {
    CAPTURE(entry.name);
    json_value description;
    description.set("type", json_value("presample_topb"));
    description.set("candidates", json_value(3));
    description.set("score", json_value("loss"));
    json_value estimator;
    estimator.set("type", json_value(entry.name));
    if (entry.name == "renew_round_robin" || entry.name == "exact_sweep")
      estimator.set("wait", json_value(true));
    if (entry.name == "renew_round_robin")
      estimator.set("initial_sweep", json_value(true));
    description.set("estimator", estimator);
    auto source = source_of(description, points, batch);
    source.set_estimators(2);
    drawn_batch b;
    const bool waits = !source.draw(0.0, 1, b);
    CHECK(waits ==
          (entry.name == "renew_round_robin" || entry.name == "exact_sweep" || entry.name == "presample"));
    const auto order = source.next_order(30, 1, 20.0);
    source.order_lost(order.ticket);
    source.set_estimators(0);
    for (int i = 0; i < 200; ++i)
      REQUIRE(source.draw(0.0, 1, b));
  }
}

TEST_CASE("orders: tickets are never used twice, and late or unknown ones change nothing") {
  auto source = source_of(R"({"type": "zhou_gao"})", points, batch);
  source.set_estimators(2);
  std::set<std::uint64_t> tickets;
  std::uint64_t last = 0;
  for (int i = 0; i < 50; ++i) {
    const auto order = source.next_order(3, 1, 20.0);
    REQUIRE(tickets.insert(order.ticket).second);
    REQUIRE(order.ticket != 0);
    last = order.ticket;
    source.order_lost(order.ticket);
  }
  source.order_measured(last, ones(3), 1); // lost, and answered all the same
  source.order_measured(12345, ones(3), 1);
  source.order_lost(12345);
  CHECK(source.figures(1).staleness.unseen_share == 1.0);
}

TEST_CASE("estimators: bad descriptions are refused with pointer and hint, for every entry and option") {
  for (const auto& entry : refresh_policies()) {
    CAPTURE(entry.name);
    const auto made = entry.make();
    for (const auto& row : describe_options([&](option_visitor& v) { made->visit(v); })) {
      CAPTURE(row.name);
      json_value description;
      description.set("type", json_value(entry.name));
      description.set(row.name, json_value("text"));
      const auto wrong = make_refresh_policy(description, {"run.json", "/sampling/estimator"});
      REQUIRE(!wrong.ok());
      CHECK(wrong.error().kind == error_kind::configuration);
      CHECK(wrong.error().message.find("/sampling/estimator/" + row.name) != std::string::npos);
    }
  }
  const auto unknown =
      make_refresh_policy(json_text(R"({"type": "oldest_frist"})"), {"run.json", "/sampling/estimator"});
  REQUIRE(!unknown.ok());
  CHECK(unknown.error().message.find("did you mean \"oldest_first\"") != std::string::npos);
}
