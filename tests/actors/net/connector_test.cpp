#include "tests/core/storage_support.hpp" // before the next: it uses names that the next declares

#include "link_support.hpp"

#include "actors/net/connector.hpp"
#include "actors/net/credentials.hpp"
#include "actors/net/listener.hpp"
#include "actors/net/tls.hpp"

using namespace triage;
using namespace triage::test;

namespace {

struct credentials_of_two {
  memory_temporaries in_memory;
  temp_folder folder;
  std::string coordinator = folder.path("coordinator"), node = folder.path("node-1");
  credentials_of_two() {
    REQUIRE(make_authority(folder.path("ca"), 2).ok());
    REQUIRE(make_node_credentials(folder.path("ca"), "coordinator", coordinator, 1).ok());
    REQUIRE(make_node_credentials(folder.path("ca"), "node-1", node, 1).ok());
  }
};

using tls = std::shared_ptr<boost::asio::ssl::context>;

/// The name that the connector found at the other end, or why it did not connect.
std::string connect(network_thread& net, std::uint16_t port, const tls& context, double seconds = 2.0) {
  std::promise<std::string> told;
  net.on_thread([&] {
    async_connect(net.io.context(), {"127.0.0.1", port}, context, seconds, [&](auto stream) {
      told.set_value(stream.ok() ? "connected to " + (*stream)->peer_name() : stream.error().message);
      if (!stream.ok())
        CHECK(stream.error().kind == error_kind::retry);
    });
    return 0;
  });
  return told.get_future().get();
}

/// Somebody who listens with these credentials.
std::shared_ptr<listener> listen(network_thread& net, const tls& context) {
  listener_options options;
  options.tls = context;
  return net.on_thread([&] {
    auto l = listener::bind(net.io.context(), {"127.0.0.1", 0}, options).take();
    l->start({[](const auto&, const auto&, const auto&) {}, [](const auto&, const auto&) {}});
    return l;
  });
}

void stop(network_thread& net, const std::shared_ptr<listener>& l) {
  net.on_thread([&] {
    l->stop();
    return 0;
  });
  net.io.stop();
}

} // namespace

TEST_CASE("connector: a node's certificate does not make a coordinator") {
  const credentials_of_two c;
  const auto node = *make_tls_context(c.node), coordinator = *make_tls_context(c.coordinator);
  network_thread net;
  const auto fake = listen(net, node), real = listen(net, coordinator);
  const auto refused = connect(net, fake->address().port, node);
  CHECK_MESSAGE(contains(refused, R"(that of "node-1", not of "coordinator")"), refused);
  CHECK(connect(net, real->address().port, node) == "connected to coordinator");
  net.on_thread([&] {
    fake->stop();
    return 0;
  });
  stop(net, real);
}

TEST_CASE("connector: what is wrong is said, and in time") {
  const credentials_of_two c;
  network_thread net;
  const auto closed = [&] {
    tcp::acceptor nobody(net.io.context(), tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    return nobody.local_endpoint().port();
  }();
  CHECK(contains(connect(net, closed, nullptr),
                 "cannot connect to 127.0.0.1:" + std::to_string(closed) + ": Connection refused"));
  const double begin = seconds_now(); // the system accepts, and nobody speaks TLS
  CHECK(contains(connect(net, net.acceptor.local_endpoint().port(), *make_tls_context(c.node), 0.2),
                 "no answer in time"));
  CHECK(seconds_now() - begin < 1.0);
  CHECK(connect(net, net.acceptor.local_endpoint().port(), nullptr) == "connected to ");
  net.io.stop();
}
