#include "actors/net/coordinator_session.hpp"

#include "actors/net/connector.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>

namespace triage {

namespace {
constexpr double connection_seconds = 5.0;
constexpr double farewell_seconds = 1.0;
constexpr std::chrono::seconds answer_patience{10};
constexpr std::chrono::seconds dismissal_patience{2};
} // namespace

struct coordinator_session::control_handler final : link_handler {
  explicit control_handler(std::shared_ptr<coordinator_session> s) : session(std::move(s)) {}
  result<std::span<float>> place(const frame_header&, std::span<const std::uint8_t>) override {
    return run_error("it sent floats on the control link");
  }
  result<void> arrived(const frame_header& header, std::span<const std::uint8_t> head) override {
    return session->control_frame(header, head);
  }
  void closed(const std::string& reason) override {
    session->shut(session->farewell_.value_or(session_end{session_end::kind::lost, reason, true}));
  }
  std::shared_ptr<coordinator_session> session;
};

struct coordinator_session::tensor_handler final : link_handler {
  explicit tensor_handler(std::shared_ptr<coordinator_session> s) : session(std::move(s)) {}
  result<std::span<float>> place(const frame_header& header, std::span<const std::uint8_t> head) override {
    return session->place(header, head);
  }
  result<void> arrived(const frame_header& header, std::span<const std::uint8_t> head) override {
    return session->tensor_frame(header, head);
  }
  void closed(const std::string& reason) override {
    session->shut(session->farewell_.value_or(session_end{session_end::kind::lost, reason, true}));
  }
  std::shared_ptr<coordinator_session> session;
};

// -- the connection -----------------------------------------------------------------------------------------

void coordinator_session::open(events e) {
  boost::asio::post(context_, [self = shared_from_this(), e = std::move(e)]() mutable {
    self->events_ = std::move(e);
    self->patience_.expires_after(answer_patience);
    self->patience_.async_wait([self](const boost::system::error_code& ec) {
      if (!ec)
        self->shut(
            {session_end::kind::lost, "the coordinator accepts the connection but does not answer", true});
    });
    self->connect(peer_role::control);
  });
}

void coordinator_session::connect(peer_role role) {
  async_connect(context_, options_.coordinator, options_.tls, connection_seconds,
                [self = shared_from_this(), role](result<std::unique_ptr<byte_stream>> stream) {
                  if (!stream.ok())
                    return self->shut({session_end::kind::lost, stream.error().message, true});
                  if (self->over_)
                    return;
                  link_options options;
                  options.limits.head = largest_plain_head;
                  hello_message hello = self->options_.hello;
                  hello.role = role;
                  if (role == peer_role::tensor) {
                    hello.token = self->welcome_.token;
                    options.heartbeat_seconds = self->welcome_.heartbeat_seconds;
                  }
                  auto l = link::make(self->context_, stream.take(), options);
                  hello.sees_board = l->board() != nullptr;
                  if (role == peer_role::control) {
                    self->control_ = l;
                    l->start(std::make_shared<control_handler>(self));
                  } else {
                    self->tensor_ = l;
                    l->start(std::make_shared<tensor_handler>(self));
                  }
                  l->send(to_frame(hello));
                });
}

void coordinator_session::shut(const session_end& end) {
  if (std::exchange(over_, true))
    return;
  patience_.cancel();
  if (control_)
    control_->close(end.reason);
  if (tensor_)
    tensor_->close(end.reason);
  if (parameters_)
    parameters_->fail(end.reason);
  slots_.clear();
  if (const auto ended = std::exchange(events_.ended, nullptr))
    ended(end);
  // behind what closes the links
  boost::asio::post(context_, [closed = std::exchange(events_, {}).closed] {
    if (closed)
      closed();
  });
}

void coordinator_session::close(const session_end& end) {
  boost::asio::post(context_, [self = shared_from_this(), end] { self->shut(end); });
}

void coordinator_session::close_when_sent() {
  boost::asio::post(context_, [self = shared_from_this()] {
    if (!self->over_)
      self->control_->close_when_sent("this node has ended", farewell_seconds);
  });
}

void coordinator_session::leave() {
  boost::asio::post(context_, [self = shared_from_this()] {
    self->leaving_ = true;
    if (self->slots_.empty())
      return self->shut({session_end::kind::left, "it was told to leave", false});
    self->control_->send(frame(frame_kind::leaving));
  });
}

double coordinator_session::clock_offset() const {
  return control_ ? control_->figures().clock_offset_seconds : 0.0;
}

// -- orders -------------------------------------------------------------------------------------------------

void coordinator_session::begin(std::shared_ptr<const run_setup> setup) {
  boost::asio::post(context_, [self = shared_from_this(), setup = std::move(setup)] {
    self->setup_ = setup;
    self->format_ = float_format_of(setup->config.wire_format);
    const std::size_t floats = setup->net->parameters().size();
    self->parameters_ = std::make_unique<incoming_parameters>(
        floats, setup->compression_down.get(), self->tensor_ ? self->tensor_->board() : nullptr);
    self->blocks_ = std::make_unique<blob_pool>(floats);
    if (!self->over_)
      self->tensor_->allow(limits_of(*setup));
  });
}

void coordinator_session::join(slot_number number, const std::string& name, const worker_actor& worker) {
  boost::asio::post(context_, [self = shared_from_this(), number, name, worker] {
    if (self->over_)
      return;
    self->slots_[number].worker = worker;
    self->tensor_->send(to_frame(join_frame{number, slot_role::worker, name}));
  });
}

void coordinator_session::join(slot_number number, const std::string& name,
                               const estimator_actor& estimator) {
  boost::asio::post(context_, [self = shared_from_this(), number, name, estimator] {
    if (self->over_)
      return;
    self->slots_[number].estimator = estimator;
    self->tensor_->send(to_frame(join_frame{number, slot_role::estimator, name}));
  });
}

void coordinator_session::send_part(gradient_part part) {
  boost::asio::post(context_, [self = shared_from_this(), part = std::move(part)] {
    const auto at = std::find_if(self->slots_.begin(), self->slots_.end(),
                                 [&](const auto& s) { return s.second.member == part.member; });
    if (self->over_ || at == self->slots_.end())
      return;
    at->second.parts_sent = true;
    self->tensor_->send_here(to_frame(at->first, part, self->format_));
  });
}

void coordinator_session::send_result(slot_number number, train_result result) {
  boost::asio::post(context_, [self = shared_from_this(), number, result = std::move(result)] {
    const auto at = self->slots_.find(number);
    if (self->over_ || at == self->slots_.end())
      return;
    const bool ahead = std::exchange(at->second.parts_sent, false);
    const std::size_t begin = ahead ? self->setup_->net->parameters().trained_size() : 0;
    self->tensor_->send_here(to_frame(number, result, self->format_, begin));
  });
}

void coordinator_session::send(frame f) {
  boost::asio::post(context_, [self = shared_from_this(), f = std::move(f)]() mutable {
    if (!self->over_)
      self->tensor_->send_here(std::move(f));
  });
}

void coordinator_session::send_control(frame f) {
  boost::asio::post(context_, [self = shared_from_this(), f = std::move(f)]() mutable {
    if (!self->over_)
      self->control_->send_here(std::move(f));
  });
}

result<void> coordinator_session::control_frame(const frame_header& header,
                                                std::span<const std::uint8_t> head) {
  switch (header.kind) {
  case frame_kind::welcome: {
    auto m = read_welcome(head);
    if (!m.ok())
      return m.error();
    welcome_ = m.take();
    connect(peer_role::tensor);
    return {};
  }
  case frame_kind::refusal:
    return take_refusal(head);
  case frame_kind::finished: {
    const auto final = read_pair(head);
    if (!final.ok())
      return final.error();
    farewell_ = final->first == 1
                    ? session_end{session_end::kind::finished, "the run is over", false}
                    : session_end{session_end::kind::suspended, "the run was interrupted", true};
    if (parameters_)
      parameters_->fail(farewell_->reason); // whoever waits for more of them would keep the node from ending
    if (const auto ended = std::exchange(events_.ended, nullptr))
      ended(*farewell_);
    return {};
  }
  default:
    return run_error("it sent a frame that does not belong on the control link");
  }
}

result<void> coordinator_session::tensor_frame(const frame_header& header,
                                               std::span<const std::uint8_t> head) {
  switch (header.kind) {
  case frame_kind::accepted:
    patience_.cancel();
    if (const auto welcomed = std::exchange(events_.welcomed, nullptr))
      welcomed(welcome_);
    return {};
  case frame_kind::refusal:
    return take_refusal(head);
  case frame_kind::parameters:
    if (!parameters_)
      return run_error("it sent parameters before anybody asked");
    return parameters_->arrived(head, header.bulk_floats);
  case frame_kind::parameters_ahead:
    return parameters_ ? parameters_->arrived_ahead(head, header.bulk_floats)
                       : run_error("it sent parameters before anybody asked");
  case frame_kind::board:
    return parameters_ ? parameters_->on_board(head) : run_error("it sent parameters before anybody asked");
  case frame_kind::parameters_change:
    return parameters_ ? parameters_->changed(head) : run_error("it sent parameters before anybody asked");
  case frame_kind::direction:
    direction_ = std::move(incoming_block_).freeze();
    return {};
  case frame_kind::added_gradient:
    added_gradient_ = std::move(incoming_block_).freeze();
    return {};
  case frame_kind::train_order:
    return take_train_order(head);
  case frame_kind::score_order:
    return take_score_order(head);
  case frame_kind::joined: {
    const auto m = read_pair(head);
    if (!m.ok())
      return m.error();
    if (const auto at = slots_.find(static_cast<slot_number>(m->first));
        at != slots_.end() && at->second.worker) {
      at->second.member = m->second;
      caf::anon_send(at->second.worker, welcome{m->second});
    }
    return {};
  }
  case frame_kind::dismissed: {
    const auto m = read_pair(head);
    if (!m.ok())
      return m.error();
    dismiss(static_cast<slot_number>(m->first));
    return {};
  }
  default:
    return run_error("it sent a frame that does not belong on the tensor link");
  }
}

result<void> coordinator_session::take_refusal(std::span<const std::uint8_t> head) {
  const auto m = read_refusal(head);
  if (!m.ok())
    return m.error();
  shut({session_end::kind::refused, m->reason, m->again});
  return {};
}

void coordinator_session::dismiss(slot_number number) {
  const auto at = slots_.find(number);
  if (at == slots_.end())
    return;
  if (at->second.worker)
    caf::anon_send_exit(at->second.worker, caf::exit_reason::user_shutdown);
  if (at->second.estimator)
    caf::anon_send_exit(at->second.estimator, caf::exit_reason::user_shutdown);
  slots_.erase(at);
  after_a_loss("the coordinator dismissed everybody here");
}

void coordinator_session::give_up(std::optional<slot_number> number, const std::string& reason) {
  boost::asio::post(context_, [self = shared_from_this(), number, reason] {
    if (self->over_)
      return;
    if (number && self->slots_.erase(*number) > 0)
      self->tensor_->send_here(to_frame(failure_frame{*number, reason}));
    self->after_a_loss("nobody is left here who could work: " + reason);
  });
}

/// Where somebody is left, nothing happens.
void coordinator_session::after_a_loss(const std::string& why_nobody) {
  if (!slots_.empty() || farewell_)
    return;
  if (leaving_) {
    farewell_ = session_end{session_end::kind::left, "it was told to leave", false};
    return tensor_->close_when_sent(farewell_->reason, farewell_seconds);
  }
  // The run may be over, which the control link will say, or others here may still be starting.
  patience_.expires_after(dismissal_patience);
  patience_.async_wait([self = shared_from_this(), why_nobody](const boost::system::error_code& ec) {
    if (!ec && !self->farewell_ && self->slots_.empty())
      self->shut({session_end::kind::lost, why_nobody, true});
  });
}

result<std::span<float>> coordinator_session::place(const frame_header& header,
                                                    std::span<const std::uint8_t> head) {
  if (parameters_ && header.kind == frame_kind::parameters)
    return parameters_->place(head, header.bulk_floats);
  if (parameters_ && header.kind == frame_kind::parameters_ahead)
    return parameters_->place_ahead(head, header.bulk_floats);
  const bool known = header.kind == frame_kind::direction || header.kind == frame_kind::added_gradient;
  if (!blocks_ || !known || header.bulk_floats != blocks_->block_size())
    return run_error(fmt::format("it sent {} floats that nobody expected", header.bulk_floats));
  incoming_block_ = blocks_->acquire();
  return incoming_block_.values();
}

bool coordinator_session::has_parameters_of(std::uint64_t version, bool directed) const {
  const auto& latest = parameters_->latest();
  return version == latest.version && !latest.parameters.empty() && !(directed && direction_.empty());
}

result<void> coordinator_session::take_train_order(std::span<const std::uint8_t> head) {
  if (!setup_)
    return run_error("it sent an order before anybody asked");
  auto m = read_train_order(head, setup_->data.train.size);
  if (!m.ok())
    return m.error();
  const auto at = slots_.find(m->slot);
  if (at == slots_.end() || !at->second.worker)
    return {}; // it gave up while the order was on its way; the coordinator is told
  if (!has_parameters_of(m->version, m->directed) || (m->adds_gradient && added_gradient_.empty()))
    return run_error("it sent an order without its parameters");
  if (m->learning_rates.empty() == setup_->exchange->local().has_value())
    return run_error("it sent an order that the exchange policy does not know");
  train_order order{m->lease, parameters_->latest(), {}, std::move(m->learning_rates)};
  for (auto& b : m->batches) {
    if (m->directed)
      b.direction = direction_;
    if (m->adds_gradient)
      b.added_gradient = added_gradient_;
    order.batches.push_back(std::make_shared<const drawn_batch>(std::move(b)));
  }
  caf::anon_send(at->second.worker, std::move(order));
  return {};
}

result<void> coordinator_session::take_score_order(std::span<const std::uint8_t> head) {
  if (!setup_)
    return run_error("it sent an order before anybody asked");
  auto m = read_score_order(head, setup_->data.train.size);
  if (!m.ok())
    return m.error();
  const auto at = slots_.find(m->slot);
  if (at == slots_.end() || !at->second.estimator)
    return {};
  if (!has_parameters_of(m->version, m->directed))
    return run_error("it sent an order without its parameters");
  caf::anon_send(at->second.estimator,
                 score_order{std::move(m->ids), parameters_->latest(), m->directed ? direction_ : blob()});
  return {};
}

} // namespace triage
