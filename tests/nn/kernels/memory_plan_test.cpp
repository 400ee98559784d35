#include "nn/kernels/memory_plan.hpp"

#include "core/rng.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <vector>

using namespace triage;

namespace {

bool needed_together(const memory_piece& a, const memory_piece& b) {
  return a.first <= b.last && b.first <= a.last;
}

bool overlap(const memory_piece& a, const memory_piece& b) {
  return a.floats > 0 && b.floats > 0 && a.offset < b.offset + b.floats && b.offset < a.offset + a.floats;
}

} // namespace

TEST_CASE("pieces that are needed together do not overlap, and the block is between the two bounds") {
  rng random(11, rng_purpose::synthetic);
  for (int round = 0; round < 200; ++round) {
    CAPTURE(round);
    constexpr std::size_t steps = 24;
    std::vector<memory_piece> pieces(1 + random.below(40));
    std::size_t all = 0;
    for (auto& p : pieces) {
      p.floats = random.below(4) == 0 ? 0 : random.below(1000);
      p.first = random.below(steps);
      p.last = p.first + random.below(steps - p.first);
      all += (p.floats + 15) / 16 * 16;
    }
    const std::size_t total = place_pieces(pieces);
    CHECK(total <= all);
    for (std::size_t step = 0; step < steps; ++step) {
      std::size_t live = 0;
      for (const auto& p : pieces)
        live += p.first <= step && step <= p.last ? p.floats : 0;
      CHECK(total >= live);
    }
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      wrong += pieces[i].offset % 16 != 0 || pieces[i].offset + pieces[i].floats > total ? 1 : 0;
      for (std::size_t j = 0; j < i; ++j)
        wrong += needed_together(pieces[i], pieces[j]) && overlap(pieces[i], pieces[j]) ? 1 : 0;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("a row of pieces, each needed until the next was written, takes the largest two neighbours") {
  std::vector<memory_piece> row;
  for (std::size_t i = 0; i < 9; ++i)
    row.push_back({i == 4 ? std::size_t{320} : std::size_t{160}, i, i + 1});
  CHECK(place_pieces(row) == 480);
  CHECK(place_pieces({}) == 0);
}
