#include "nn/kernels/memory_plan.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace triage {

namespace {

constexpr std::size_t line = 16; // floats

std::size_t whole_lines(std::size_t floats) {
  return (floats + line - 1) / line * line;
}

bool meet(const memory_piece& a, const memory_piece& b) {
  return a.first <= b.last && b.first <= a.last;
}

} // namespace

std::size_t place_pieces(std::span<memory_piece> pieces) {
  std::vector<std::size_t> by_size(pieces.size());
  std::iota(by_size.begin(), by_size.end(), std::size_t{0});
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](auto a, auto b) { return pieces[a].floats > pieces[b].floats; });
  std::size_t total = 0;
  std::vector<const memory_piece*> in_the_way; // those placed that are needed at the same time, from below
  for (std::size_t turn = 0; turn < by_size.size(); ++turn) {
    memory_piece& piece = pieces[by_size[turn]];
    in_the_way.clear();
    for (std::size_t before = 0; before < turn; ++before)
      if (const auto& other = pieces[by_size[before]]; meet(piece, other))
        in_the_way.push_back(&other);
    std::sort(in_the_way.begin(), in_the_way.end(),
              [](const auto* a, const auto* b) { return a->offset < b->offset; });
    std::size_t at = 0;
    for (const auto* other : in_the_way) {
      if (at + piece.floats <= other->offset)
        break;
      at = std::max(at, whole_lines(other->offset + other->floats));
    }
    piece.offset = at;
    total = std::max(total, at + piece.floats);
  }
  return total;
}

} // namespace triage
