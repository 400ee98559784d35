#include "actors/net/outgoing_parameters.hpp"

#include "actors/net/wire_messages.hpp"
#include "actors/parameter_arrival.hpp"
#include "core/protocol_sizes.hpp"

#include <algorithm>

namespace triage {

outgoing_parameters::outgoing_parameters(snapshot at, float_format format)
    : at_(std::move(at)), format_(format) {}

frame outgoing_parameters::announcement() const {
  return frame(frame_kind::parameters, pair_head(at_.version, 0));
}

const std::vector<frame>& outgoing_parameters::parts() {
  const std::size_t all = at_.parameters.size();
  const std::size_t ready = at_.arriving ? at_.arriving->ready() : all;
  while (framed_ < ready) {
    const std::size_t size = std::min(parameter_part_floats, ready - framed_);
    parts_.emplace_back(frame_kind::parameters, pair_head(at_.version, framed_), at_.parameters, framed_,
                        size, format_);
    framed_ += size;
  }
  if (framed_ == all)
    at_.parameters = {};
  return parts_;
}

} // namespace triage
