#include "actors/member_ledger.hpp"

#include <doctest/doctest.h>

using namespace triage;

namespace {

batch_list one_batch() {
  auto b = std::make_shared<drawn_batch>();
  b->ids = {0};
  return {b};
}

void finish_rounds(member_ledger& ledger, std::uint64_t id, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    const auto lease = ledger.grant(*ledger.find(id), 0, one_batch()).id;
    REQUIRE(ledger.settle(id, lease));
  }
}

/// Two members, one of them two rounds behind.
struct uneven_ledger {
  member_ledger ledger;
  std::uint64_t ahead = ledger.join("a").id;
  std::uint64_t behind = ledger.join("b").id;
  uneven_ledger() {
    finish_rounds(ledger, ahead, 5);
    finish_rounds(ledger, behind, 3);
  }
};

} // namespace

TEST_CASE("member ledger: a newcomer begins with the slowest of the others") {
  uneven_ledger u;
  CHECK(u.ledger.join("c").clock == 3);
}

TEST_CASE("member ledger: where nobody is left, rounds go on where the furthest ended") {
  uneven_ledger u;
  (void)u.ledger.remove(u.ahead);
  (void)u.ledger.remove(u.behind);
  CHECK(u.ledger.join("c").clock == 5);
  CHECK(u.ledger.join("d").clock == 5);
}
