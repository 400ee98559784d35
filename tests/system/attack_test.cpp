#include "attack_support.hpp"

#include <boost/asio/ssl/stream.hpp>

// Strangers attack a coordinator that trains. Whatever they do, the run ends well, with the bits of an
// undisturbed run, in hardly more memory, and its log names them once. The long form is tests/attack.sh.

using namespace triage;
using namespace triage::test;

namespace {

/// What an attack consists of: functions that run side by side until they are told to stop.
class attack {
public:
  template <class Function>
  void add(Function f) {
    threads_.emplace_back([f](const std::stop_token& stop) {
      while (!stop.stop_requested())
        f(stop);
    });
  }
  /// For the time that attacks last, or as long as there is somebody to attack.
  void last(const coordinator_process& target) {
    for (const double begin = seconds_now(); seconds_now() < begin + attack_seconds() && target.running();)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    threads_.clear();
  }

private:
  std::vector<std::jthread> threads_;
};

void pause(const std::stop_token& stop, double seconds) {
  for (const double begin = seconds_now(); !stop.stop_requested() && seconds_now() < begin + seconds;)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

bytes random_bytes(rng& random, std::size_t size) {
  bytes out(size);
  for (auto& b : out)
    b = static_cast<std::uint8_t>(random.below(256));
  return out;
}

/// What somebody can do who has nothing but the address.
void add_strangers(attack& a, std::uint16_t port, const std::shared_ptr<std::atomic<int>>& opened) {
  a.add([port, random = std::make_shared<rng>(1, 1)](const std::stop_token& stop) { // noise
    raw_socket s(port);
    while (!stop.stop_requested() && s.send(random_bytes(*random, 1 + random->below(20'000)))) {
    }
    pause(stop, 0.002);
  });
  a.add([port](const std::stop_token& stop) { // a byte a second, on several connections
    std::vector<raw_socket> all;
    for (int i = 0; i < 8; ++i)
      all.emplace_back(port);
    const auto hello = bytes_of_frame(hello_frame(peer_role::control));
    for (std::size_t at = 0; at < hello.size() && !stop.stop_requested(); ++at) {
      for (auto& s : all)
        if (!s.send(std::span(hello).subspan(at, 1)))
          s = raw_socket(port);
      pause(stop, 1.0);
    }
  });
  a.add([port](const std::stop_token& stop) { // announcements of gigabytes
    for (const auto& what :
         {announcement(frame_kind::hello, 0xFFFFFFFFU, 0), announcement(frame_kind::hello, 0, 0xFFFFFFFFU),
          announcement(frame_kind::ping, 0, 0xFFFFFFFFU), announcement(frame_kind::hello, 4096, 0xFFFFFFFFU),
          announcement(frame_kind::train_result, 0xFFFFFFFFU, 0xFFFFFFFFU)}) {
      raw_socket s(port);
      s.send(joined(what, bytes(8192, 0)));
      pause(stop, 0.02);
    }
  });
  a.add([port](const std::stop_token& stop) { // heartbeats without end, whose answers nobody reads
    const auto one = bytes_of_frame(frame(frame_kind::ping, bytes(8, 1)));
    bytes many;
    for (int i = 0; i < 2000; ++i)
      many.insert(many.end(), one.begin(), one.end());
    raw_socket s(port);
    while (!stop.stop_requested() && s.send(many)) {
    }
    pause(stop, 0.05);
  });
  a.add([port, opened](const std::stop_token& stop) { // very many connections, kept, and opened again
    std::vector<raw_socket> all;
    const int wanted = attack_connections();
    while (static_cast<int>(all.size()) < wanted && !stop.stop_requested()) {
      all.emplace_back(port);
      *opened += all.back().still_open() ? 1 : 0;
    }
    while (!stop.stop_requested()) {
      pause(stop, 0.5);
      for (auto& s : all)
        if (!stop.stop_requested() && !s.still_open()) {
          s = raw_socket(port);
          *opened += s.still_open() ? 1 : 0;
        }
    }
  });
}

/// The run ended as if nobody had been there.
void check_unharmed(coordinator_process& p, const std::string& run, const std::string& what, int opened) {
  const bool lasted = p.running();
  CHECK_MESSAGE(p.wait() == 0, p.log());
  const auto& calm = undisturbed();
  const auto log = p.log();
  CHECK(model_of(run) == calm.model);
  CHECK(p.peak_mb() - calm.peak_mb < allowed_growth_mb);
  CHECK(opened >= attack_connections());
  CHECK_MESSAGE(count_of(log, "refused a connection from 127.0.0.1:") == 1, log);
  CHECK_MESSAGE(count_of(log, "127.0.0.1") < 10, log); // and not in other words either
  MESSAGE(what << ": peak memory " << calm.peak_mb << " MB undisturbed, " << p.peak_mb() << " MB attacked; "
               << opened << " connections held or opened again; attacked "
               << std::string(lasted ? "for the whole time" : "until the run ended") << ", which took "
               << p.seconds() << " s, undisturbed " << calm.seconds << " s");
}

std::shared_ptr<boost::asio::ssl::context> careless(const std::string& directory) {
  namespace ssl = boost::asio::ssl;
  auto made = std::make_shared<ssl::context>(ssl::context::tls);
  made->set_verify_mode(ssl::verify_none);
  if (!directory.empty()) {
    made->use_certificate_file(directory + "/node.pem", ssl::context::pem);
    made->use_private_key_file(directory + "/node.key", ssl::context::pem);
  }
  return made;
}

using tls_context = std::shared_ptr<boost::asio::ssl::context>;

/// Sends bytes as they are, over TLS where it is given, and hangs up.
void say(std::uint16_t port, const tls_context& tls, const bytes& what) {
  if (!tls) {
    raw_socket(port).send(what);
    return;
  }
  boost::asio::io_context io;
  boost::asio::ssl::stream<tcp::socket> stream(io, *tls);
  boost::system::error_code failed;
  stream.next_layer().connect({boost::asio::ip::address_v4::loopback(), port}, failed);
  if (!failed)
    stream.handshake(boost::asio::ssl::stream_base::client, failed);
  if (!failed)
    boost::asio::write(stream, boost::asio::buffer(what), failed);
}

/// Tokens that are made up, used before, or good but followed by gigabytes.
void misuse_tokens(network_thread& net, std::uint16_t port, const tls_context& tls = nullptr) {
  const scripted_peer control(net, port, tls);
  control.send(hello_frame(peer_role::control, 7));
  const auto answer = control.told->wait_for(frame_kind::welcome);
  REQUIRE(answer);
  const auto token = read_welcome(answer->head)->token;
  CHECK(token.size() == 32);
  const auto check_refused = [&](const std::string& wrong) {
    const scripted_peer tensor(net, port, tls);
    tensor.send(hello_frame(peer_role::tensor, 7, wrong));
    const auto refusal = tensor.told->wait_for(frame_kind::refusal);
    REQUIRE(refusal);
    CHECK(read_refusal(refusal->head)->reason.find("token is not valid") != std::string::npos);
    CHECK_FALSE(tensor.told->wait_for(frame_kind::accepted));
  };
  for (const auto& made_up : {std::string(), std::string(32, '0'), std::string(2000, 'f'), token.substr(1)})
    check_refused(made_up);
  const scripted_peer tensor(net, port, tls);
  tensor.send(hello_frame(peer_role::tensor, 7, token));
  CHECK(tensor.told->wait_for(frame_kind::accepted));
  check_refused(token);
  CHECK(control.told->closes() == 0); // its owner is not disturbed by thieves

  const scripted_peer second(net, port, tls);
  second.send(hello_frame(peer_role::control, 8));
  const auto welcome = second.told->wait_for(frame_kind::welcome);
  REQUIRE(welcome);
  say(port, tls,
      joined(bytes_of_frame(hello_frame(peer_role::tensor, 8, read_welcome(welcome->head)->token)),
             joined(announcement(frame_kind::train_result, 16, 0xFFFFFFFFU), bytes(16, 0))));
  CHECK(second.told->wait_until_closed() != "STILL OPEN");
}

/// A proper introduction, and then what nobody should send.
void lie(std::uint16_t port, rng& random, const tls_context& tls = nullptr) {
  const auto hello = bytes_of_frame(hello_frame(peer_role::control, random.below(5)));
  for (const auto& behind : {random_bytes(random, 1000), announcement(frame_kind::report, 0xFFFFFFFFU, 0),
                             announcement(frame_kind::report, 16U << 20U, 0), // allowed, but not all there
                             announcement(frame_kind::report, 0, 0xFFFFFFFFU)}) {
    say(port, tls, joined(hello, behind));
  }
  say(port, tls, joined(bytes_of_frame(hello_frame(peer_role::status)), random_bytes(random, 1000)));
  say(port, tls, bytes_of_frame(to_frame(hello_message{peer_role::control, "9.9.9", "x", 1, 1, 0, ""})));
}

} // namespace

TEST_CASE("attack: strangers at an encrypted port") {
  limit_descriptors();
  (void)undisturbed();
  const temporary_folder folder;
  const auto credentials = [&](const std::string& authority, const std::string& name, const validity& v) {
    if (!std::filesystem::exists(folder.path(authority)))
      REQUIRE(make_authority(folder.path(authority), 2).ok());
    REQUIRE(make_node_credentials(folder.path(authority), name, folder.path(authority + name), v).ok());
    return folder.path(authority + name);
  };
  const auto coordinator = credentials("ours", "coordinator", 1);
  const std::vector<std::shared_ptr<boost::asio::ssl::context>> bad = {
      nullptr, // plain
      careless(""),
      careless(credentials("theirs", "node-1", 1)),
      careless(credentials("theirs", "coordinator", 1)),
      careless(credentials("ours", "late", {-7'200, -3'600})),
      careless(credentials("ours", "early", {3'600, 7'200})),
  };
  const auto run = folder.path("run");
  auto arguments = attacked_description();
  arguments.insert(arguments.end(), {"--tls", coordinator});
  coordinator_process p(run, arguments);
  network_thread net;
  {
    const scripted_peer good(net, p.port(), *make_tls_context(credentials("ours", "good", 1)));
    good.send(hello_frame(peer_role::control));
    CHECK(good.told->wait_for(frame_kind::welcome)); // who belongs to the run is let in
  }
  const auto insider = *make_tls_context(credentials("ours", "insider", 1));
  misuse_tokens(net, p.port(), insider);
  attack a;
  const auto opened = std::make_shared<std::atomic<int>>(0);
  std::atomic<int> answers = 0, attempts = 0;
  for (const auto& tls : bad)
    a.add([&, tls](const std::stop_token& stop) {
      const scripted_peer peer(net, p.port(), tls);
      peer.send(hello_frame(peer_role::control));
      peer.send(hello_frame(peer_role::status));
      if (peer.connected())
        peer.told->wait_until_closed();
      answers += static_cast<int>(peer.told->frames().size());
      ++attempts;
      pause(stop, 0.1);
    });
  a.add([&, random = std::make_shared<rng>(2, 2)](const std::stop_token& stop) { // with good certificates
    lie(p.port(), *random, insider);
    pause(stop, 0.05);
  });
  add_strangers(a, p.port(), opened);
  a.last(p);
  CHECK(answers == 0);
  CHECK(attempts >= 10);
  check_unharmed(p, run, "encrypted port", *opened);
  net.io.stop();
}

TEST_CASE("attack: strangers at an open port, who know the protocol") {
  limit_descriptors();
  (void)undisturbed();
  const temporary_folder folder;
  const auto run = folder.path("run");
  coordinator_process p(run, attacked_description());
  network_thread net;
  const auto port = p.port();
  misuse_tokens(net, port);
  attack a;
  const auto opened = std::make_shared<std::atomic<int>>(0);
  std::atomic<int> welcomed = 0;
  a.add([&](const std::stop_token& stop) { // among them somebody who belongs there
    const scripted_peer peer(net, port);
    peer.send(hello_frame(peer_role::control, 3));
    if (peer.told->wait_for(frame_kind::welcome))
      ++welcomed;
    pause(stop, 0.3);
  });
  a.add([port, random = std::make_shared<rng>(2, 1)](const std::stop_token& stop) {
    lie(port, *random);
    pause(stop, 0.02);
  });
  add_strangers(a, port, opened);
  a.last(p);
  CHECK(welcomed >= 1);
  check_unharmed(p, run, "open port", *opened);
  net.io.stop();
}

TEST_CASE("attack: nodes that take all connections there are, and do not go when the run is over") {
  (void)undisturbed();
  const temporary_folder folder;
  const auto run = folder.path("run");
  limit_descriptors(256);
  coordinator_process p(run, attacked_description());
  limit_descriptors();
  std::vector<raw_socket> all;
  const auto ping = bytes_of_frame(frame(frame_kind::ping, bytes(8, 1)));
  std::uint64_t instance = 0;
  for (const double begin = seconds_now();
       p.running() && seconds_now() < begin + 3.0 * undisturbed().seconds + 20.0;) {
    while (all.size() < 400) {
      all.emplace_back(p.port());
      all.back().send(bytes_of_frame(hello_frame(peer_role::control, ++instance)));
    }
    for (auto& s : all)
      if (s.still_open())
        s.send(ping);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  REQUIRE_MESSAGE(!p.running(), "it waits for nodes that stay");
  CHECK_MESSAGE(p.wait() == 0, p.log());
  CHECK(model_of(run) == undisturbed().model);
  CHECK_MESSAGE(p.log().find("not written") == std::string::npos, p.log());
  CHECK(count_of(p.log(), "127.0.0.1") < 10);
}
