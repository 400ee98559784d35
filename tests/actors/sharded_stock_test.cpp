#include "actors/sharded_stock.hpp"
#include "core/rng.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <numeric>

using namespace triage;

namespace {

shared_batch batch_of(std::uint32_t first, std::uint32_t count, bool with_frequencies = true) {
  drawn_batch b;
  for (std::uint32_t i = 0; i < count; ++i) {
    b.ids.push_back(first + i);
    b.weights.push_back(1.0F + static_cast<float>(first + i) / 1000.0F);
    if (with_frequencies)
      b.frequencies.push_back(0.5F + static_cast<float>(first + i) / 1000.0F);
  }
  return std::make_shared<const drawn_batch>(std::move(b));
}

sharded_stock two_nodes() {
  sharded_stock stock(64, 4, 8);
  stock.worker_joined("a");
  stock.worker_joined("b");
  return stock;
}

} // namespace

TEST_CASE("sharded stock: a node gets whole batches of its own points, in order and with their weights") {
  auto stock = two_nodes();
  const sharding points(64, 4);
  for (std::uint32_t first = 0; first < 64; first += 8)
    stock.put(batch_of(first, 8));
  CHECK(stock.samples() == 64);
  CHECK(stock.batches() == 8);
  std::vector<std::uint32_t> all;
  for (const char* node : {"a", "b"}) {
    const auto batches = stock.take(node, 4, false);
    REQUIRE(batches.size() == 4);
    std::uint32_t last = 0;
    for (const auto& b : batches) {
      REQUIRE(b->ids.size() == 8);
      REQUIRE(b->frequencies.size() == 8);
      for (std::size_t i = 0; i < 8; ++i) {
        CHECK(b->ids[i] >= last);
        last = b->ids[i];
        CHECK(b->weights[i] == 1.0F + static_cast<float>(last) / 1000.0F);
        CHECK(b->frequencies[i] == 0.5F + static_cast<float>(last) / 1000.0F);
        all.push_back(last);
      }
    }
    CHECK(stock.take(node, 1, false).empty());
  }
  std::sort(all.begin(), all.end());
  std::vector<std::uint32_t> expected(64);
  std::iota(expected.begin(), expected.end(), 0U);
  CHECK(all == expected);
  CHECK(stock.samples() == 0);
}

TEST_CASE("sharded stock: batches have the newest direction and added gradient of those that were put") {
  auto stock = two_nodes();
  for (const float value : {1.0F, 2.0F}) {
    auto batch = *batch_of(0, 64);
    batch.direction = blob::copy_of(std::vector<float>{value});
    batch.added_gradient = blob::copy_of(std::vector<float>{10.0F * value});
    stock.put(std::make_shared<const drawn_batch>(std::move(batch)));
  }
  const auto taken = stock.take("a", 1, false);
  REQUIRE(taken.size() == 1);
  CHECK(taken[0]->direction.view()[0] == 2.0F);
  CHECK(taken[0]->added_gradient.view()[0] == 20.0F);
}

TEST_CASE("sharded stock: a batch of which one point has no known frequency knows none") {
  auto stock = two_nodes();
  stock.put(batch_of(0, 8));
  stock.put(batch_of(8, 56, false));
  const auto batches = stock.take("a", 4, false);
  REQUIRE(batches.size() == 4);
  CHECK(batches.back()->frequencies.empty());
  CHECK(batches.back()->weights.size() == 8);
}

TEST_CASE("sharded stock: less than a batch is given out only when nothing follows") {
  auto stock = two_nodes();
  stock.put(batch_of(0, 10));
  CHECK(stock.take("a", 1, false).empty());
  const auto a = stock.take("a", 3, true);
  const auto b = stock.take("b", 3, true);
  CHECK(samples_of(a) + samples_of(b) == 10);
  CHECK(stock.take("a", 1, true).empty());
}

TEST_CASE("sharded stock: a node without work takes over the shard for which most is waiting") {
  auto stock = two_nodes();
  const sharding points(64, 4);
  // Only points of the shards that b holds are drawn.
  const auto held = stock.holders();
  REQUIRE(held.size() == 2);
  drawn_batch b;
  for (std::uint32_t id = 0; id < 64; ++id)
    if (points.shard_of(id) == held[1].shards[0])
      b.ids.push_back(id);
  b.weights.assign(b.ids.size(), 1.0F);
  stock.put(std::make_shared<const drawn_batch>(b));
  CHECK(stock.take("a", 1, false).empty());
  CHECK(stock.relieve("a", 1, true));
  CHECK(stock.take("a", 1, false).size() == 1);
  CHECK(stock.holders()[0].shards.size() == 3);
  CHECK(stock.holders()[1].shards.size() == 1);
  CHECK(stock.take("a", 1, false).size() == 1);
  CHECK_FALSE(stock.relieve("a", 1, true)); // nobody has anything
  CHECK_FALSE(stock.relieve("unknown", 1, true));
}

TEST_CASE("sharded stock: a shard that was taken over goes back before another is taken") {
  auto stock = two_nodes();
  const sharding points(64, 4);
  const auto put_all_of = [&](std::size_t shard) {
    drawn_batch b;
    for (std::uint32_t id = 0; id < 64; ++id)
      if (points.shard_of(id) == shard)
        b.ids.push_back(id);
    b.weights.assign(b.ids.size(), 1.0F);
    stock.put(std::make_shared<const drawn_batch>(std::move(b)));
  };
  const auto shards_of_a = stock.holders()[0].shards;
  const auto shards_of_b = stock.holders()[1].shards;
  put_all_of(shards_of_b[1]);
  CHECK(stock.relieve("a", 1, true)); // a has three now
  CHECK(stock.take("a", 2, false).size() == 2);
  for (const auto shard : shards_of_a)
    put_all_of(shard);
  put_all_of(shards_of_a[0]); // for which most is waiting
  put_all_of(shards_of_b[1]);
  CHECK(stock.relieve("b", 1, true));
  CHECK(stock.holders()[1].shards == shards_of_b);
}

TEST_CASE("sharded stock: what a lost node was to train is trained first by those that hold its shards now") {
  auto stock = two_nodes();
  for (std::uint32_t first = 0; first < 64; first += 8)
    stock.put(batch_of(first, 8));
  const auto lost = stock.take("b", 1, false);
  REQUIRE(lost.size() == 1);
  stock.worker_left("b");
  stock.put_back(lost);
  CHECK(stock.samples() == 64);
  CHECK(stock.take("b", 1, false).empty());
  const auto next = stock.take("a", 8, false);
  REQUIRE(next.size() == 8);
  CHECK(next[0]->ids == lost[0]->ids);
  CHECK(next[0]->weights == lost[0]->weights);
}

TEST_CASE("sharded stock: contents hold everything, also before anybody has joined") {
  sharded_stock stock(64, 4, 8);
  stock.put(batch_of(0, 8));
  stock.put(batch_of(8, 4));
  CHECK(stock.take("a", 1, true).empty());
  CHECK(samples_of(stock.contents()) == 12);
  stock.worker_joined("a");
  CHECK(samples_of(stock.contents()) == 12);
  CHECK(samples_of(stock.take("a", 2, true)) == 12);
}

TEST_CASE(
    "sharded stock random: nothing is lost or doubled while nodes come and go, and work is found for all") {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    rng random(seed, 8);
    sharded_stock stock(640, 1 + random.below(20), 8);
    std::map<std::uint32_t, int> trained;
    std::vector<std::string> live;
    std::vector<std::pair<std::string, batch_list>> out;
    const auto train = [&](const batch_list& batches) {
      for (const auto& b : batches)
        for (const auto id : b->ids)
          ++trained[id];
    };
    std::uint32_t drawn = 0;
    for (int event = 0; event < 300; ++event) {
      const auto dice = random.below(10);
      if (dice < 4 && drawn < 640) {
        stock.put(batch_of(drawn, 8));
        drawn += 8;
      } else if (dice == 4 && live.size() < 5) {
        live.push_back("n" + std::to_string(event));
        stock.worker_joined(live.back());
      } else if (dice == 5 && live.size() > 1) {
        const auto node = live[random.below(live.size())];
        std::erase(live, node);
        stock.worker_left(node);
        for (auto& [who, batches] : out)
          if (who == node)
            stock.put_back(std::exchange(batches, {}));
      } else if (dice < 9 && !live.empty()) {
        const auto& node = live[random.below(live.size())];
        if (auto batches = stock.take(node, 1, false); !batches.empty())
          out.emplace_back(node, std::move(batches));
      } else if (!out.empty()) {
        train(out.front().second);
        out.erase(out.begin());
      }
    }
    for (; drawn < 640; drawn += 8)
      stock.put(batch_of(drawn, 8));
    for (const auto& [who, batches] : out)
      train(batches);
    if (live.empty())
      stock.worker_joined(live.emplace_back("last"));
    while (stock.samples() > 0)
      for (const auto& node : live) {
        auto batches = stock.take(node, 1, true);
        while (batches.empty() && stock.relieve(node, 1, true))
          batches = stock.take(node, 1, true);
        train(batches);
      }
    CHECK(trained.size() == 640);
    for (const auto& [id, times] : trained)
      REQUIRE(times == 1);
  }
}
