#include "core/exchange.hpp"
#include "core/rng.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <string>
#include <vector>

// Every exchange policy in the table under random runs of a small cluster: members of different speed that
// join, finish, die idle or at work, and a drain at the end.

using namespace triage;

namespace {

std::vector<std::string> descriptions() {
  std::vector<std::string> all = {R"({"policy": "ssp", "staleness": 0})",
                                  R"({"policy": "ssp", "staleness": 1})",
                                  R"({"policy": "ssp", "staleness": 10})"};
  for (const auto name : names_of(exchange_policies()))
    all.push_back("{\"policy\": \"" + std::string(name) + "\"}");
  return all;
}

template <class Check>
void for_every_policy(const Check& check) {
  for (const auto& text : descriptions()) {
    CAPTURE(text);
    const auto policy = make_exchange(json_text(text), {"test", ""});
    REQUIRE_MESSAGE(policy.ok(), policy.error().message);
    check(**policy);
  }
}

struct cluster_under_test {
  const exchange_policy& policy;
  std::vector<member_view> members;
  std::uint64_t next_id = 0;
  std::vector<std::uint64_t> unmerged = {}; ///< the rounds of results
  int merges = 0;

  explicit cluster_under_test(const exchange_policy& p, std::uint64_t size) : policy(p) {
    for (std::uint64_t i = 0; i < size; ++i)
      join();
  }
  [[nodiscard]] cluster_view view(bool draining = false) const {
    const auto oldest = std::min_element(unmerged.begin(), unmerged.end());
    return {members, draining, oldest == unmerged.end() ? 0 : *oldest};
  }
  void join() {
    const auto clock = view().smallest_clock();
    members.push_back({next_id++, clock, false, clock});
  }
  void start_all() {
    for (auto& m : members)
      while (m.ordered - m.clock < policy.orders_at_once() && policy.may_start(m, view())) {
        ++m.ordered;
        m.computing = true;
      }
  }
  void merge_if_due(bool draining = false) {
    while (!unmerged.empty() && policy.merge_now(view(draining))) {
      const auto oldest = view().oldest_round;
      std::erase_if(unmerged, [&](auto round) { return !policy.merges_rounds() || round == oldest; });
      ++merges;
    }
  }
  void answer(std::size_t k) {
    unmerged.push_back(members[k].clock);
    ++members[k].clock;
    members[k].computing = members[k].ordered > members[k].clock;
  }
  void finish(std::size_t k) {
    answer(k);
    merge_if_due();
  }
  void die(std::size_t k) {
    members.erase(members.begin() + static_cast<std::ptrdiff_t>(k));
    merge_if_due();
  }
  [[nodiscard]] std::vector<std::size_t> computing() const {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < members.size(); ++i)
      if (members[i].computing)
        out.push_back(i);
    return out;
  }
  [[nodiscard]] std::uint64_t lead() const {
    const auto [low, high] = std::minmax_element(
        members.begin(), members.end(), [](const auto& a, const auto& b) { return a.clock < b.clock; });
    return members.empty() ? 0 : high->clock - low->clock;
  }
};

} // namespace

TEST_CASE(
    "exchange random: whatever happens there is work, the lead is bounded, and a drain merges the rest") {
  for_every_policy([](const exchange_policy& policy) {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
      rng random(seed, 0);
      cluster_under_test c(policy, 1 + random.below(6));
      for (int event = 0; event < 500; ++event) {
        c.start_all();
        const auto at_work = c.computing();
        REQUIRE_FALSE(at_work.empty());
        // Some members are ten times slower than others: the lead gets as large as it may.
        auto k = at_work[random.below(at_work.size())];
        if (c.members[k].id % 3 == 0 && random.below(10) > 0)
          k = at_work.back();
        const auto dice = random.below(30);
        if (dice == 0 && c.members.size() > 1)
          c.die(static_cast<std::size_t>(random.below(c.members.size()))); // idle ones die as well
        else if (dice == 1 && c.members.size() < 8)
          c.join();
        else
          c.finish(k);
        REQUIRE(c.lead() <= policy.lag_bound());
      }
      // Nothing starts any more; those at work finish or die one after the other.
      while (!c.computing().empty()) {
        const auto k = c.computing().front();
        if (random.below(4) == 0)
          c.members.erase(c.members.begin() + static_cast<std::ptrdiff_t>(k));
        else
          c.answer(k);
        c.merge_if_due(true);
      }
      CHECK(c.unmerged.empty());
    }
  });
}

TEST_CASE("exchange random: the death of the slowest, and of the only one at work, lets the others go on") {
  for_every_policy([](const exchange_policy& policy) {
    for (std::size_t size = 2; size <= 5; ++size)
      for (std::size_t dead = 0; dead < size; ++dead) {
        cluster_under_test c(policy, size);
        // Everybody but `dead` runs until the policy stops them, or until it is plain that it never does.
        for (int round = 0; round < 40; ++round) {
          c.start_all();
          for (const auto k : c.computing())
            if (k != dead)
              c.finish(k);
        }
        const bool bounded = policy.lag_bound() < 100;
        c.start_all();
        CHECK((c.computing().size() == 1) == bounded); // only `dead` is at work: the others wait for it
        CHECK(c.members[dead].computing);
        c.die(dead);
        CHECK(c.unmerged.empty());
        c.start_all();
        CHECK(c.computing().size() == size - 1);
      }
  });
}

TEST_CASE(
    "exchange random: a newcomer may start at once and holds nobody back for more than its first round") {
  for_every_policy([](const exchange_policy& policy) {
    cluster_under_test c(policy, 3);
    for (int round = 0; round < 7; ++round) {
      c.start_all();
      for (const auto k : c.computing())
        c.finish(k);
    }
    c.join();
    c.start_all();
    CHECK(c.members.back().computing);
    for (const auto k : c.computing())
      c.finish(k);
    c.start_all();
    CHECK(c.computing().size() == 4);
  });
}

TEST_CASE("exchange random: with one member every result is merged at once and the next round may start") {
  for_every_policy([](const exchange_policy& policy) {
    cluster_under_test c(policy, 1);
    for (int round = 1; round <= 20; ++round) {
      c.start_all();
      REQUIRE(c.members[0].computing);
      c.finish(0);
      CHECK(c.merges == round);
      CHECK(c.unmerged.empty());
      CHECK(policy.at_boundary(c.view()));
    }
  });
}

TEST_CASE("exchange random: at a boundary nothing waits to be merged, and with nobody there it is one") {
  for_every_policy([](const exchange_policy& policy) {
    rng random(3, 3);
    cluster_under_test c(policy, 4);
    int boundaries = 0;
    for (int event = 0; event < 400; ++event) {
      if (policy.at_boundary(c.view())) {
        ++boundaries;
        // With orders ahead, results that wait for others will be there when these are answered.
        CHECK((c.unmerged.empty() || policy.orders_at_once() > 1));
      }
      c.start_all();
      const auto at_work = c.computing();
      c.finish(at_work[random.below(at_work.size())]);
    }
    CHECK(boundaries > 50);
    CHECK(policy.at_boundary({{}, false}));
    CHECK(policy.merge_now({{}, true}));
  });
}

TEST_CASE("exchange random: bsp and policies of local steps merge each round once, ssp and asp each result") {
  for (const auto name : names_of(exchange_policies())) {
    CAPTURE(name);
    const auto policy = make_exchange(json_text("{\"policy\": \"" + std::string(name) + "\"}"), {"test", ""});
    REQUIRE(policy.ok());
    cluster_under_test c(**policy, 3);
    for (int round = 0; round < 10; ++round) {
      c.start_all();
      for (const auto k : c.computing())
        c.finish(k);
    }
    CHECK(c.merges == ((*policy)->merges_rounds() ? 10 : 30));
  }
}

TEST_CASE("exchange: what is wrong with a description is said with its place") {
  const auto problem = [](const std::string& text) {
    const auto made = make_exchange(json_text(text), {"run.json", "/runtime/exchange"});
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().kind == error_kind::configuration);
    return made.error().message;
  };
  CHECK(problem("{}").starts_with("run.json, line 1, /runtime/exchange: needs a \"policy\""));
  CHECK(problem("7").starts_with("run.json, line 1, /runtime/exchange: needs a \"policy\""));
  CHECK(problem("{\n\"policy\": 3}").find("needs a \"policy\"") != std::string::npos);
  CHECK(problem("{\"policy\": \"spp\"}").starts_with("run.json, line 1, /runtime/exchange/policy: unknown"));
  CHECK(problem("{\"policy\": \"ssp\",\n\"staleness\": -1}")
            .starts_with("run.json, line 2, /runtime/exchange/staleness: is -1"));
  CHECK(problem("{\"policy\": \"ssp\", \"stalenes\": 1}").find("did you mean \"staleness\"?") !=
        std::string::npos);
}
