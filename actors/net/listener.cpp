#include "actors/net/listener.hpp"

#include <algorithm>
#include <boost/asio/ssl/error.hpp>
#include <fmt/format.h>
#include <map>

namespace triage {

using boost::asio::ip::tcp;

namespace {
constexpr std::size_t most_complaints = 256;
constexpr double farewell_seconds = 1.0;
constexpr const char* this_machine = "localhost"; ///< the address of those who come within it
constexpr std::chrono::milliseconds pause_without_descriptors{100};
} // namespace

/// One connection on its way in: handshake, then the first frame, all within the time limit.
struct listener::greeting : link_handler, std::enable_shared_from_this<greeting> {
  greeting(std::shared_ptr<listener> o, boost::asio::io_context& context, std::string a)
      : owner(std::move(o)), timer(context), address(std::move(a)) {}

  void limit_time() {
    timer.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(
        std::chrono::duration<double>(owner->options_.handshake_seconds)));
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
      if (!ec)
        self->drop("it did not introduce itself in time");
    });
  }
  void drop(const std::string& reason) {
    timer.cancel();
    owner->refuse(address, reason);
    if (raw)
      raw->close();
    if (const auto l = connection.lock())
      l->close(reason);
  }

  result<std::span<float>> place(const frame_header&, std::span<const std::uint8_t>) override {
    return run_error("it sent floats before it introduced itself");
  }
  result<void> arrived(const frame_header& header, std::span<const std::uint8_t> head) override {
    if (refused)
      return {}; // it closes as soon as the refusal has left
    if (header.kind != frame_kind::hello)
      return run_error("it did not begin with an introduction");
    const auto l = connection.lock();
    auto hello = read_hello(head);
    if (!hello.ok()) {
      refused = true;
      l->send(to_frame(refuse_protocol(head).value_or(refusal_message{hello.error().message, false})));
      l->close_when_sent(hello.error().message, farewell_seconds);
      return {};
    }
    timer.cancel();
    if (owner->connections_ >= owner->options_.most_connections)
      return run_error("there are too many connections");
    ++owner->connections_;
    owner->events_.greeted(l, *hello, address);
    return {};
  }
  void closed(const std::string& reason) override {
    timer.cancel();
    owner->refuse(address, reason);
  }

  std::shared_ptr<listener> owner;
  boost::asio::steady_timer timer;
  std::string address;
  std::unique_ptr<byte_stream> raw; ///< until the handshake is over
  std::weak_ptr<link> connection;
  bool refused = false; ///< it was told what is wrong with its introduction
};

listener::listener(boost::asio::io_context& context, listener_options options)
    : context_(context), tcp_(context), local_(context), options_(std::move(options)) {}

result<std::shared_ptr<listener>> listener::bind(boost::asio::io_context& context, const net_address& at,
                                                 listener_options options) {
  const auto fail = [&](const boost::system::error_code& ec) {
    return io_error(fmt::format("cannot listen on {}: {}", to_string(at), ec.message()));
  };
  std::shared_ptr<listener> out(new listener(context, std::move(options)));
  boost::system::error_code ec;
  tcp::resolver resolver(context);
  const auto found = resolver.resolve(at.host, std::to_string(at.port), tcp::resolver::passive, ec);
  if (ec)
    return fail(ec);
  const tcp::endpoint endpoint = *found.begin();
  out->tcp_.acceptor.open(endpoint.protocol(), ec);
  if (!ec)
    out->tcp_.acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec)
    out->tcp_.acceptor.bind(endpoint, ec);
  if (!ec)
    out->tcp_.acceptor.listen(boost::asio::socket_base::max_listen_connections, ec);
  if (ec)
    return fail(ec);
  if (out->options_.local)
    out->open_local();
  return out;
}

/// Where the name is taken, or the system has no such names, everybody comes by TCP.
void listener::open_local() {
  boost::system::error_code ec;
  const auto beside = tcp_.acceptor.local_endpoint(ec);
  if (!ec)
    local_.acceptor.open(local_protocol(), ec);
  if (!ec)
    local_.acceptor.bind(local_endpoint_of(beside), ec);
  if (!ec)
    local_.acceptor.listen(boost::asio::socket_base::max_listen_connections, ec);
  if (ec)
    local_.close();
}

net_address listener::address() const {
  boost::system::error_code ignored;
  const auto local = tcp_.acceptor.local_endpoint(ignored);
  return {local.address().to_string(), local.port()};
}

void listener::start(events e) {
  events_ = std::move(e);
  accept(tcp_);
  if (local_.acceptor.is_open())
    accept(local_);
}

void listener::stop() {
  tcp_.close();
  local_.close();
}

template <class Protocol>
void listener::door<Protocol>::close() {
  boost::system::error_code ignored;
  acceptor.close(ignored);
  pause.cancel();
}

template <class Protocol>
void listener::accept(door<Protocol>& at) {
  at.acceptor.async_accept([self = shared_from_this(), &at](const boost::system::error_code& ec,
                                                            typename Protocol::socket socket) {
    if (!at.acceptor.is_open())
      return;
    if (!ec) {
      self->arrived(std::move(socket));
      return self->accept(at);
    }
    // Out of descriptors, most likely: the connections that are there matter more.
    at.pause.expires_after(pause_without_descriptors);
    at.pause.async_wait([self, &at](const boost::system::error_code& stopped) {
      if (!stopped)
        self->accept(at);
    });
  });
}

void listener::arrived(tcp::socket socket) {
  boost::system::error_code ec;
  const auto peer = socket.remote_endpoint(ec);
  greet(make_byte_stream(std::move(socket), options_.tls),
        ec ? "an unknown address" : peer.address().to_string());
}

void listener::arrived(local_protocol::socket socket) {
  if (!is_same_user(socket))
    return refuse(this_machine, "it belongs to another user, who has to come by TCP");
  greet(make_byte_stream(std::move(socket), options_.tls, options_.shares_memory, options_.board),
        this_machine);
}

/// Of the addresses with most of them, the one that has taken longest: a crowd of silent ones must not keep
/// out who introduces himself, from far away and slowly perhaps.
void listener::drop_from_crowd() {
  std::map<std::string, std::size_t> crowds;
  for (const auto& known : greetings_)
    if (const auto g = known.lock())
      ++crowds[g->address];
  const auto largest = std::max_element(crowds.begin(), crowds.end(),
                                        [](const auto& a, const auto& b) { return a.second < b.second; });
  for (auto at = greetings_.begin(); at != greetings_.end(); ++at)
    if (const auto g = at->lock(); g && crowds[g->address] == largest->second) {
      greetings_.erase(at); // it may live until its handshake has been called off
      return g->drop("too many connections are introducing themselves at once");
    }
}

void listener::greet(std::unique_ptr<byte_stream> stream, const std::string& address) {
  std::erase_if(greetings_, [](const auto& known) { return known.expired(); });
  if (greetings_.size() >= options_.most_handshakes)
    drop_from_crowd();
  auto g = std::make_shared<greeting>(shared_from_this(), context_, address);
  greetings_.push_back(g);
  g->limit_time();
  g->raw = std::move(stream);
  // The handler holds the greeting, and the greeting the stream, which is not moved before the handshake
  // ends.
  g->raw->handshake(true, [g](const boost::system::error_code& failed, std::size_t) {
    if (failed)
      return g->drop(fmt::format("it could not prove who it is ({})", failed.message()));
    link_options options = g->owner->options_.links;
    options.number = g->owner->links_++;
    const auto l = link::make(g->owner->context_, std::move(g->raw), options);
    g->connection = l;
    l->start(g);
  });
}

void listener::refuse(const std::string& address, const std::string& reason) {
  if (complained_.size() < most_complaints && complained_.insert(address).second)
    events_.refused(address, reason);
}

} // namespace triage
