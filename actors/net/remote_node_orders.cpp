#include "actors/net/remote_node.hpp"
#include "core/protocol_sizes.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

// What a node is sent: orders, and the parameters and directions that they refer to.

namespace triage {

namespace {
constexpr std::size_t most_queued_ahead = 2 * sizeof(float) * parameter_part_floats; ///< bytes
} // namespace

/// Orders refer to the last snapshot that was announced before them. Its parts follow: an order that went
/// behind them would wait until all of them have arrived.
void remote_node::announce(const snapshot& at) {
  if (sent_version_ == at.version)
    return;
  // Whoever works over there with the ones before still waits for the rest of them.
  while (send_a_part()) {
  }
  if (at.change && sent_version_ == at.change->from && !outgoing_) {
    sent_version_ = at.version;
    sent_place_ = nullptr;
    return tensor_->send_here(change_frame(at));
  }
  outgoing_ = run_->outbox.frames_of(at, sees_board_);
  sent_before_ = ahead_ == outgoing_ ? sent_ahead_ : 0;
  ahead_ = nullptr;
  sent_version_ = at.version;
  sent_place_ = outgoing_->place();
  sent_parts_ = 0;
  tensor_->send_here(outgoing_->announcement(sent_before_));
}

void remote_node::take_turns(bool& taken, bool (remote_node::*send)()) {
  if (std::exchange(taken, true))
    return;
  run_->sending.take([weak = weak_from_this(), &taken, send] {
    const auto self = weak.lock();
    if (!self)
      return false;
    taken = false; // also when it throws
    return taken = std::invoke(send, *self);
  });
}

/// No more at once than keeps the link busy: what is foreseen may still turn out wrong, and an order does not
/// wait behind it for long.
bool remote_node::send_a_part_ahead() {
  const bool computes = std::any_of(slots_.begin(), slots_.end(), [](const auto& s) {
    return s.second.role == slot_role::worker && !s.second.orders.empty();
  });
  if (over_ || !computes)
    return false;
  const auto next = run_->outbox.frames_ahead(sees_board_);
  if (ahead_ != next) { // nobody needs what was foreseen before
    ahead_ = next;
    sent_ahead_ = 0;
  }
  const auto may = [&] {
    return !over_ && sent_ahead_ < next->parts_ahead().size() && tensor_->queued_bytes() <= most_queued_ahead;
  };
  if (!next || !may()) // those on the board need no sending
    return false;
  tensor_->send_here(next->parts_ahead()[sent_ahead_++]);
  return may();
}

void remote_node::send_parameters_ahead() {
  take_turns(sends_ahead_, &remote_node::send_a_part_ahead);
}

bool remote_node::send_a_part() {
  if (!outgoing_ || over_)
    return false;
  const std::size_t parts = outgoing_->parts(sent_before_);
  if (outgoing_->place() && sent_parts_ < parts)
    sent_parts_ = parts - 1; // each says of all before it that they are there
  if (sent_parts_ < parts)
    tensor_->send_here(outgoing_->part(sent_parts_++, sent_before_));
  if (sent_parts_ < parts)
    return true;
  if (outgoing_->complete()) {
    run_->outbox.sent(outgoing_);
    outgoing_ = nullptr;
  }
  return false;
}

/// In turns with the other nodes: with all of it at once the last node would begin when the others have
/// everything, where it needs only the first layer to begin.
void remote_node::send_arrived_parameters() {
  if (!sends_parts_ && send_a_part())
    take_turns(sends_parts_, &remote_node::send_a_part);
}

void remote_node::send_block(frame_kind kind, const blob& block, blob& sent) {
  if (block.empty() || block.data() == sent.data())
    return;
  tensor_->send_here(frame(kind, pair_head(0, 0), block, float_format::float32));
  sent = block; // held, so that no other block can have its address
}

void remote_node::send_train_order(slot_number number, const train_order& order) {
  boost::asio::post(context_, [self = shared_from_this(), number, order] {
    const auto at = self->slots_.find(number);
    if (self->over_ || at == self->slots_.end())
      return;
    if (at->second.orders.empty())
      at->second.final_from = at->second.finite_from = self->trained_size_;
    self->tensor_->send_together([&] {
      self->announce(order.base);
      if (self->over_)
        return; // what was sent has closed the link
      at->second.orders.push_back(
          {samples_of(order.batches), order.base.version, order.lease, self->sent_place_});
      const auto& batch = *order.batches.front();
      self->send_block(frame_kind::direction, batch.direction, self->sent_direction_);
      self->send_block(frame_kind::added_gradient, batch.added_gradient, self->sent_added_gradient_);
      self->tensor_->send_here(to_frame(number, order));
      self->send_arrived_parameters();
    });
  });
}

void remote_node::send_score_order(slot_number number, const score_order& order) {
  boost::asio::post(context_, [self = shared_from_this(), number, order = score_order(order)]() mutable {
    const auto at = self->slots_.find(number);
    if (self->over_ || at == self->slots_.end())
      return;
    // Newer parameters that the node holds already are better than older ones that would have to be sent.
    if (self->sent_version_ && *self->sent_version_ > order.at.version)
      order.at.version = *self->sent_version_;
    self->tensor_->send_together([&] {
      self->announce(order.at);
      if (self->over_)
        return;
      at->second.orders.push_back({order.ids.size(), order.at.version, 0, self->sent_place_});
      self->send_block(frame_kind::direction, order.direction, self->sent_direction_);
      self->tensor_->send_here(to_frame(number, order));
      self->send_arrived_parameters();
    });
  });
}

void remote_node::send_joined(slot_number number, std::uint64_t member) {
  boost::asio::post(context_, [self = shared_from_this(), number, member] {
    const auto at = self->slots_.find(number);
    if (self->over_ || at == self->slots_.end())
      return;
    at->second.member = member;
    self->tensor_->send_here(frame(frame_kind::joined, pair_head(number, member)));
  });
}

void remote_node::send_dismissed(slot_number number) {
  // Weak: an actor may end after the network has stopped, and what is posted then must not hold the run.
  boost::asio::post(context_, [weak = weak_from_this(), number] {
    if (const auto self = weak.lock(); self && self->slots_.erase(number) > 0)
      self->tensor_->send_here(frame(frame_kind::dismissed, pair_head(number, 0)));
  });
}

} // namespace triage
