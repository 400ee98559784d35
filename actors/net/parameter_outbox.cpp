#include "actors/net/parameter_outbox.hpp"

#include <utility>

namespace triage {

namespace {

bool is_of(const std::shared_ptr<outgoing_parameters>& frames, std::uint64_t version,
           const blob& parameters) {
  return frames && frames->version() == version && frames->parameters().data() == parameters.data();
}

} // namespace

std::shared_ptr<outgoing_parameters> parameter_outbox::on_board(const snapshot& at) {
  const auto place = board_->acquire();
  return place ? std::make_shared<outgoing_parameters>(at, place, layer_begins_) : nullptr;
}

std::shared_ptr<outgoing_parameters> parameter_outbox::known(const way& w, std::uint64_t version) {
  if (w.newest && w.newest->version() == version)
    return w.newest;
  const auto others = w.sent.lock();
  return others && others->version() == version ? others : nullptr;
}

std::shared_ptr<outgoing_parameters> parameter_outbox::begin(way& w, const snapshot& at) {
  const bool comes = is_of(w.next, at.version, at.parameters);
  w.newest = comes ? w.next : nullptr; // whichever is not wanted lets go of its place
  if (comes)
    w.newest->begin(at);
  if (w.next && w.next->version() <= at.version)
    w.next = nullptr;
  return w.newest;
}

std::shared_ptr<outgoing_parameters> parameter_outbox::frames_of(const snapshot& at, bool sees_board) {
  if (next_.version <= at.version)
    next_ = {};
  if (sees_board && board_) {
    if (auto frames = known(places_, at.version))
      return frames;
    if (begin(places_, at) || (places_.newest = on_board(at)))
      return places_.newest;
  }
  if (auto frames = known(floats_, at.version))
    return frames;
  if (!begin(floats_, at))
    floats_.newest = std::make_shared<outgoing_parameters>(at, format_, layer_begins_);
  return floats_.newest;
}

void parameter_outbox::foresee(const parameters_ahead& next) {
  next_ = next;
  for (way* const w : {&floats_, &places_})
    if (is_of(w->next, next_.version, next_.parameters))
      w->next->add_ahead(next_.begin, next_.end);
    else
      w->next = nullptr;
}

std::shared_ptr<outgoing_parameters> parameter_outbox::frames_ahead(bool sees_board) {
  if (next_.parameters.empty())
    return nullptr;
  way& w = sees_board && board_ ? places_ : floats_;
  if (!w.next) {
    const snapshot at{next_.version, next_.parameters};
    w.next =
        &w == &places_ ? on_board(at) : std::make_shared<outgoing_parameters>(at, format_, layer_begins_);
    if (w.next)
      w.next->add_ahead(next_.begin, next_.end);
  }
  return w.next;
}

void parameter_outbox::sent(const std::shared_ptr<outgoing_parameters>& frames) {
  if (!frames->is_copy() && floats_.newest == frames)
    floats_.sent = std::exchange(floats_.newest, nullptr);
}

} // namespace triage
