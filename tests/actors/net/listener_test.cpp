#include "link_support.hpp"

#include "actors/net/listener.hpp"

#include <thread>

using namespace triage;
using namespace triage::test;

namespace {

constexpr double patience = 0.3;

/// A listener that welcomes whoever introduces himself, and what it told.
struct open_port {
  network_thread net;
  std::shared_ptr<listener> l;
  std::shared_ptr<recorder> guests = std::make_shared<recorder>();
  std::atomic<int> greeted{0};
  std::mutex mutex;
  std::vector<std::string> complaints;
  std::vector<std::shared_ptr<triage::link>> links; // not that of unistd.h

  explicit open_port(listener_options options = {}) {
    options.handshake_seconds = patience;
    auto bound = net.on_thread([&] { return listener::bind(net.io.context(), {"127.0.0.1", 0}, options); });
    REQUIRE_MESSAGE(bound.ok(), bound.error().message);
    l = bound.take();
    net.on_thread([this] {
      l->start({[this](const auto& link, const auto&, const auto&) {
                  ++greeted;
                  link->hand_over(guests, {});
                  links.push_back(link);
                },
                [this](const auto& address, const auto& reason) {
                  const std::lock_guard guard(mutex);
                  complaints.push_back(address + ": " + reason);
                }});
      return 0;
    });
  }
  ~open_port() {
    net.on_thread([this] {
      l->stop();
      for (const auto& link : links)
        link->close("the test is over");
      return 0;
    });
    net.io.stop();
  }
  tcp::socket connect() {
    tcp::socket s(net.io.context());
    s.connect({boost::asio::ip::make_address(l->address().host), l->address().port});
    return s;
  }
  std::vector<std::string> said() {
    net.on_thread([] { return 0; }); // a connection closes just before the complaint about it
    const std::lock_guard guard(mutex);
    return complaints;
  }
  bool wait_for_guests(int count) {
    for (const double begin = seconds_now(); greeted < count && seconds_now() < begin + 3.0;)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return greeted == count;
  }
};

/// Reads until the other end closes; how long that took, or -1 when it takes too long.
double seconds_until_closed(tcp::socket& s) {
  const timeval limit{3, 0};
  ::setsockopt(s.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const double begin = seconds_now();
  for (bytes any(4096);;) {
    const auto got = ::recv(s.native_handle(), any.data(), any.size(), 0);
    if (got == 0 || (got < 0 && errno == ECONNRESET))
      return seconds_now() - begin;
    if (got < 0)
      return -1.0;
  }
}

void write(tcp::socket& s, std::span<const std::uint8_t> what) {
  boost::system::error_code closed;
  boost::asio::write(s, boost::asio::buffer(what.data(), what.size()), closed);
}

bytes hello_bytes() {
  const auto f = to_frame(hello_message{peer_role::control, "1", "node", 1, 1, 0, ""});
  return {f.front().begin(), f.front().end()};
}

} // namespace

TEST_CASE("listener: who introduces himself is passed on, others may come meanwhile") {
  open_port p;
  auto a = p.connect(), b = p.connect();
  write(b, hello_bytes());
  CHECK(p.wait_for_guests(1));
  write(a, hello_bytes());
  CHECK(p.wait_for_guests(2));
  std::this_thread::sleep_for(std::chrono::duration<double>(1.3 * patience));
  CHECK(p.guests->closes() == 0); // the time limit was that of the introduction
  CHECK(p.said().empty());
}

TEST_CASE("listener: silence and trickles are cut off in time, and told once for the address") {
  open_port p;
  auto silent = p.connect(), trickling = p.connect();
  std::atomic<bool> over = false;
  std::thread trickle([&] {
    const auto hello = hello_bytes();
    for (std::size_t i = 0; i < hello.size() && !over; ++i) {
      write(trickling, std::span(hello).subspan(i, 1));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  const double begin = seconds_now();
  CHECK(seconds_until_closed(silent) > 0.8 * patience);
  CHECK(seconds_until_closed(trickling) >= 0.0);
  CHECK(seconds_now() - begin < 2.0 * patience);
  over = true;
  trickle.join();
  CHECK(p.greeted == 0);
  REQUIRE(p.said().size() == 1);
  CHECK(p.said()[0] == "127.0.0.1: it did not introduce itself in time");
}

TEST_CASE("listener: what is no introduction closes at once, with the reason") {
  struct bad_case {
    bytes what;
    std::string reason;
  };
  const auto to_bytes = [](const frame& f) {
    bytes all(f.front().begin(), f.front().end());
    all.insert(all.end(), f.bulk().begin(), f.bulk().end());
    return all;
  };
  auto other_protocol = hello_bytes();
  other_protocol[frame_header::size] = 77;
  auto long_hello = hello_message{peer_role::control, "1", "node", 1, 1, 0, std::string(5000, 't')};
  auto evil_name = hello_message{peer_role::control, "1", evil_text, 1, 1, 0, ""};
  for (const auto& c : {bad_case{bytes(100, 'x'), "not a triage frame"},
                        bad_case{other_protocol, "version 77 of the protocol"},
                        bad_case{to_bytes(to_frame(long_hello)), "where 4096 are allowed"},
                        bad_case{to_bytes(to_frame(evil_name)), "makes no sense"},
                        bad_case{to_bytes(frame(frame_kind::leaving)), "did not begin with an introduction"},
                        bad_case{to_bytes(frame(frame_kind::hello, {1})), "protocol"},
                        bad_case{to_bytes(floats_frame(10)), "floats before it introduced itself"}}) {
    CAPTURE(c.reason);
    open_port p;
    auto s = p.connect();
    write(s, c.what);
    const double took = seconds_until_closed(s);
    CHECK((took >= 0.0 && took < 0.8 * patience));
    REQUIRE(p.said().size() == 1);
    CHECK_MESSAGE(p.said()[0].find(c.reason) != std::string::npos, p.said()[0]);
    CHECK(p.greeted == 0);
    auto again = p.connect(); // the port is as good as before, and says nothing twice
    write(again, bytes(100, 'y'));
    CHECK(seconds_until_closed(again) >= 0.0);
    auto good = p.connect();
    write(good, hello_bytes());
    CHECK(p.wait_for_guests(1));
    CHECK(p.said().size() == 1);
  }
}

TEST_CASE("listener: an introduction that makes no sense is answered with the reason, for good") {
  open_port p;
  auto s = p.connect();
  hello_message strange{peer_role::control, "1", "gpu box", 1, 1, 0, ""};
  const auto f = to_frame(strange);
  write(s, bytes(f.front().begin(), f.front().end()));
  bytes answer(4096);
  boost::system::error_code ec;
  answer.resize(boost::asio::read(s, boost::asio::buffer(answer), ec));
  const std::string text(answer.begin(), answer.end());
  CHECK(text.find("makes no sense") != std::string::npos);
}

TEST_CASE(
    "listener: who speaks another version of the protocol is told so, once, before the connection closes") {
  open_port p;
  const auto told = std::make_shared<recorder>();
  const auto l = p.net.make(p.connect(), told);
  const auto hello = hello_bytes();
  bytes head(hello.begin() + frame_header::size, hello.end());
  head[0] = 2;
  l->send(frame(frame_kind::hello, head));
  l->send(frame(frame_kind::hello, head));
  const auto answer = told->wait_for(frame_kind::refusal);
  REQUIRE(answer);
  const auto refusal = read_refusal(answer->head);
  REQUIRE(refusal.ok());
  CHECK(refusal->reason.starts_with("it speaks version 2 of the protocol, the coordinator version"));
  CHECK_FALSE(refusal->again);
  // The second greeting may meet a connection that is closed already.
  const auto ended = told->wait_until_closed();
  CHECK((ended == "it closed the connection" || ended.starts_with("the connection broke")));
  CHECK(told->frames().size() == 1);
  CHECK(p.said().size() == 1);
  CHECK(p.greeted == 0);
}

TEST_CASE("listener: of too many that introduce themselves the oldest goes, so that nobody is kept out") {
  listener_options options;
  options.most_handshakes = 4;
  open_port p(options);
  std::vector<tcp::socket> crowd;
  for (int i = 0; i < 4; ++i)
    crowd.push_back(p.connect());
  std::this_thread::sleep_for(std::chrono::milliseconds(30)); // accepted
  auto good = p.connect();
  write(good, hello_bytes());
  CHECK(p.wait_for_guests(1));
  double took = seconds_until_closed(crowd[0]);
  CHECK((took >= 0.0 && took < 0.5 * patience));
  for (int i = 0; i < 200; ++i) // each makes the oldest go
    crowd.push_back(p.connect());
  took = seconds_until_closed(crowd[199]);
  CHECK((took >= 0.0 && took < 0.5 * patience));
  auto late = p.connect();
  write(late, hello_bytes());
  CHECK(p.wait_for_guests(2));
  CHECK(seconds_until_closed(crowd.back()) > 0.3 * patience); // there is room for these: only time ends them
  REQUIRE(p.said().size() == 1);
  CHECK(p.said()[0] == "127.0.0.1: too many connections are introducing themselves at once");
}

TEST_CASE("listener: only so many connections, until one ends") {
  listener_options options;
  options.most_connections = 2;
  open_port p(options);
  std::vector<tcp::socket> crowd;
  for (int i = 0; i < 3; ++i) {
    crowd.push_back(p.connect());
    write(crowd.back(), hello_bytes());
    CHECK(p.wait_for_guests(std::min(i + 1, 2)));
  }
  CHECK(seconds_until_closed(crowd[2]) >= 0.0);
  REQUIRE(p.said().size() == 1);
  CHECK(p.said()[0] == "127.0.0.1: there are too many connections");
  p.net.on_thread([&] {
    p.l->connection_ended();
    return 0;
  });
  auto next = p.connect();
  write(next, hello_bytes());
  CHECK(p.wait_for_guests(3));
}

TEST_CASE("listener: an address that cannot be listened on is an error that names it") {
  open_port p;
  const auto port = p.l->address().port;
  io_thread io;
  const auto taken = listener::bind(io.context(), {"127.0.0.1", port}, {});
  REQUIRE_FALSE(taken.ok());
  CHECK(taken.error().kind == error_kind::io);
  CHECK(taken.error().message.find("127.0.0.1:" + std::to_string(port)) != std::string::npos);
  CHECK_FALSE(listener::bind(io.context(), {"no.such.host.invalid", 0}, {}).ok());
}

TEST_CASE("listener: a crowd from one address does not push out who introduces himself slowly from another") {
  listener_options options;
  options.most_handshakes = 4;
  open_port p(options);
  tcp::socket far(p.net.io.context(), tcp::v4());
  far.bind({boost::asio::ip::make_address("127.0.0.2"), 0});
  far.connect({boost::asio::ip::make_address(p.l->address().host), p.l->address().port});
  std::this_thread::sleep_for(std::chrono::milliseconds(30)); // accepted: it is the oldest
  std::vector<tcp::socket> crowd;
  for (int i = 0; i < 100; ++i)
    crowd.push_back(p.connect());
  const double took = seconds_until_closed(crowd[50]);
  CHECK((took >= 0.0 && took < 0.5 * patience));
  write(far, hello_bytes());
  CHECK(p.wait_for_guests(1));
}

TEST_CASE("listener: of crowds of equal size the oldest goes, whatever its address") {
  listener_options options;
  options.most_handshakes = 3;
  open_port p(options);
  const auto connect_from = [&](const std::string& address) {
    tcp::socket s(p.net.io.context(), tcp::v4());
    s.bind({boost::asio::ip::make_address(address), 0});
    s.connect({boost::asio::ip::make_address(p.l->address().host), p.l->address().port});
    std::this_thread::sleep_for(std::chrono::milliseconds(30)); // accepted, in this order
    return s;
  };
  auto silent = connect_from("127.0.0.9");
  auto honest = connect_from("127.0.0.2");
  auto other = connect_from("127.0.0.5");
  auto late = connect_from("127.0.0.7");
  const double took = seconds_until_closed(silent);
  CHECK((took >= 0.0 && took < 0.5 * patience));
  write(honest, hello_bytes());
  CHECK(p.wait_for_guests(1));
}
