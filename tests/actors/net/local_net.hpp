#pragma once

#include "actors/net/shared_memory_stream.hpp"
#include "link_support.hpp"

#include <boost/asio/local/connect_pair.hpp>

namespace triage::test {

/// Two ends of one connection of the Unix domain.
struct local_net : network_thread {
  using error_code = boost::system::error_code;

  std::pair<local_protocol::socket, local_protocol::socket> local_connection() {
    local_protocol::socket a(io.context());
    local_protocol::socket b(io.context());
    boost::asio::local::connect_pair(a, b);
    return {std::move(a), std::move(b)};
  }
  std::future<error_code> shake(byte_stream& s, bool as_server) {
    auto told = std::make_shared<std::promise<error_code>>();
    auto future = told->get_future();
    on_thread([&] {
      s.handshake(as_server, [told](const error_code& ec, std::size_t) { told->set_value(ec); });
      return 0;
    });
    return future;
  }
  /// Streams that have shaken hands: the connecting end, and the accepting one, which has the board.
  std::pair<std::unique_ptr<byte_stream>, std::unique_ptr<byte_stream>>
  streams(bool near_shares, bool far_shares, const std::shared_ptr<const shared_memory>& board = nullptr) {
    auto [x, y] = local_connection();
    auto near = make_shared_memory_stream(std::move(x), near_shares);
    auto far = make_shared_memory_stream(std::move(y), far_shares, board);
    auto near_done = shake(*near, false);
    auto far_done = shake(*far, true);
    REQUIRE_FALSE(near_done.get());
    REQUIRE_FALSE(far_done.get());
    return {std::move(near), std::move(far)};
  }
  std::shared_ptr<triage::link> start(std::unique_ptr<byte_stream> s,
                                      const std::shared_ptr<link_handler>& handler,
                                      const link_options& options = {}) {
    return on_thread([&] {
      auto l = triage::link::make(io.context(), std::move(s), options);
      l->start(handler);
      return l;
    });
  }
};

} // namespace triage::test
