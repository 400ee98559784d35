#include "actors/net/outgoing_parameters.hpp"

#include "actors/net/wire_messages.hpp"
#include "actors/parameter_arrival.hpp"
#include "core/protocol_sizes.hpp"

#include <algorithm>

namespace triage {

outgoing_parameters::outgoing_parameters(snapshot at, float_format format,
                                         std::span<const std::size_t> layer_begins)
    : at_(std::move(at)), format_(format), layer_begins_(layer_begins) {}

outgoing_parameters::outgoing_parameters(snapshot at, std::shared_ptr<const snapshot_board::place> place,
                                         std::span<const std::size_t> layer_begins)
    : at_(std::move(at)), place_(std::move(place)), layer_begins_(layer_begins) {}

frame outgoing_parameters::announcement(std::size_t sent_ahead) const {
  if (place_)
    return to_frame(board_frame{at_.version, place_->number, 0});
  return frame(frame_kind::parameters,
               pair_head(at_.version, sent_ahead > 0 ? begins_ahead_[sent_ahead - 1] : 0));
}

/// The end of what is to be framed in one go, or of the last layer within the usual size, or of one that ends
/// not far behind it.
std::size_t outgoing_parameters::end_of_part() const {
  constexpr std::size_t usual = parameter_part_floats;
  const std::size_t all = framed_ < ahead_begin_ ? ahead_begin_ : at_.parameters.size();
  if (all <= framed_ + usual + usual / 4)
    return all;
  const auto behind = std::upper_bound(layer_begins_.begin(), layer_begins_.end(), framed_ + usual);
  if (behind != layer_begins_.begin() && *(behind - 1) >= framed_ + usual / 4)
    return *(behind - 1);
  if (behind != layer_begins_.end() && *behind <= framed_ + usual + usual / 4)
    return *behind;
  return framed_ + usual;
}

frame outgoing_parameters::make_part(std::size_t begin, std::size_t size) {
  if (!place_)
    return {frame_kind::parameters, pair_head(at_.version, begin), at_.parameters, begin, size, format_};
  lay_out(begin, size);
  const std::size_t end = begin + size;
  return to_frame(board_frame{at_.version, place_->number, end == ahead_begin_ ? ahead_end_ : end});
}

void outgoing_parameters::lay_out(std::size_t begin, std::size_t size) {
  const auto values = at_.parameters.view().subspan(begin, size);
  std::copy(values.begin(), values.end(), place_->values.begin() + static_cast<std::ptrdiff_t>(begin));
}

void outgoing_parameters::add_ahead(std::size_t begin, std::size_t end) {
  if (ahead_end_ == 0)
    ahead_begin_ = ahead_end_ = end;
  if (place_)
    lay_out(begin, ahead_begin_ - begin);
  while (!place_ && ahead_begin_ > begin) {
    const std::size_t part_begin = begin_of_part(begin);
    const auto head = pair_head(at_.version, part_begin);
    parts_ahead_.emplace_back(frame_kind::parameters_ahead, head, at_.parameters, part_begin,
                              ahead_begin_ - part_begin, format_);
    parts_late_.push_back(parts_ahead_.back().as(frame_kind::parameters, head));
    begins_ahead_.push_back(part_begin);
    ahead_begin_ = part_begin;
  }
  ahead_begin_ = begin;
}

/// As end_of_part, from the back.
std::size_t outgoing_parameters::begin_of_part(std::size_t begin) const {
  constexpr std::size_t usual = parameter_part_floats;
  const std::size_t end = ahead_begin_;
  if (end - begin <= usual + usual / 4)
    return begin;
  const auto layer = std::lower_bound(layer_begins_.begin(), layer_begins_.end(), end - usual - usual / 4);
  return layer != layer_begins_.end() && *layer <= end - usual / 4 ? *layer : end - usual;
}

std::size_t outgoing_parameters::parts(std::size_t sent_ahead) {
  const std::size_t all = at_.parameters.size();
  const std::size_t ready = at_.arriving ? at_.arriving->ready() : all;
  while (framed_ < ready) {
    const std::size_t size = std::min(end_of_part(), ready) - framed_;
    parts_.push_back(make_part(framed_, size));
    framed_ += size;
    if (framed_ == ahead_begin_) {
      front_parts_ = parts_.size();
      framed_ = ahead_end_;
    }
  }
  if (framed_ == all)
    at_.parameters = {};
  return parts_.size() + late_parts(sent_ahead);
}

const frame& outgoing_parameters::part(std::size_t index, std::size_t sent_ahead) const {
  const std::size_t late = late_parts(sent_ahead);
  if (late == 0 || index < front_parts_)
    return parts_[index];
  return index < front_parts_ + late ? parts_late_[parts_late_.size() - 1 - (index - front_parts_)]
                                     : parts_[index - late];
}

} // namespace triage
