#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <set>
#include <thread>

namespace triage::test {

/// A bad network on this machine: passes TCP connections on to a port, each direction with a latency, with
/// stalls as lost packets cause them, or not at all. While a direction is a black hole its bytes are kept, as
/// by a sender that sends again and again, and leave when it heals; both sockets stay open. Functions may be
/// called from any thread.
class bad_network {
public:
  explicit bad_network(std::uint16_t to_port, std::uint64_t seed = 1);
  ~bad_network();
  bad_network(const bad_network&) = delete;
  bad_network& operator=(const bad_network&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  enum class direction { to_target, from_target };
  void black_hole(direction d, bool on) { conditions_[index(d)].hole = on; }
  void black_hole(bool on) {
    black_hole(direction::to_target, on);
    black_hole(direction::from_target, on);
  }
  /// One way; a lost packet costs two round trips more, and holds up everything behind it.
  void set_latency(double seconds, double packet_loss);
  /// Resets what is open.
  void cut();
  /// Bytes that have passed that way.
  [[nodiscard]] std::uint64_t passed(direction d) const { return conditions_[index(d)].passed; }

private:
  struct condition {
    std::atomic<bool> hole{false};
    std::atomic<double> latency{0.0};
    std::atomic<double> loss{0.0};
    std::atomic<std::uint64_t> passed{0};
  };
  struct pipe;
  struct connection;
  static std::size_t index(direction d) { return d == direction::to_target ? 0 : 1; }
  void accept();

  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::uint16_t to_port_;
  std::uint16_t port_;
  std::uint64_t seed_;
  std::uint64_t accepted_ = 0;
  std::array<condition, 2> conditions_;
  std::set<std::shared_ptr<connection>> connections_;
  std::thread thread_;
};

} // namespace triage::test
