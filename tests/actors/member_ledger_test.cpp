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

} // namespace

TEST_CASE("member ledger: a newcomer begins with the slowest of the others") {
  member_ledger ledger;
  const auto a = ledger.join("a").id;
  const auto b = ledger.join("b").id;
  finish_rounds(ledger, a, 5);
  finish_rounds(ledger, b, 3);
  CHECK(ledger.join("c").clock == 3);
}

TEST_CASE("member ledger: where nobody is left, rounds go on where the furthest ended") {
  member_ledger ledger;
  const auto a = ledger.join("a").id;
  const auto b = ledger.join("b").id;
  finish_rounds(ledger, a, 5);
  finish_rounds(ledger, b, 3);
  (void)ledger.remove(a);
  (void)ledger.remove(b);
  CHECK(ledger.join("c").clock == 5);
  CHECK(ledger.join("d").clock == 5);
}
