#include "actors/net/connector.hpp"

#include "actors/net/tls.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <utility>
#include <vector>

namespace triage {

using boost::asio::ip::tcp;

namespace {

struct attempt : std::enable_shared_from_this<attempt> {
  attempt(boost::asio::io_context& c, const net_address& t, std::shared_ptr<boost::asio::ssl::context> s,
          std::function<void(result<std::unique_ptr<byte_stream>>)> d)
      : context(c), to(t), tls(std::move(s)), done(std::move(d)), resolver(c), near(c), socket(c), timer(c) {}

  void begin(double seconds) {
    timer.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(
        std::chrono::duration<double>(seconds)));
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
      if (!ec)
        self->fail(
            self->tls
                ? "no answer in time"
                : "no answer in time; a coordinator with certificates answers only who has some (--tls)");
    });
    resolver.async_resolve(to.host, std::to_string(to.port),
                           [self = shared_from_this()](const auto& ec, const auto& found) {
                             if (ec)
                               return self->fail(ec.message());
                             self->connect_here(found);
                           });
  }
  /// Within this machine, if somebody listens there; a name that nobody has is refused at once.
  void connect_here(const tcp::resolver::results_type& found) {
    std::vector<local_protocol::endpoint> names;
    for (const auto& at : found)
      for (const auto& name : local_endpoints_for(at.endpoint()))
        names.push_back(name);
    boost::asio::async_connect(near, names, [self = shared_from_this(), found](const auto& ec, const auto&) {
      if (!self->done)
        return;
      if (ec || !is_same_user(self->near))
        return self->connect(found);
      self->introduce(make_byte_stream(std::move(self->near), self->tls, true));
    });
  }
  void connect(const tcp::resolver::results_type& found) {
    boost::asio::async_connect(socket, found, [self = shared_from_this()](const auto& ec, const auto&) {
      if (ec)
        return self->fail(ec.message());
      if (!self->done)
        return;
      self->introduce(make_byte_stream(std::move(self->socket), self->tls));
    });
  }
  void introduce(std::unique_ptr<byte_stream> connected) {
    stream = std::move(connected);
    stream->handshake(false, [self = shared_from_this()](const auto& failed, std::size_t) {
      if (failed)
        return self->fail(fmt::format("the two sides do not accept each other's certificates, or only one of "
                                      "them uses any ({})",
                                      failed.message()));
      // Every node's certificate is good for both ends; only one name may coordinate.
      if (const auto name = self->stream->peer_name(); self->tls && name != coordinator_name)
        return self->fail(
            fmt::format("the certificate there is that of \"{}\", not of \"{}\"", name, coordinator_name));
      self->end(std::move(self->stream));
    });
  }
  void fail(const std::string& why) {
    end(error{error_kind::retry, fmt::format("cannot connect to {}: {}", to_string(to), why)});
  }
  void end(result<std::unique_ptr<byte_stream>> outcome) {
    timer.cancel();
    resolver.cancel();
    if (stream)
      stream->close();
    boost::system::error_code ignored;
    near.close(ignored);
    socket.close(ignored);
    if (auto call = std::exchange(done, nullptr))
      call(std::move(outcome));
  }

  boost::asio::io_context& context;
  net_address to;
  std::shared_ptr<boost::asio::ssl::context> tls;
  std::function<void(result<std::unique_ptr<byte_stream>>)> done;
  tcp::resolver resolver;
  local_protocol::socket near;
  tcp::socket socket;
  boost::asio::steady_timer timer;
  std::unique_ptr<byte_stream> stream;
};

} // namespace

void async_connect(boost::asio::io_context& context, const net_address& to,
                   const std::shared_ptr<boost::asio::ssl::context>& tls, double seconds,
                   std::function<void(result<std::unique_ptr<byte_stream>>)> done) {
  std::make_shared<attempt>(context, to, tls, std::move(done))->begin(seconds);
}

} // namespace triage
