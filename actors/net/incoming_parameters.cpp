#include "actors/net/incoming_parameters.hpp"

#include "actors/net/snapshot_board.hpp"
#include "actors/net/wire_messages.hpp"
#include "actors/parameter_arrival.hpp"
#include "actors/published_parameters.hpp"

#include <fmt/format.h>
#include <utility>

namespace triage {

result<void> incoming_parameters::begin(std::uint64_t version, std::size_t from) {
  parameter_arrival::head_start there;
  if (from == 0)
    block_ = pool_.acquire();
  else if (next_.block.size() == 0 || next_.version != version || next_.begin != from)
    return run_error(fmt::format("it says that parameters of version {} from {} on have gone ahead, which "
                                 "they have not",
                                 version, from));
  else {
    there = {next_.begin, next_.end};
    block_ = std::exchange(next_, {}).block;
  }
  latest_ = {version, block_.early_look(), std::make_shared<parameter_arrival>(block_.size(), there)};
  return {};
}

result<std::span<float>> incoming_parameters::place_ahead(std::span<const std::uint8_t> head,
                                                          std::size_t floats) {
  const auto part = read_pair(head);
  if (!part.ok())
    return part.error();
  const auto [version, begin] = *part;
  const std::size_t all = pool_.block_size();
  if (floats == 0 || floats > all || begin == 0 || begin > all - floats)
    return run_error(fmt::format("it sent {} parameters from {} on ahead, of {}", floats, begin, all));
  if (next_.block.size() == 0)
    next_.block = pool_.acquire();
  if (next_.version != version || next_.begin != begin + floats) {
    next_.version = version;
    next_.begin = next_.end = begin + floats;
  }
  return next_.block.values().subspan(begin, floats);
}

result<void> incoming_parameters::arrived_ahead(std::span<const std::uint8_t> head, std::size_t floats) {
  const auto placed = place_ahead(head, floats); // which has looked at it
  if (!placed.ok())
    return placed.error();
  next_.begin -= floats;
  return {};
}

result<std::span<float>> incoming_parameters::place(std::span<const std::uint8_t> head, std::size_t floats) {
  const auto part = read_pair(head);
  if (!part.ok())
    return part.error();
  const auto [version, offset] = *part;
  if (!latest_.arriving && (floats == 0 || (offset == 0 && floats <= pool_.block_size()))) {
    if (auto begun = begin(version, floats == 0 ? offset : 0); !begun.ok())
      return begun.error();
    if (floats == 0)
      return std::span<float>();
  }
  const std::size_t there = latest_.arriving ? latest_.arriving->ready() : 0;
  if (!latest_.arriving || block_.size() == 0 || version != latest_.version || offset != there ||
      floats > block_.size() - there)
    return run_error(fmt::format("it sent a part of the parameters, {} floats from {} on at version {}, that "
                                 "does not follow the one before",
                                 floats, offset, version));
  return block_.values().subspan(there, floats);
}

result<void> incoming_parameters::arrived(std::span<const std::uint8_t> head, std::size_t floats) {
  if (floats == 0) {
    const auto placed = place(head, 0);
    return placed.ok() ? result<void>() : placed.error();
  }
  latest_.arriving->advance(latest_.arriving->ready() + floats);
  if (!latest_.arriving->complete())
    return {};
  latest_.arriving = nullptr;
  block_ = {};
  return {};
}

result<void> incoming_parameters::on_board(std::span<const std::uint8_t> head) {
  const auto m = read_board_frame(head);
  if (!m.ok())
    return m.error();
  const std::size_t all = pool_.block_size();
  auto values = read_board(board_, m->place, all);
  if (!values.ok())
    return values.error();
  if (!latest_.arriving && m->end == 0)
    latest_ = {m->version, values.take(), std::make_shared<parameter_arrival>(all)};
  else if (!latest_.arriving || m->version != latest_.version ||
           values->data() != latest_.parameters.data() || m->end <= latest_.arriving->ready() || m->end > all)
    return run_error(fmt::format("it says that {} parameters of version {} are on its board, which does not "
                                 "follow what it said before",
                                 m->end, m->version));
  latest_.arriving->advance(m->end);
  if (latest_.arriving->complete())
    latest_.arriving = nullptr;
  return {};
}

result<void> incoming_parameters::changed(std::span<const std::uint8_t> head) {
  const auto m = read_change(head);
  if (!m.ok())
    return m.error();
  if (changes_ == nullptr || latest_.arriving || latest_.parameters.empty() ||
      m->change.from != latest_.version)
    return run_error("it sent a change of parameters that are not here");
  mutable_blob next = pool_.acquire();
  if (auto applied = apply_change(*changes_, m->change, latest_.parameters.view(), next.values());
      !applied.ok())
    return applied;
  latest_ = {m->version, std::move(next).freeze()};
  return {};
}

void incoming_parameters::fail(const std::string& reason) {
  if (latest_.arriving)
    latest_.arriving->fail(reason);
}

} // namespace triage
