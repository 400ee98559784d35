#include "apps/bench/linked_threads.hpp"

#include "actors/net/connector.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <future>
#include <stdexcept>

namespace triage {

namespace {

using boost::asio::ip::tcp;

/// A stream, or the reason why there is none, for the thread that waits for it.
struct arriving_stream {
  std::promise<std::unique_ptr<byte_stream>> stream;
  std::unique_ptr<byte_stream> shaking; ///< hands
  void refuse(const std::string& reason) {
    stream.set_exception(std::make_exception_ptr(std::runtime_error(reason)));
  }
  void shake_hands(std::unique_ptr<byte_stream> with, const std::shared_ptr<arriving_stream>& self) {
    shaking = std::move(with);
    shaking->handshake(true, [self](const boost::system::error_code& failed, std::size_t) {
      if (failed)
        return self->refuse(failed.message());
      self->stream.set_value(std::move(self->shaking));
    });
  }
};

} // namespace

void linked_threads::connect(const std::shared_ptr<link_handler>& near,
                             const std::shared_ptr<link_handler>& far, const preparation& prepare) {
  tcp::acceptor acceptor(there_.context(), {boost::asio::ip::address_v4::loopback(), 0});
  local_protocol::acceptor local(there_.context());
  // Shared: should one end fail, the other's handlers run when this function has returned.
  const auto accepted = std::make_shared<arriving_stream>();
  const auto connected = std::make_shared<arriving_stream>();
  if (transport_ == link_transport::tcp) {
    acceptor.async_accept([accepted, tls = tls_](const boost::system::error_code& ec, tcp::socket socket) {
      if (ec)
        return accepted->refuse(ec.message());
      accepted->shake_hands(make_byte_stream(std::move(socket), tls), accepted);
    });
  } else {
    // Who connects looks for this name first.
    const auto name = local_endpoint_of(acceptor.local_endpoint());
    local.open(name.protocol());
    local.bind(name);
    local.listen();
    local.async_accept([accepted](const boost::system::error_code& ec, local_protocol::socket socket) {
      if (ec)
        return accepted->refuse(ec.message());
      accepted->shake_hands(make_byte_stream(std::move(socket), nullptr, true), accepted);
    });
  }
  async_connect(here_.context(), {"127.0.0.1", acceptor.local_endpoint().port()}, tls_, 5.0,
                [connected](result<std::unique_ptr<byte_stream>> stream) {
                  if (!stream.ok())
                    return connected->refuse(stream.error().message);
                  connected->stream.set_value(stream.take());
                });
  near_ = link::make(here_.context(), connected->stream.get_future().get(), {});
  far_ = link::make(there_.context(), accepted->stream.get_future().get(), {});
  prepare(near_, far_);
  boost::asio::post(there_.context(), [this, far] { far_->start(far); });
  boost::asio::post(here_.context(), [this, near] { near_->start(near); });
}

void linked_threads::stop() {
  here_.stop();
  there_.stop();
}

} // namespace triage
