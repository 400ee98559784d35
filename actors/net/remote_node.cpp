#include "actors/net/remote_node.hpp"

#include "core/finite.hpp"

#include <algorithm>
#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>

namespace triage {

struct remote_node::control_handler final : link_handler {
  explicit control_handler(std::shared_ptr<remote_node> n) : node(std::move(n)) {}
  result<std::span<float>> place(const frame_header&, std::span<const std::uint8_t>) override {
    return run_error("it sent floats on its control link");
  }
  result<void> arrived(const frame_header& header, std::span<const std::uint8_t> head) override {
    return node->control_frame(header, head);
  }
  void closed(const std::string& reason) override { node->link_closed(reason); }
  std::shared_ptr<remote_node> node;
};

struct remote_node::tensor_handler final : link_handler {
  explicit tensor_handler(std::shared_ptr<remote_node> n) : node(std::move(n)) {}
  result<std::span<float>> place(const frame_header& header, std::span<const std::uint8_t> head) override {
    return node->place(header, head);
  }
  result<void> arrived(const frame_header& header, std::span<const std::uint8_t> head) override {
    return node->tensor_frame(header, head);
  }
  void drained() override { node->send_parameters_ahead(); }
  void closed(const std::string& reason) override { node->tensor_closed(reason); }
  std::shared_ptr<remote_node> node;
};

namespace {
/// What a node may write into the coordinator's log, and keep in its memory for the trace. Both are far from
/// what an honest one has to say.
constexpr std::size_t most_report_bytes = std::size_t{4} << 20U;
constexpr std::size_t most_lane_bytes = std::size_t{256} << 20U;
constexpr std::size_t most_checked_here = 65536; ///< floats, some microseconds
} // namespace

bool remote_result::is_finite(std::size_t trained_size) const {
  const auto gradient = result.gradient.view();
  return result.finite && all_finite(gradient.first(finite_from)) &&
         all_finite(gradient.subspan(trained_size));
}

remote_node::remote_node(std::shared_ptr<cluster_run> run, boost::asio::io_context& context, std::string name,
                         std::uint64_t instance, std::shared_ptr<link> control, std::size_t most_slots)
    : run_(std::move(run)), context_(context), name_(std::move(name)), instance_(instance),
      control_(std::move(control)), most_slots_(most_slots),
      trained_size_(run_->context->setup->net->parameters().trained_size()),
      pool_(run_->context->setup->net->parameters().size()) {}

void remote_node::begin(events e) {
  events_ = std::move(e);
  control_->hand_over(std::make_shared<control_handler>(shared_from_this()), {.head = largest_plain_head});
}

void remote_node::attach_tensor_link(std::shared_ptr<link> tensor, bool sees_board) {
  tensor_ = std::move(tensor);
  sees_board_ = sees_board && run_->outbox.board() && tensor_->board() == run_->outbox.board()->memory();
  tensor_->hand_over(std::make_shared<tensor_handler>(shared_from_this()), limits_of(*run_->context->setup));
}

void remote_node::close(const std::string& reason) {
  control_->close(reason);
  if (tensor_)
    tensor_->close(reason);
  link_closed(reason);
}

void remote_node::finish(bool final) {
  // The node closes when it has sent what it still has to say.
  finishing_ = true;
  control_->send(frame(frame_kind::finished, pair_head(final ? 1 : 0, 0)));
}

void remote_node::link_closed(const std::string& reason) {
  if (std::exchange(over_, true))
    return;
  const auto self = shared_from_this(); // the links hold the last references
  control_->close(reason);
  if (tensor_)
    tensor_->close(reason);
  for (const auto& [number, s] : slots_)
    caf::anon_send(s.actor, remote_gone{reason});
  slots_.clear();
  sent_place_ = nullptr;
  ahead_ = nullptr;
  events_.ended(objection_.empty() ? reason : objection_);
}

void remote_node::begin_part() {
  if (!std::exchange(takes_part_, true))
    events_.takes_part();
}

void remote_node::tensor_closed(const std::string& reason) {
  // Its last words, lanes of a trace among them, come by the other link, and may be read later than this end.
  if (!finishing_)
    link_closed(reason);
}

remote_node::figures remote_node::describe() const {
  figures out;
  out.name = name_;
  out.address = control_->peer();
  out.control = control_->figures();
  if (tensor_)
    out.tensor = tensor_->figures();
  for (const auto& [number, s] : slots_)
    ++(s.role == slot_role::worker ? out.workers : out.estimators);
  return out;
}

// -- receiving ----------------------------------------------------------------------------------------------

/// Floats go to the gradient of the order that is out, at their place in it; those that belong to nothing any
/// more go where nobody looks.
result<std::span<float>> remote_node::place(const frame_header& header, std::span<const std::uint8_t> head) {
  if (header.kind == frame_kind::gradient_part || header.kind == frame_kind::train_result)
    return place_gradient(header, head);
  if (header.kind != frame_kind::scores || header.bulk_floats != pool_.block_size())
    return run_error(fmt::format("it sent {} floats that nobody expected", header.bulk_floats));
  return place_nowhere(header.bulk_floats);
}

result<std::span<float>> remote_node::place_nowhere(std::size_t floats) {
  if (floats > pool_.block_size())
    return run_error(
        fmt::format("it sent {} floats, where at most {} are expected", floats, pool_.block_size()));
  incoming_ = pool_.acquire();
  return incoming_.values().first(floats);
}

result<std::span<float>> remote_node::place_gradient(const frame_header& header,
                                                     std::span<const std::uint8_t> head) {
  const auto about = read_slot_and_lease(head);
  if (!about.ok())
    return about.error();
  const auto known = find(about->first, slot_role::worker);
  if (!known.ok())
    return known.error();
  slot* const s = *known;
  if (s == nullptr)
    return place_nowhere(header.bulk_floats);
  if (!s->expects(about->second))
    return run_error("it sent a result that does not fit its order");
  if (s->gradient.size() == 0)
    s->gradient = pool_.acquire();
  if (header.kind == frame_kind::train_result) {
    // Either all of it, or what the parts before it have left.
    const std::size_t begin = s->final_from == trained_size_ ? 0 : trained_size_;
    if (header.bulk_floats != pool_.block_size() - begin)
      return run_error(fmt::format("it sent {} floats where {} were expected", header.bulk_floats,
                                   pool_.block_size() - begin));
    return s->gradient.values().subspan(begin);
  }
  const auto part = read_gradient_part(head);
  if (!part.ok())
    return part.error();
  if (header.bulk_floats > s->final_from || part->begin != s->final_from - header.bulk_floats)
    return run_error("it sent a part of a gradient that does not fit the one before");
  return s->gradient.values().subspan(part->begin, header.bulk_floats);
}

result<void> remote_node::control_frame(const frame_header& header, std::span<const std::uint8_t> head) {
  switch (header.kind) {
  case frame_kind::report: {
    if ((report_bytes_ += head.size()) > most_report_bytes)
      return run_error("it has too much to say");
    const auto m = read_report(head);
    if (!m.ok())
      return m.error();
    if (!takes_part_ && m->warning) {
      objection_ = m->text; // it closes next
      return {};
    }
    const std::string source = fmt::format("{}/{}", name_, m->source);
    if (m->warning)
      caf::anon_send(run_->monitor, warning_report{source, m->text});
    else
      caf::anon_send(run_->monitor, remark_report{source, m->text});
    return {};
  }
  case frame_kind::lane: {
    if (!run_->context->tracing)
      return run_error("it sent a trace that nobody asked for");
    if ((lane_bytes_ += head.size()) > most_lane_bytes)
      return run_error("its trace is too long");
    auto lane = read_lane(head);
    if (!lane.ok())
      return lane.error();
    lane->name = fmt::format("{}/{}", name_, lane->name);
    caf::anon_send(run_->monitor, lane.take());
    return {};
  }
  case frame_kind::ready:
    begin_part();
    return {};
  case frame_kind::leaving:
    leaving_ = true; // who joins on the other link only now is told as well
    for (const auto& [number, s] : slots_)
      caf::anon_send(s.actor, remote_leaving{});
    return {};
  default:
    return run_error("it sent a frame that does not belong on its control link");
  }
}

result<void> remote_node::tensor_frame(const frame_header& header, std::span<const std::uint8_t> head) {
  switch (header.kind) {
  case frame_kind::join:
    return take_join(head);
  case frame_kind::train_result:
    return take_result(header, head);
  case frame_kind::gradient_part:
    return take_part(header, head);
  case frame_kind::scores:
    return take_scores(header.bulk_floats > 0, head);
  case frame_kind::failure: {
    const auto m = read_failure(head);
    if (!m.ok())
      return m.error();
    if (const auto at = slots_.find(m->slot); at != slots_.end()) {
      caf::anon_send(at->second.actor, remote_gone{m->reason});
      slots_.erase(at);
    }
    return {};
  }
  default:
    return run_error("it sent a frame that does not belong on its tensor link");
  }
}

result<void> remote_node::take_join(std::span<const std::uint8_t> head) {
  const auto m = read_join(head);
  if (!m.ok())
    return m.error();
  if (slots_.contains(m->slot) || joined_ >= most_slots_)
    return run_error("it joined twice under one number, or too often");
  ++joined_;
  begin_part(); // on the other link than "ready", which may come later
  const std::string full_name = fmt::format("{}/{}", name_, m->name);
  slots_[m->slot] = {m->role, m->role == slot_role::worker
                                  ? spawn_remote_worker(*run_, shared_from_this(), m->slot, full_name)
                                  : spawn_remote_estimator(*run_, shared_from_this(), m->slot, full_name)};
  if (leaving_)
    caf::anon_send(slots_[m->slot].actor, remote_leaving{});
  return {};
}

result<remote_node::slot*> remote_node::find(slot_number number, slot_role role) {
  const auto at = slots_.find(number);
  if (at == slots_.end())
    return static_cast<slot*>(nullptr); // dismissed while its answer was on its way
  if (at->second.role != role)
    return run_error("it sent a result of the wrong kind");
  return &at->second;
}

result<void> remote_node::take_part(const frame_header& header, std::span<const std::uint8_t> head) {
  const auto m = read_gradient_part(head);
  if (!m.ok())
    return m.error();
  const auto known = find(m->slot, slot_role::worker);
  if (!known.ok())
    return known.error();
  slot* const s = *known;
  if (s == nullptr)
    return {};
  if (!s->expects(m->lease) || header.bulk_floats == 0)
    return run_error("it sent a result that does not fit its order");
  s->final_from = m->begin;
  const std::size_t end = m->begin + header.bulk_floats;
  // Here, while it is in this core's cache; what is not finite is left for the result to find. And straight
  // to the coordinator: of a round of many nodes most messages are parts.
  if (end != s->finite_from || !all_finite(s->gradient.view().subspan(m->begin, header.bulk_floats)))
    return {};
  s->finite_from = m->begin;
  caf::anon_send(run_->coordinator,
                 gradient_part{s->member, m->lease, s->gradient.early_look(), m->begin, end});
  return {};
}

result<void> remote_node::take_result(const frame_header& header, std::span<const std::uint8_t> head) {
  auto m = read_train_result(head, run_->context->setup->data.train.size);
  if (!m.ok())
    return m.error();
  auto known = find(m->slot, slot_role::worker);
  if (!known.ok())
    return known.error();
  slot* s = *known;
  if (s == nullptr)
    return {};
  auto& r = m->result;
  const bool compressed = run_->context->setup->compression_up != nullptr;
  const bool whole =
      compressed ? r.encoded && header.bulk_floats == 0
                 : header.bulk_floats == pool_.block_size() ||
                       (s->final_from == 0 && header.bulk_floats == pool_.block_size() - trained_size_);
  if (!s->expects(r.lease))
    return run_error("it sent a result that does not fit its order");
  const pending_order order = s->orders.front();
  const auto fits = [&](std::size_t n) { return n == 0 || n == order.points; };
  if ((r.encoded && !compressed) || !fits(r.scores.size()) || !fits(r.losses.size()) ||
      !(whole || !r.finite) || r.correct > order.points)
    return run_error("it sent a result that does not fit its order");
  r.base_version = order.version;
  r.gradient = std::move(s->gradient).freeze();
  s->gradient = {};
  s->final_from = trained_size_;
  s->orders.pop_front();
  pass_on(*s, {std::move(r), std::exchange(s->finite_from, trained_size_)});
  if (s->leaves && s->orders.empty())
    caf::anon_send(s->actor, remote_gone{left_as_asked});
  return {};
}

/// Straight to the coordinator, as parts are: the last result of a round is what everybody waits for. By way
/// of its actor where it has to be decoded or much of it looked at, which then does not keep this thread; and
/// those that follow such a one too, or they would overtake it.
void remote_node::pass_on(slot& from, remote_result r) {
  r.result.member = from.member;
  from.by_actor = from.by_actor || r.result.encoded || r.finite_from > most_checked_here;
  if (from.by_actor)
    return caf::anon_send(from.actor, std::move(r));
  r.result.finite = r.is_finite(trained_size_);
  caf::anon_send(run_->coordinator, std::move(r.result));
}

void remote_node::let_go_when_idle(slot_number number) {
  // Weak, as in send_dismissed: the run may be over, and the network stopped.
  boost::asio::post(context_, [weak = weak_from_this(), number] {
    const auto self = weak.lock();
    if (!self)
      return;
    const auto at = self->slots_.find(number);
    if (at == self->slots_.end())
      return;
    at->second.leaves = true;
    if (at->second.orders.empty())
      caf::anon_send(at->second.actor, remote_gone{left_as_asked});
  });
}

result<void> remote_node::take_scores(bool has_gradient, std::span<const std::uint8_t> head) {
  auto m = read_scores(head);
  if (!m.ok())
    return m.error();
  auto known = find(m->slot, slot_role::estimator);
  if (!known.ok())
    return known.error();
  slot* s = *known;
  if (s == nullptr)
    return {};
  if (s->orders.empty() || m->scores.scores.size() != s->orders.front().points ||
      m->scores.version != s->orders.front().version)
    return run_error("it sent scores that do not fit its order");
  s->orders.pop_front();
  // One NaN would stay in the running mean of all gradients, and in every checkpoint, for good.
  if (const auto values = incoming_.view(); has_gradient && all_finite(values))
    m->scores.gradient.assign(values.begin(), values.end());
  caf::anon_send(s->actor, std::move(m->scores));
  return {};
}

} // namespace triage
