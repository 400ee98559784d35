#include "actors/net/incoming_parameters.hpp"

#include "actors/net/wire_messages.hpp"
#include "actors/parameter_arrival.hpp"
#include "actors/published_parameters.hpp"

#include <fmt/format.h>

namespace triage {

void incoming_parameters::begin(std::uint64_t version) {
  block_ = pool_.acquire();
  latest_ = {version, block_.early_look(), std::make_shared<parameter_arrival>(block_.size())};
}

result<std::span<float>> incoming_parameters::place(std::span<const std::uint8_t> head, std::size_t floats) {
  const auto part = read_pair(head);
  if (!part.ok())
    return part.error();
  const auto [version, offset] = *part;
  if (!latest_.arriving && offset == 0 && floats <= pool_.block_size())
    begin(version);
  const std::size_t there = latest_.arriving ? latest_.arriving->ready() : 0;
  if (!latest_.arriving || version != latest_.version || offset != there || floats > block_.size() - there)
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
  const std::size_t there = latest_.arriving->ready() + floats;
  latest_.arriving->advance(there);
  if (there < block_.size())
    return {};
  latest_.arriving = nullptr;
  block_ = {};
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
