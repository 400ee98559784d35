#include "link_support.hpp"

#include "actors/net/connector.hpp"
#include "actors/net/listener.hpp"
#include "actors/net/local_socket.hpp"

#include <future>
#include <sys/syscall.h>
#include <thread>

using namespace triage;
using namespace triage::test;

namespace {

constexpr double patience = 2.0;

/// A listener that notes from where somebody introduced himself, or why it refused him.
struct open_port {
  network_thread net;
  std::shared_ptr<listener> l;
  std::promise<std::string> news;

  open_port(const std::string& host, bool local) {
    listener_options options;
    options.handshake_seconds = patience;
    options.local = local;
    auto bound = net.on_thread([&] { return listener::bind(net.io.context(), {host, 0}, options); });
    REQUIRE_MESSAGE(bound.ok(), bound.error().message);
    l = bound.take();
    net.on_thread([this] {
      l->start(
          {[this](const auto& link, const auto&, const auto& address) {
             link->hand_over(std::make_shared<recorder>(), {});
             news.set_value(address);
             link->close("the test is over");
           },
           [this](const auto& address, const auto& reason) { news.set_value(address + ": " + reason); }});
      return 0;
    });
  }
  ~open_port() {
    net.on_thread([this] {
      l->stop();
      return 0;
    });
    net.io.stop();
  }
  std::string heard() {
    auto answer = news.get_future();
    REQUIRE(answer.wait_for(std::chrono::seconds(5)) == std::future_status::ready);
    return answer.get();
  }
  /// Where a connection to this address, which introduces itself, is said to come from.
  std::string arrival_from(const std::string& host) {
    net.on_thread([&] {
      async_connect(net.io.context(), {host, l->address().port}, nullptr, patience, [this](auto stream) {
        if (!stream.ok())
          return news.set_value(stream.error().message);
        auto near = link::make(net.io.context(), stream.take(), {});
        near->start(std::make_shared<recorder>());
        near->send(to_frame(hello_message{peer_role::control, "1", "node", 1, 1, 0, ""}));
      });
      return 0;
    });
    return heard();
  }
};

tcp::endpoint at(const char* host, std::uint16_t port) {
  return {boost::asio::ip::make_address(host), port};
}

} // namespace

TEST_CASE("local sockets: a loopback address may be served under the name of all addresses, another not") {
  CHECK(local_endpoints_for(at("10.0.0.1", 7070)) == std::vector{local_endpoint_of(at("10.0.0.1", 7070))});
  const auto v4 = local_endpoints_for(at("127.0.0.1", 7070));
  CHECK(v4 == std::vector{local_endpoint_of(at("127.0.0.1", 7070)), local_endpoint_of(at("0.0.0.0", 7070)),
                          local_endpoint_of(at("::", 7070))});
  CHECK(local_endpoints_for(at("::1", 7070)) ==
        std::vector{local_endpoint_of(at("::1", 7070)), local_endpoint_of(at("::", 7070))});
  CHECK_FALSE(local_endpoint_of(at("127.0.0.1", 7070)) == local_endpoint_of(at("127.0.0.1", 7071)));
  CHECK(local_endpoint_of(at("127.0.0.1", 7070)).path().front() == '\0'); // no file is left behind
}

TEST_CASE("local sockets: whoever is on this machine comes within it") {
  open_port p("127.0.0.1", true);
  CHECK(p.arrival_from("127.0.0.1") == "localhost");
}

TEST_CASE("local sockets: a listener on all addresses is found on the loopback") {
  open_port p("0.0.0.0", true);
  CHECK(p.arrival_from("127.0.0.1") == "localhost");
}

TEST_CASE("local sockets: without one, and where another holds its name, connections come by TCP") {
  {
    open_port p("127.0.0.1", false);
    CHECK(p.arrival_from("127.0.0.1") == "127.0.0.1");
  }
  open_port p("127.0.0.1", false);
  boost::asio::io_context context;
  local_protocol::acceptor taken(context, local_protocol());
  taken.bind(local_endpoint_of(at("127.0.0.1", p.l->address().port))); // and nobody listens
  CHECK(p.arrival_from("127.0.0.1") == "127.0.0.1");
}

TEST_CASE("local sockets: another user is refused, and told to come by TCP") {
  if (geteuid() != 0)
    return; // only root can be somebody else for a moment
  open_port p("127.0.0.1", true);
  std::thread stranger([&] {
    // This thread only: the C library's function would change all of them.
    REQUIRE(syscall(SYS_setresuid, -1, 65534, -1) == 0);
    boost::asio::io_context context;
    local_protocol::socket s(context);
    boost::system::error_code ec;
    s.connect(local_endpoint_of(at("127.0.0.1", p.l->address().port)), ec);
    CHECK_FALSE(ec);
    char any = 0;
    boost::asio::read(s, boost::asio::buffer(&any, 1), ec);
    CHECK(ec == boost::asio::error::eof); // closed unread
  });
  CHECK(p.heard() == "localhost: it belongs to another user, who has to come by TCP");
  stranger.join();
}

TEST_CASE("local sockets: a coordinator's name in the hands of another user is passed by") {
  if (geteuid() != 0)
    return;
  // Seen from somebody who is not root; root's own processes would be trusted.
  open_port p("127.0.0.1", false);
  network_thread net;
  const auto port = p.l->address().port;
  std::promise<void> bound;
  std::promise<void> over;
  std::thread squatter([&, until = over.get_future()]() mutable {
    REQUIRE(syscall(SYS_setresuid, -1, 65534, -1) == 0);
    boost::asio::io_context context;
    local_protocol::acceptor a(context, local_endpoint_of(at("127.0.0.1", port)));
    bound.set_value();
    until.wait();
  });
  bound.get_future().wait();
  CHECK(p.arrival_from("127.0.0.1") == "127.0.0.1");
  over.set_value();
  squatter.join();
}
