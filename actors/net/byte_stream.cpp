#include "actors/net/byte_stream.hpp"

#include "actors/net/shared_memory_stream.hpp"
#include "actors/net/tls.hpp"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <sys/socket.h>

namespace triage {

namespace {

using boost::asio::ip::tcp;

/// TCP and the Unix domain, behind one type.
using stream_socket = boost::asio::generic::stream_protocol::socket;

/// What the kernel holds between two processes of a machine: fewer changes between them for a large frame.
constexpr int local_buffer_bytes = 4 << 20;

void close_socket(stream_socket& socket) {
  boost::system::error_code ignored;
  socket.shutdown(stream_socket::shutdown_both, ignored);
  socket.close(ignored);
}

class plain_stream final : public byte_stream {
public:
  explicit plain_stream(stream_socket socket) : socket_(std::move(socket)) {}
  void handshake(bool, handler done) override {
    boost::asio::post(socket_.get_executor(), [done = std::move(done)] { done({}, 0); });
  }
  void read_some(boost::asio::mutable_buffer to, handler done) override {
    socket_.async_read_some(to, std::move(done));
  }
  void write(std::vector<boost::asio::const_buffer> from, handler done) override {
    boost::asio::async_write(socket_, from, all_at_once, std::move(done));
  }
  void close() override { close_socket(socket_); }
  std::string peer_name() override { return {}; }

private:
  stream_socket socket_;
};

class tls_stream final : public byte_stream {
public:
  tls_stream(stream_socket socket, std::shared_ptr<boost::asio::ssl::context> tls)
      : tls_(std::move(tls)), stream_(std::move(socket), *tls_) {}
  void handshake(bool as_server, handler done) override {
    const auto side =
        as_server ? boost::asio::ssl::stream_base::server : boost::asio::ssl::stream_base::client;
    stream_.async_handshake(side,
                            [done = std::move(done)](const boost::system::error_code& ec) { done(ec, 0); });
  }
  void read_some(boost::asio::mutable_buffer to, handler done) override {
    stream_.async_read_some(to, std::move(done));
  }
  void write(std::vector<boost::asio::const_buffer> from, handler done) override {
    boost::asio::async_write(stream_, from, std::move(done));
  }
  /// Without TLS's farewell: the frames say when a run is over, and a farewell can be waited for in vain.
  void close() override { close_socket(stream_.next_layer()); }
  std::string peer_name() override { return triage::peer_name(stream_.native_handle()); }

private:
  std::shared_ptr<boost::asio::ssl::context> tls_; // must outlive the stream
  boost::asio::ssl::stream<stream_socket> stream_;
};

std::unique_ptr<byte_stream> make_stream(stream_socket socket,
                                         const std::shared_ptr<boost::asio::ssl::context>& tls) {
  if (tls)
    return std::make_unique<tls_stream>(std::move(socket), tls);
  return std::make_unique<plain_stream>(std::move(socket));
}

} // namespace

std::unique_ptr<byte_stream> make_byte_stream(tcp::socket socket,
                                              const std::shared_ptr<boost::asio::ssl::context>& tls) {
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  return make_stream(std::move(socket), tls);
}

std::unique_ptr<byte_stream> make_byte_stream(local_protocol::socket socket,
                                              const std::shared_ptr<boost::asio::ssl::context>& tls,
                                              bool shares_memory,
                                              std::shared_ptr<const shared_memory> board) {
  // Root may have more than the system's limit.
  const int bytes = local_buffer_bytes;
  if (setsockopt(socket.native_handle(), SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0)
    (void)setsockopt(socket.native_handle(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  return tls ? make_stream(std::move(socket), tls)
             : make_shared_memory_stream(std::move(socket), shares_memory, std::move(board));
}

} // namespace triage
