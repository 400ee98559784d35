#include "core/exchange.hpp"

#include "core/rng.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <string>

using namespace triage;

namespace {

std::unique_ptr<exchange_policy> make(const std::string& json) {
  auto document = parse_json(json, "exchange");
  REQUIRE(document.ok());
  auto made = make_exchange(*document, {"exchange", ""});
  REQUIRE_MESSAGE(made.ok(), made.error().message);
  return made.take();
}

} // namespace

TEST_CASE("exchange: over the whole table, random events never deadlock, respect the lag bound and merge "
          "everything") {
  for (const auto& entry : exchange_policies()) {
    CAPTURE(entry.name);
    const auto policy = make("{\"policy\": \"" + std::string(entry.name) + "\"}");
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      rng random(seed, 1);
      std::vector<member_view> members;
      for (std::uint64_t i = 0; i < 4; ++i)
        members.push_back({i, 0, false, 0});
      std::uint64_t next = 4;
      std::vector<std::uint64_t> unmerged; // the rounds of results
      for (int event = 0; event < 2000; ++event) {
        const cluster_view view{members, false};
        for (auto& m : members)
          while (m.ordered - m.clock < policy->orders_at_once() && policy->may_start(m, view)) {
            m.computing = true;
            ++m.ordered;
            CHECK(m.clock - view.smallest_clock() <= policy->lag_bound());
          }
        // No deadlock: with members there is always one at work, or something to merge.
        REQUIRE(std::any_of(members.begin(), members.end(), [](const auto& m) { return m.computing; }));
        std::size_t k = static_cast<std::size_t>(random.below(members.size()));
        while (!members[k].computing)
          k = (k + 1) % members.size();
        const auto dice = random.below(20);
        if (dice == 0 && members.size() > 1) {
          members.erase(members.begin() + static_cast<std::ptrdiff_t>(k)); // dies with its lease
        } else {
          unmerged.push_back(members[k].clock++);
          members[k].computing = members[k].ordered > members[k].clock;
          if (dice == 1)
            members.push_back({next++, view.smallest_clock(), false, view.smallest_clock()});
        }
        const auto oldest = [&] { return *std::min_element(unmerged.begin(), unmerged.end()); };
        while (!unmerged.empty() && policy->merge_now({members, false, oldest()}))
          std::erase_if(unmerged,
                        [&, round = oldest()](auto r) { return !policy->merges_rounds() || r == round; });
        CHECK(unmerged.size() <= policy->orders_at_once() * (members.size() + 4));
      }
      for (auto& m : members)
        m.computing = false;
      CHECK(policy->merge_now({members, true}));
    }
  }
}

TEST_CASE("exchange: bsp waits for all, ssp for the slowest within its bound, asp for nobody") {
  const auto bsp = make(R"({"policy": "bsp"})");
  const auto ssp = make(R"({"policy": "ssp", "staleness": 2})");
  const auto asp = make(R"({"policy": "asp"})");
  const std::vector<member_view> members = {{0, 5, false}, {1, 7, false}, {2, 8, false}};
  const cluster_view view{members, false};
  CHECK(bsp->may_start(members[0], view));
  CHECK(!bsp->may_start(members[1], view));
  CHECK(!bsp->merge_now(view));
  CHECK(bsp->merge_now({members, true}));
  CHECK(ssp->may_start(members[1], view));
  CHECK(!ssp->may_start(members[2], view));
  CHECK(asp->may_start(members[2], view));
}

TEST_CASE("exchange: a name alone is the policy with its defaults") {
  CHECK(make(R"("bsp")")->merges_rounds());
  CHECK(!make(R"("asp")")->merges_rounds());
  CHECK(make(R"("local_sgd")")->local());
}

TEST_CASE("exchange: unknown policies and options are refused") {
  auto document = parse_json(R"({"policy": "bps"})", "run.json");
  const auto made = make_exchange(*document, {"run.json", "/runtime/exchange"});
  REQUIRE(!made.ok());
  CHECK(made.error().message.find("did you mean \"bsp\"") != std::string::npos);
  auto extra = parse_json(R"({"policy": "bsp", "staleness": 2})", "run.json");
  CHECK(!make_exchange(*extra, {"run.json", "/runtime/exchange"}).ok());
}
