#pragma once

#include "actors/net/handshake.hpp"
#include "actors/net/link.hpp"
#include "actors/net/net_address.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>

namespace triage {

struct listener_options {
  std::shared_ptr<boost::asio::ssl::context> tls; ///< null: plain
  link_options links;
  double handshake_seconds = 5.0;   ///< from the connection to the first frame
  std::size_t most_handshakes = 64; ///< at once; of more, the oldest of the address that has most is closed
  std::size_t most_connections = 4096; ///< that have introduced themselves
  bool local = true;                   ///< also within the machine, for the same user; see local_socket.hpp
  bool shares_memory = true;           ///< with those
  std::shared_ptr<const shared_memory> board = nullptr; ///< for those to read, where they share memory
};

/// Accepts connections, lets them prove who they are and introduce themselves within a time limit, and
/// passes them on. Nothing that a stranger sends is decoded before the proof, and no more than a small first
/// frame after it. Lives on the thread of its io_context.
class listener : public std::enable_shared_from_this<listener> {
public:
  struct events {
    /// A peer said what it wants. The link's handler is still the listener's: hand it over.
    std::function<void(const std::shared_ptr<link>&, const hello_message&, const std::string& address)>
        greeted;
    /// Told once for each address.
    std::function<void(const std::string& address, const std::string& reason)> refused;
  };
  /// Binds at once, accepts after `start`. The error says what the system says.
  [[nodiscard]] static result<std::shared_ptr<listener>>
  bind(boost::asio::io_context& context, const net_address& at, listener_options options);

  void start(events e);
  void stop();
  [[nodiscard]] net_address address() const;
  /// A connection that was passed on has ended.
  void connection_ended() { --connections_; }
  /// Complains about an address, once.
  void refuse(const std::string& address, const std::string& reason);

private:
  struct greeting;
  listener(boost::asio::io_context& context, listener_options options);
  /// One way in.
  template <class Protocol>
  struct door {
    explicit door(boost::asio::io_context& context) : acceptor(context), pause(context) {}
    void close();
    typename Protocol::acceptor acceptor;
    boost::asio::steady_timer pause;
  };
  void open_local();
  template <class Protocol>
  void accept(door<Protocol>& at);
  void arrived(boost::asio::ip::tcp::socket socket);
  void arrived(local_protocol::socket socket);
  void drop_from_crowd();
  void greet(std::unique_ptr<byte_stream> stream, const std::string& address);

  boost::asio::io_context& context_;
  door<boost::asio::ip::tcp> tcp_;
  door<local_protocol> local_; ///< closed where there is none
  listener_options options_;
  events events_;
  std::deque<std::weak_ptr<greeting>> greetings_; ///< oldest first
  std::size_t connections_ = 0;
  std::uint64_t links_ = 0; ///< made so far
  std::set<std::string> complained_;
};

} // namespace triage
