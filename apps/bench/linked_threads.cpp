#include "apps/bench/linked_threads.hpp"

#include "actors/net/connector.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <future>
#include <stdexcept>

namespace triage {

namespace {

using boost::asio::ip::tcp;

/// A stream, or the reason why there is none, for the thread that waits for it.
using arriving_stream = std::promise<std::unique_ptr<byte_stream>>;

void refuse(arriving_stream& stream, const std::string& reason) {
  stream.set_exception(std::make_exception_ptr(std::runtime_error(reason)));
}

} // namespace

void linked_threads::connect(const std::shared_ptr<link_handler>& near,
                             const std::shared_ptr<link_handler>& far, const preparation& prepare) {
  tcp::acceptor acceptor(there_.context(), {boost::asio::ip::address_v4::loopback(), 0});
  arriving_stream accepted;
  arriving_stream connected;
  std::unique_ptr<byte_stream> shaking;
  acceptor.async_accept([&](const boost::system::error_code& ec, tcp::socket socket) {
    if (ec)
      return refuse(accepted, ec.message());
    shaking = make_byte_stream(std::move(socket), tls_);
    shaking->handshake(true, [&](const boost::system::error_code& failed, std::size_t) {
      if (failed)
        return refuse(accepted, failed.message());
      accepted.set_value(std::move(shaking));
    });
  });
  async_connect(here_.context(), {"127.0.0.1", acceptor.local_endpoint().port()}, tls_, 5.0,
                [&](result<std::unique_ptr<byte_stream>> stream) {
                  if (!stream.ok())
                    return refuse(connected, stream.error().message);
                  connected.set_value(stream.take());
                });
  near_ = link::make(here_.context(), connected.get_future().get(), {});
  far_ = link::make(there_.context(), accepted.get_future().get(), {});
  prepare(near_, far_);
  boost::asio::post(there_.context(), [this, far] { far_->start(far); });
  boost::asio::post(here_.context(), [this, near] { near_->start(near); });
}

void linked_threads::stop() {
  here_.stop();
  there_.stop();
}

} // namespace triage
