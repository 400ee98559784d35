#include "actors/net/snapshot_board.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace triage {

namespace {

constexpr std::size_t page = 4096;
/// Of a file of zeros, which takes memory only where something was written. Under `asp` as many versions are
/// out as there are workers.
constexpr std::size_t most_places = 64;

std::size_t bytes_of_a_place(std::size_t floats) {
  return (floats * sizeof(float) + page - 1) / page * page;
}

} // namespace

result<std::shared_ptr<snapshot_board>> snapshot_board::create(std::size_t floats) {
  auto memory = shared_memory::create(most_places * std::max(bytes_of_a_place(floats), page),
                                      shared_memory::others::read);
  if (!memory.ok())
    return memory.error();
  return std::shared_ptr<snapshot_board>(
      new snapshot_board(floats, std::make_shared<shared_memory>(memory.take())));
}

snapshot_board::snapshot_board(std::size_t floats, std::shared_ptr<shared_memory> memory)
    : floats_(floats), memory_(std::move(memory)) {}

std::shared_ptr<const snapshot_board::place> snapshot_board::acquire() {
  const auto free =
      std::find_if(places_.begin(), places_.end(), [](const auto& p) { return p.use_count() == 1; });
  if (free != places_.end())
    return *free;
  const std::size_t bytes = bytes_of_a_place(floats_);
  const std::size_t begin = places_.size() * bytes;
  if (places_.size() == most_places || !memory_->reserve(begin, bytes))
    return nullptr;
  auto* const values = reinterpret_cast<float*>(memory_->writable().data() + begin);
  places_.push_back(std::make_shared<place>(place{places_.size(), {values, floats_}}));
  return places_.back();
}

result<blob> read_board(const std::shared_ptr<const shared_memory>& board, std::uint64_t place,
                        std::size_t floats) {
  const std::size_t bytes = bytes_of_a_place(floats);
  if (!board || place >= most_places || board->bytes().size() < (place + 1) * bytes)
    return run_error(fmt::format("it refers to place {} of a board that has none", place));
  const auto* const values = reinterpret_cast<const float*>(board->bytes().data() + place * bytes);
  return blob::view_of({values, floats}, board);
}

} // namespace triage
