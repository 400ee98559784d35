#include "proxy.hpp"

#include "core/rng.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cmath>
#include <deque>
#include <poll.h>
#include <vector>

namespace triage::test {

using boost::asio::ip::tcp;
using clock_type = std::chrono::steady_clock;

namespace {
constexpr std::size_t chunk_bytes = 16U << 10U;
constexpr std::size_t packet_bytes = 1448;
constexpr std::size_t most_queued = 4U << 20U;
constexpr std::chrono::milliseconds look_again{2};
const boost::asio::ip::address_v4 here = boost::asio::ip::address_v4::loopback();
} // namespace

/// One direction of a connection.
struct bad_network::pipe : std::enable_shared_from_this<pipe> {
  pipe(boost::asio::io_context& io, condition& c, std::shared_ptr<connection> owner, tcp::socket& a,
       tcp::socket& b, rng r)
      : weather(c), parent(std::move(owner)), from(a), to(b), timer(io), random(r) {}

  void read() {
    if (reading || ended || queued > most_queued)
      return;
    reading = true;
    from.async_read_some(boost::asio::buffer(incoming),
                         [self = shared_from_this()](const auto& ec, std::size_t bytes) {
                           self->reading = false;
                           self->ended = bool(ec);
                           if (bytes > 0)
                             self->keep(bytes);
                           self->read();
                           self->pass_on();
                         });
  }
  void keep(std::size_t bytes) {
    const double latency = weather.latency;
    const double packets = std::ceil(static_cast<double>(bytes) / packet_bytes);
    const bool lost = random.uniform() > std::pow(1.0 - weather.loss, packets);
    const auto travel = std::chrono::duration<double>(latency + (lost ? 4.0 * latency : 0.0));
    // In order: nothing overtakes what was lost and is sent again.
    last_arrival =
        std::max(last_arrival, clock_type::now() + std::chrono::duration_cast<clock_type::duration>(travel));
    queue.push_back(
        {last_arrival, {incoming.begin(), incoming.begin() + static_cast<std::ptrdiff_t>(bytes)}});
    queued += bytes;
  }
  void pass_on();

  struct chunk {
    clock_type::time_point arrival;
    std::vector<char> bytes;
  };
  condition& weather;
  std::shared_ptr<connection> parent;
  tcp::socket& from;
  tcp::socket& to;
  boost::asio::steady_timer timer;
  rng random;
  std::array<char, chunk_bytes> incoming{};
  std::deque<chunk> queue;
  std::size_t queued = 0;
  clock_type::time_point last_arrival{};
  bool reading = false;
  bool busy = false; ///< writing, or waiting to
  bool ended = false;
};

struct bad_network::connection : std::enable_shared_from_this<connection> {
  connection(bad_network& n, tcp::socket s)
      : network(n), client(std::move(s)), server(n.context_), retry(n.context_) {}
  /// A reset, so that nobody waits for bytes that nobody will pass on.
  void close() {
    for (auto* s : {&client, &server}) {
      boost::system::error_code ignored;
      s->set_option(boost::asio::socket_base::linger(true, 0), ignored);
      s->close(ignored);
    }
    network.connections_.erase(shared_from_this());
  }
  /// A connection that is asked for during a partition is made when it is over, as by a SYN that is sent
  /// again, unless the client has given up.
  void begin(std::uint64_t number) {
    pollfd left{client.native_handle(), POLLRDHUP, 0};
    if (poll(&left, 1, 0) > 0)
      return close();
    if (network.conditions_[0].hole || network.conditions_[1].hole) {
      retry.expires_after(look_again);
      retry.async_wait([self = shared_from_this(), number](const boost::system::error_code& ec) {
        if (!ec)
          self->begin(number);
      });
      return;
    }
    server.async_connect({here, network.to_port_}, [self = shared_from_this(), number](const auto& ec) {
      if (ec)
        return self->close();
      auto& n = self->network;
      for (auto* s : {&self->client, &self->server}) {
        boost::system::error_code ignored;
        s->set_option(tcp::no_delay(true), ignored);
      }
      std::make_shared<pipe>(n.context_, n.conditions_[0], self, self->client, self->server,
                             rng(n.seed_, 2 * number))
          ->read();
      std::make_shared<pipe>(n.context_, n.conditions_[1], self, self->server, self->client,
                             rng(n.seed_, 2 * number + 1))
          ->read();
    });
  }
  bad_network& network;
  tcp::socket client;
  tcp::socket server;
  boost::asio::steady_timer retry;
};

void bad_network::pipe::pass_on() {
  if (busy)
    return;
  if (queue.empty() && !ended)
    return;
  const auto now = clock_type::now();
  // The end of a connection travels like its bytes, and a partition keeps it, too.
  if (weather.hole || (!queue.empty() && queue.front().arrival > now)) {
    busy = true;
    timer.expires_at(weather.hole ? now + look_again : queue.front().arrival);
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
      self->busy = false;
      if (!ec)
        self->pass_on();
    });
    return;
  }
  if (queue.empty()) {
    parent->close();
    return;
  }
  busy = true;
  boost::asio::async_write(to, boost::asio::buffer(queue.front().bytes),
                           [self = shared_from_this()](const auto& ec, std::size_t bytes) {
                             self->busy = false;
                             if (ec)
                               return self->parent->close();
                             self->weather.passed += bytes;
                             self->queued -= self->queue.front().bytes.size();
                             self->queue.pop_front();
                             self->read();
                             self->pass_on();
                           });
}

bad_network::bad_network(std::uint16_t to_port, std::uint64_t seed)
    : guard_(boost::asio::make_work_guard(context_)), acceptor_(context_, {here, 0}), to_port_(to_port),
      port_(acceptor_.local_endpoint().port()), seed_(seed) {
  accept();
  thread_ = std::thread([this] { context_.run(); });
}

bad_network::~bad_network() {
  context_.stop();
  thread_.join();
  // Connections, their pipes and the handlers refer to each other: close, so that the context drops them.
  for (const auto& c : std::set(connections_))
    c->close();
}

void bad_network::set_latency(double seconds, double packet_loss) {
  for (auto& c : conditions_) {
    c.latency = seconds;
    c.loss = packet_loss;
  }
}

void bad_network::cut() {
  boost::asio::post(context_, [this] {
    for (const auto& c : std::set(connections_))
      c->close();
  });
}

void bad_network::accept() {
  acceptor_.async_accept([this](const boost::system::error_code& ec, tcp::socket socket) {
    if (ec)
      return;
    const auto c = std::make_shared<connection>(*this, std::move(socket));
    connections_.insert(c);
    c->begin(accepted_++);
    accept();
  });
}

} // namespace triage::test
