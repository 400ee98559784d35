#pragma once

#include "actors/net/incoming_parameters.hpp"
#include "actors/parameter_arrival.hpp"
#include "actors/parameters_ahead.hpp"
#include "remote_stage.hpp"

// Parameters as a coordinator merges them and as a node takes them, for tests of what travels.

namespace triage::test {

using number_pair = std::pair<std::uint64_t, std::uint64_t>;

inline number_pair numbers_of(const frame& f) {
  const auto read = read_pair(f.front().subspan(frame_header::size));
  REQUIRE(read.ok());
  return *read;
}

inline std::size_t floats_of(const frame& f) {
  return f.bulk().size() / sizeof(float);
}

/// What follows the announcement to a node that was sent so many parts ahead.
inline std::vector<frame> parts_of(outgoing_parameters& out, std::size_t sent_ahead) {
  std::vector<frame> all;
  for (std::size_t i = 0, size = out.parts(sent_ahead); i < size; ++i)
    all.push_back(out.part(i, sent_ahead));
  return all;
}

/// To one that has got all of what went ahead.
inline std::vector<frame> parts_of(outgoing_parameters& out) {
  return parts_of(out, out.parts_ahead().size());
}

/// Parameters that are merged from back to front, and then become a snapshot.
struct next_parameters {
  explicit next_parameters(std::uint64_t version_number, std::size_t size)
      : version(version_number), block(size) {}
  parameters_ahead merged_to(std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      block.values()[i] = static_cast<float>(i % 1000);
    ahead = {version, block.early_look(), begin, end};
    return ahead;
  }
  /// Where nothing of it is final yet but that end.
  snapshot begun() {
    arrival = std::make_shared<parameter_arrival>(block.size(),
                                                  parameter_arrival::head_start{ahead.begin, ahead.end});
    return {version, block.early_look(), arrival};
  }
  std::uint64_t version;
  mutable_blob block;
  parameters_ahead ahead;
  std::shared_ptr<parameter_arrival> arrival;
};

/// What a node takes from one frame of a part.
inline std::string take(incoming_parameters& in, std::uint64_t version, std::size_t begin, std::size_t size,
                        float value = 0.0F) {
  const auto head = pair_head(version, begin);
  if (size > 0) {
    const auto place = in.place(head, size);
    if (!place.ok())
      return place.error().message;
    REQUIRE(place->size() == size);
    std::fill(place->begin(), place->end(), value);
  }
  const auto taken = in.arrived(head, size);
  return taken.ok() ? "taken" : taken.error().message;
}

/// What a node takes from a part that goes ahead.
inline std::string take_ahead(incoming_parameters& in, std::uint64_t version, std::size_t begin,
                              std::size_t size, float value = 0.0F) {
  const auto head = pair_head(version, begin);
  const auto place = in.place_ahead(head, size);
  if (!place.ok())
    return place.error().message;
  REQUIRE(place->size() == size);
  std::fill(place->begin(), place->end(), value);
  const auto taken = in.arrived_ahead(head, size);
  return taken.ok() ? "taken" : taken.error().message;
}

} // namespace triage::test
