#include "controller_scene.hpp"

#include "sampling/sharding.hpp"

#include <algorithm>
#include <set>

// The controller where each shard of the training points is held by one node.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t points = 512; // of small_run, in batches of 16

std::vector<std::string> shard_options(const std::string& policy, std::vector<std::string> more = {}) {
  more.push_back("runtime.exchange={\"policy\":\"" + policy + "\"}");
  const auto plain = parse_json("{\"policy\":\"" + policy + "\"}", "test");
  if ((*make_exchange(*plain, {"test", ""}))->local())
    more.emplace_back("runtime.exchange.local_steps=2");
  more.insert(more.begin(), "network.shards=8");
  return more;
}

/// Members by name of their node, each order checked against who holds what, and how often each point was
/// trained.
struct sharded_scene : scene {
  explicit sharded_scene(const std::vector<std::string>& options)
      : scene(options, true), shards(points, static_cast<std::size_t>(setup->config.shards)),
        trained(points) {
    serve();
  }
  void join(const std::string& node) {
    const auto id = controller.member_joined(node + "/worker", node);
    nodes[id] = node;
    serve();
  }
  void lose(std::uint64_t id) {
    while (world.orders.count(id) > 0)
      (void)world.take(id);
    nodes.erase(id);
    controller.member_lost(id, "lost by the test");
    serve();
  }
  void train(std::uint64_t id) {
    for (const auto& b : world.orders.at(id).batches)
      for (const auto point : b->ids)
        ++trained[point];
    answer(id);
  }
  /// Whether every point of the order that went out last is of a shard that the member's node holds.
  bool keeps_to_shards(std::uint64_t id) const {
    std::set<std::size_t> held;
    for (const auto& h : controller.state().holders)
      if (h.node == nodes.at(id))
        held.insert(h.shards.begin(), h.shards.end());
    for (const auto& b : world.orders.at(id).batches)
      for (const auto point : b->ids)
        if (held.count(shards.shard_of(point)) == 0)
          return false;
    return true;
  }
  void run_to_the_end(rng& random) {
    for (int i = 0; i < 5000 && !world.summary; ++i) {
      REQUIRE_FALSE(world.orders.empty()); // somebody always has work
      auto at = world.orders.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(random.below(world.orders.size())));
      train(at->first);
    }
    REQUIRE(world.summary);
  }

  sharding shards;
  std::vector<int> trained;
  std::map<std::uint64_t, std::string> nodes;
};

} // namespace

TEST_CASE("shards: a node is ordered to train its own points, and all are trained once an epoch") {
  for (const auto policy : names_of(exchange_policies())) {
    CAPTURE(policy);
    rng random(5, 5);
    sharded_scene s(shard_options(std::string(policy), {"duration.epochs=3", "runtime.min_workers=3"}));
    for (const char* node : {"a", "b", "c"})
      s.join(node);
    REQUIRE(s.world.orders.size() == 3);
    for (const auto& [id, order] : s.world.orders)
      CHECK(s.keeps_to_shards(id));
    s.run_to_the_end(random);
    CHECK(s.world.summary->status == run_status::finished);
    CHECK(s.world.summary->samples_trained == 3 * points);
    CHECK(std::all_of(s.trained.begin(), s.trained.end(), [](int n) { return n == 3; }));
  }
}

TEST_CASE("shards: a loss and a join move shards, and no point is lost or trained twice") {
  for (const auto policy : names_of(exchange_policies()))
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      CAPTURE(policy);
      CAPTURE(seed);
      rng random(seed, 6);
      sharded_scene s(shard_options(std::string(policy), {"duration.epochs=4", "evaluation.every_epochs=0.7",
                                                          "checkpoint.every_epochs=0.4"}));
      for (const char* node : {"a", "b", "b"})
        s.join(node);
      for (int event = 0; event < 60 && !s.world.summary; ++event) {
        const auto dice = random.below(20);
        if (dice == 0 && s.nodes.size() > 1)
          s.lose(
              std::next(s.nodes.begin(), static_cast<std::ptrdiff_t>(random.below(s.nodes.size())))->first);
        else if (dice == 1 && s.nodes.size() < 6)
          s.join(std::string(1, static_cast<char>('a' + random.below(4))));
        else if (!s.world.orders.empty())
          s.train(std::next(s.world.orders.begin(),
                            static_cast<std::ptrdiff_t>(random.below(s.world.orders.size())))
                      ->first);
        std::multiset<std::size_t> held;
        for (const auto& h : s.controller.state().holders) {
          held.insert(h.shards.begin(), h.shards.end());
          CHECK(
              std::any_of(s.nodes.begin(), s.nodes.end(), [&](const auto& n) { return n.second == h.node; }));
        }
        CHECK(held == std::multiset<std::size_t>{0, 1, 2, 3, 4, 5, 6, 7});
      }
      s.run_to_the_end(random);
      CHECK(s.world.summary->samples_trained == 4 * points);
      CHECK(std::all_of(s.trained.begin(), s.trained.end(), [](int n) { return n == 4; }));
    }
}

TEST_CASE("shards: a slow node's shards go to one that has nothing to do") {
  sharded_scene s(shard_options("asp", {"duration.epochs=20", "evaluation.every_epochs=0",
                                        "checkpoint.every_epochs=0", "runtime.min_workers=2"}));
  s.join("fast");
  s.join("slow");
  const auto held_by_slow = [&] {
    for (const auto& h : s.controller.state().holders)
      if (h.node == "slow")
        return h.shards.size();
    return std::size_t{0};
  };
  CHECK(held_by_slow() == 4);
  for (int i = 0; i < 400; ++i) { // four times as fast
    REQUIRE(s.world.orders.count(0) == 1);
    s.train(0);
    if (i % 4 == 0) {
      REQUIRE(s.world.orders.count(1) == 1);
      s.train(1);
    }
  }
  CHECK(held_by_slow() >= 1);
  CHECK(held_by_slow() <= 2);
  // No batch waited for long: the stock is what it shall be.
  CHECK(s.controller.stocked_batches() <= 2 * (2 + 3));
}

TEST_CASE("shards: a node without work gets some though more is always on its way") {
  sharded_scene s(shard_options("asp", {"duration.epochs=20", "evaluation.every_epochs=0",
                                        "checkpoint.every_epochs=0", "runtime.min_workers=3"}));
  for (const char* node : {"a", "b", "c"})
    s.controller.member_joined(std::string(node) + "/worker", node);
  std::vector<std::uint32_t> held_by_a; // only its points are drawn
  const auto first = s.controller.state().holders[0].shards;
  for (std::uint32_t id = 0; id < points; ++id)
    if (std::find(first.begin(), first.end(), s.shards.shard_of(id)) != first.end())
      held_by_a.push_back(id);
  std::size_t next = 0;
  const auto deliver_all_but_one = [&] {
    std::vector<shared_batch> batches;
    for (; s.world.asked > 1; --s.world.asked) {
      drawn_batch b;
      for (int k = 0; k < 16; ++k)
        b.ids.push_back(held_by_a[next++ % held_by_a.size()]);
      b.weights.assign(16, 1.0F);
      batches.push_back(std::make_shared<const drawn_batch>(std::move(b)));
    }
    s.controller.batches_arrived(batches);
  };
  std::map<std::uint64_t, int> orders;
  for (int i = 0; i < 200; ++i) {
    deliver_all_but_one();
    REQUIRE_FALSE(s.world.orders.empty());
    const auto at =
        std::min_element(s.world.orders.begin(), s.world.orders.end(),
                         [&](const auto& x, const auto& y) { return orders[x.first] < orders[y.first]; });
    const auto member = at->first;
    const auto order = s.world.take(member);
    ++orders[member];
    train_result r;
    r.member = member;
    r.lease = order.lease;
    r.base_version = order.base.version;
    r.gradient = s.shared;
    s.time.advance(0.01);
    s.controller.results_arrived({&r, 1});
  }
  CHECK(orders[0] <= 80);
  CHECK(orders[1] >= 50);
  CHECK(orders[2] >= 50);
}

TEST_CASE("shards: a budget that is no whole number of samples is met") {
  for (const char* epochs : {"3.3000000000000003", "0.7", "1.1", "2.2000000000000002"}) {
    CAPTURE(epochs);
    scene s(shard_options("bsp", {"data.train_size=400", std::string("duration.epochs=") + epochs}), true);
    s.serve();
    s.controller.member_joined("a/worker", "a");
    s.controller.member_joined("b/worker", "b");
    s.serve();
    for (int i = 0; i < 2000 && !s.world.summary; ++i) {
      REQUIRE_FALSE(s.world.orders.empty());
      s.answer(s.world.orders.begin()->first);
    }
    REQUIRE(s.world.summary);
    CHECK(s.world.summary->epochs >= std::stod(epochs));
    CHECK(s.world.summary->epochs < std::stod(epochs) + 16.0 / 400.0);
  }
}

TEST_CASE("shards: more nodes than shards is said once, and nobody starves") {
  rng random(3, 3);
  sharded_scene s(shard_options("bsp", {"duration.epochs=3", "network.shards=2"}));
  for (const char* node : {"a", "b", "c", "d"})
    s.join(node);
  s.run_to_the_end(random);
  CHECK(s.world.warnings.size() == 1);
  CHECK(s.world.summary->samples_trained == 3 * points);
}

TEST_CASE("shards: workers that join one by one at few nodes are no reason for a warning") {
  sharded_scene s(shard_options("bsp", {"duration.epochs=1", "runtime.min_workers=24"}));
  for (const char* node : {"a", "b"})
    for (int i = 0; i < 12; ++i)
      s.join(node);
  CHECK(s.world.warnings.empty());
  REQUIRE(s.controller.state().holders.size() == 2);
  CHECK(s.controller.state().holders[0].shards.size() == 4);
}

TEST_CASE("shards: what a node lacks for a round of local steps is asked for at once") {
  scene s({"network.shards=8", R"(runtime.exchange={"policy":"local_sgd","local_steps":8})",
           "runtime.prefetch_batches=0", "duration.epochs=20", "evaluation.every_epochs=0",
           "checkpoint.every_epochs=0"},
          true);
  s.serve();
  s.controller.member_joined("a/worker", "a");
  s.controller.member_joined("b/worker", "b");
  int times_served = 0;
  int rounds = 0;
  while (rounds < 20) {
    if (s.world.orders.size() == 2) {
      ++rounds;
      for (const std::uint64_t member : {0, 1}) {
        const auto order = s.world.take(member);
        train_result r;
        r.member = member;
        r.lease = order.lease;
        r.base_version = order.base.version;
        r.gradient = s.shared;
        s.controller.results_arrived({&r, 1});
      }
    }
    REQUIRE(s.world.asked > 0);
    std::vector<shared_batch> batches;
    for (; s.world.asked > 0; --s.world.asked) {
      drawn_batch b;
      for (std::uint32_t k = 0; k < 16; ++k)
        // Three of four are of the first shard.
        b.ids.push_back(++s.next_point % 4 > 0 ? s.next_point * 8 % 512 : s.next_point / 4 % 512);
      b.weights.assign(16, 1.0F);
      batches.push_back(std::make_shared<const drawn_batch>(std::move(b)));
    }
    s.controller.batches_arrived(batches);
    REQUIRE(++times_served < 200);
  }
  CAPTURE(times_served);
  CHECK(times_served <= 60); // and not eight times for a round
}

TEST_CASE("shards: a run that is saved goes on with what had been drawn for its nodes") {
  basic_scene<saving_world> s(shard_options("bsp", {"duration.epochs=3"}), true);
  s.serve();
  s.controller.member_joined("a/worker", "a");
  s.controller.member_joined("b/worker", "b");
  s.serve();
  for (int i = 0; i < 9; ++i) {
    s.answer(0);
    s.answer(1);
  }
  const auto waiting = s.controller.stocked_batches();
  s.controller.stop();
  s.answer(0);
  s.answer(1);
  REQUIRE(s.world.summary);
  saving_world other;
  run_controller resumed(s.setup, s.time, other);
  REQUIRE(resumed.restore(s.world.last.parameters.view(), s.world.saved).ok());
  CHECK(resumed.stocked_batches() >= waiting - 2);
  resumed.open_to_nodes();
  resumed.start();
  resumed.member_joined("c/worker", "c");
  REQUIRE(resumed.state().holders.size() == 1);
  CHECK(resumed.state().holders[0].shards.size() == 8);
  CHECK(other.orders.size() == 1);
}
