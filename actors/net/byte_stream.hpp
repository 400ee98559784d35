#pragma once

#include "actors/net/local_socket.hpp"
#include "actors/net/shared_memory.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace triage {

/// A connection over TCP or within the machine, encrypted or not. At most one read and one write may be under
/// way. Lives on the thread of its io_context; handlers run there and are called exactly once, also after
/// `close`.
class byte_stream {
public:
  using handler = std::function<void(const boost::system::error_code&, std::size_t)>;

  virtual ~byte_stream() = default;
  /// Proves who both sides are; the first operation, and a formality without encryption.
  virtual void handshake(bool as_server, handler done) = 0;
  virtual void read_some(boost::asio::mutable_buffer to, handler done) = 0;
  /// Writes all of it; the memory stays the caller's and must stay.
  virtual void write(std::vector<boost::asio::const_buffer> from, handler done) = 0;
  virtual void close() = 0;
  /// The name in the peer's certificate; empty without encryption.
  [[nodiscard]] virtual std::string peer_name() = 0;
  /// What both ends see beside the bytes: the accepting one's, which alone writes it (snapshot_board). Null:
  /// nothing. Once the handshake is over.
  [[nodiscard]] virtual std::shared_ptr<const shared_memory> board() { return nullptr; }
};

/// `tls`: null for plain bytes. Sets TCP_NODELAY.
[[nodiscard]] std::unique_ptr<byte_stream>
make_byte_stream(boost::asio::ip::tcp::socket socket, const std::shared_ptr<boost::asio::ssl::context>& tls);
/// `shares_memory`, `board`: see shared_memory_stream.hpp; never with `tls`.
[[nodiscard]] std::unique_ptr<byte_stream>
make_byte_stream(local_protocol::socket socket, const std::shared_ptr<boost::asio::ssl::context>& tls,
                 bool shares_memory, std::shared_ptr<const shared_memory> board = nullptr);

/// Asio's own condition of a whole write hands the kernel 64 KiB at a time, with a turn of its loop and a
/// wake-up of the receiver for each: a part of a gradient took five.
inline std::size_t all_at_once(const boost::system::error_code& ec, std::size_t) {
  return ec ? 0 : std::numeric_limits<std::size_t>::max();
}

} // namespace triage
