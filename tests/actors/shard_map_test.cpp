#include "actors/shard_map.hpp"
#include "core/rng.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <numeric>
#include <set>

using namespace triage;

namespace {

std::vector<std::size_t> sizes(const shard_map& map) {
  std::vector<std::size_t> out;
  for (const auto& n : map.nodes())
    out.push_back(n.shards.size());
  return out;
}

/// Each shard has one holder, and `owner_of` says which.
void check_partition(const shard_map& map, std::size_t points) {
  std::map<std::size_t, std::size_t> holder;
  for (std::size_t n = 0; n < map.nodes().size(); ++n)
    for (const auto shard : map.nodes()[n].shards)
      REQUIRE(holder.emplace(shard, n).second);
  REQUIRE(holder.size() == map.points().shards());
  for (std::uint32_t id = 0; id < points; ++id)
    REQUIRE(map.owner_of(id) == holder.at(map.points().shard_of(id)));
}

} // namespace

TEST_CASE("sharding: every shard has its share of the points, in runs") {
  for (const auto& [points, shards] :
       {std::pair<std::size_t, std::size_t>{60000, 8}, {60000, 64}, {1000, 16}, {17, 4}, {3, 5}}) {
    CAPTURE(points);
    const sharding s(points, shards);
    std::vector<std::size_t> counts(shards);
    for (std::uint32_t id = 0; id < points; ++id) {
      REQUIRE(s.shard_of(id) < shards);
      ++counts[s.shard_of(id)];
    }
    const auto [low, high] = std::minmax_element(counts.begin(), counts.end());
    CHECK(*high - *low <= std::max<std::size_t>(1, points / shards / 8));
    if (points >= shards)
      CHECK(*low > 0);
  }
  // A page of a mapped file of images holds several points of one shard.
  const sharding images(1000000, 8);
  CHECK(images.shard_of(0) == images.shard_of(1023));
  CHECK(images.shard_of(1024) == 1);
}

TEST_CASE("sharding: data sorted by class gives shards that all have each class") {
  const sharding s(50000, 16);
  std::vector<std::set<std::uint32_t>> classes(16);
  for (std::uint32_t id = 0; id < 50000; ++id)
    classes[s.shard_of(id)].insert(id / 5000);
  for (const auto& c : classes)
    CHECK(c.size() == 10);
}

TEST_CASE("shard map: nodes get shares by their workers, a newcomer takes from those that have most") {
  shard_map map(sharding(1000, 16));
  map.worker_joined("a");
  CHECK(sizes(map) == std::vector<std::size_t>{16});
  map.worker_joined("b");
  CHECK(sizes(map) == std::vector<std::size_t>{8, 8});
  map.worker_joined("b"); // a second worker there
  CHECK(sizes(map) == std::vector<std::size_t>{6, 10});
  map.worker_joined("c");
  CHECK(sizes(map) == std::vector<std::size_t>{4, 8, 4});
  check_partition(map, 1000);
}

TEST_CASE("shard map: what a node held goes to those that are left, and back when it returns") {
  shard_map map(sharding(1000, 12));
  for (const char* name : {"a", "b", "c"})
    map.worker_joined(name);
  map.worker_left("b");
  CHECK(sizes(map) == std::vector<std::size_t>{6, 0, 6});
  check_partition(map, 1000);
  CHECK(map.worker_joined("b") == 1);
  CHECK(sizes(map) == std::vector<std::size_t>{4, 4, 4});
  check_partition(map, 1000);
}

TEST_CASE("shard map: with nobody there shards wait where they were, and the next one takes them") {
  shard_map map(sharding(100, 4));
  map.worker_joined("a");
  map.worker_left("a");
  CHECK(sizes(map) == std::vector<std::size_t>{4});
  map.worker_joined("b");
  CHECK(sizes(map) == std::vector<std::size_t>{0, 4});
  map.worker_left("nobody");
  map.worker_left("a"); // has no worker to lose
  check_partition(map, 100);
}

TEST_CASE("shard map random: every point belongs to exactly one node, a live one if there is any") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    CAPTURE(seed);
    rng random(seed, 3);
    const std::size_t shards = 1 + random.below(40);
    shard_map map(sharding(500, shards));
    std::map<std::string, int> workers;
    for (int event = 0; event < 120; ++event) {
      const std::string node(1, static_cast<char>('a' + random.below(6)));
      const auto dice = random.below(10);
      if (dice < 5) {
        map.worker_joined(node);
        ++workers[node];
      } else if (dice < 9) {
        map.worker_left(node);
        workers[node] = std::max(workers[node] - 1, 0);
      } else if (!map.nodes().empty()) {
        const auto to = random.below(map.nodes().size());
        if (map.nodes()[to].workers > 0)
          map.lend(random.below(shards), to);
      }
      if (map.nodes().empty())
        continue;
      check_partition(map, 500);
      const bool anybody =
          std::any_of(workers.begin(), workers.end(), [](const auto& w) { return w.second > 0; });
      for (const auto& n : map.nodes())
        if (anybody && n.workers == 0)
          REQUIRE(n.shards.empty());
    }
  }
}
