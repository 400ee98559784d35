#include "link_support.hpp"

#include "core/wire.hpp"

#include <fstream>
#include <thread>

using namespace triage;
using namespace triage::test;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The most memory that this process has ever asked for, in MB: even what was never touched counts.
double peak_of_address_space() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.rfind("VmPeak:", 0) == 0)
      return std::stod(line.substr(7)) / 1024.0;
  return 0.0;
}

bytes header_bytes(frame_kind kind, std::uint32_t head, std::uint32_t floats) {
  frame_header h;
  h.kind = kind;
  h.head_bytes = head;
  h.bulk_floats = floats;
  const auto b = h.encode();
  return {b.begin(), b.end()};
}

bytes ping() {
  const auto front = frame(frame_kind::ping, wire_writer().number(seconds_now()).take());
  return {front.front().begin(), front.front().end()};
}

} // namespace

TEST_CASE("link attack: announcements of gigabytes close it, and nothing is allocated for them") {
  exposed_link head;
  const double before = peak_of_address_space();
  head.write(header_bytes(frame_kind::report, 0xFFFFFFFFU, 0));
  CHECK(contains(head.told->wait_until_closed(), "a head of 4294967295 bytes, where 4096 are allowed"));

  exposed_link floats;
  floats.told->placing = [](const frame_header&) { return run_error("it sent too many floats"); };
  floats.write(header_bytes(frame_kind::train_result, 0, 0xFFFFFFFFU));
  CHECK(floats.told->wait_until_closed() == "it sent too many floats");

  exposed_link heartbeat;
  heartbeat.told->placing = [](const frame_header&) { return run_error("it sent too many floats"); };
  heartbeat.write(header_bytes(frame_kind::ping, 0, 0xFFFFFFFFU));
  CHECK(heartbeat.told->wait_until_closed() == "it sent too many floats");
  CHECK(peak_of_address_space() - before < 300.0); // two more threads with their stacks and arenas
}

TEST_CASE("link attack: memory for a head grows with what has arrived of it, not with the announcement") {
  exposed_link e({.limits = {.head = std::size_t{1} << 30U}});
  const double before = peak_of_address_space();
  e.write(header_bytes(frame_kind::report, 1U << 30U, 0));
  e.write(bytes(200'000, 1));
  while (e.l->figures().bytes_received < 200'000)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(peak_of_address_space() - before < 300.0);
  CHECK(e.told->closes() == 0);
}

TEST_CASE("link attack: whatever is no frame closes it") {
  const auto good = header_bytes(frame_kind::report, 0, 0);
  for (const std::size_t at : std::vector<std::size_t>{0, 3, 6, 7}) { // magic, format, the zero
    exposed_link e;
    auto broken = good;
    broken[at] = 0xEE;
    e.write(broken);
    CHECK(e.told->wait_until_closed() == "what it sent is not a triage frame");
  }
  exposed_link http;
  const std::string get = "GET / HTTP/1.1\r\nHost: somebody\r\n\r\n";
  http.write({reinterpret_cast<const std::uint8_t*>(get.data()), get.size()});
  CHECK(http.told->wait_until_closed() == "what it sent is not a triage frame");
}

TEST_CASE("link attack: strange heartbeats close it") {
  for (const std::size_t size : std::vector<std::size_t>{0, 7, 9, 17, 100}) {
    exposed_link e;
    e.write(header_bytes(frame_kind::ping, static_cast<std::uint32_t>(size), 0));
    e.write(bytes(size, 0));
    CHECK(e.told->wait_until_closed() == "it sent a strange heartbeat");
  }
}

TEST_CASE("link attack: random bytes close it, in any portions, and break nothing") {
  rng random(11, 1);
  for (int round = 0; round < 40; ++round) {
    exposed_link e;
    bytes any(2000);
    for (auto& b : any)
      b = static_cast<std::uint8_t>(random.below(256));
    if (round % 2 == 1) { // begin like a frame
      const auto header = header_bytes(static_cast<frame_kind>(random.below(60)),
                                       static_cast<std::uint32_t>(random.below(50)),
                                       static_cast<std::uint32_t>(random.below(50)));
      std::copy(header.begin(), header.end(), any.begin());
    }
    for (std::span<const std::uint8_t> rest(any); !rest.empty();) {
      const auto portion = std::min<std::size_t>(1 + random.below(300), rest.size());
      e.write(rest.first(portion));
      rest = rest.subspan(portion);
    }
    CHECK(e.told->wait_until_closed() != "STILL OPEN");
  }
}

TEST_CASE("link attack: a silent peer is given up within the deadline, and the reason says so") {
  SUBCASE("from the beginning: 4 heartbeats, times 2.5 while nothing was measured") {
    exposed_link e({.heartbeat_seconds = 0.04});
    const double begin = seconds_now();
    CHECK(contains(e.told->wait_until_closed(), "it was silent for 0."));
    CHECK(seconds_now() - begin > 0.38);
    CHECK(seconds_now() - begin < 0.8);
  }
  SUBCASE("after it was heard: 4 heartbeats") {
    exposed_link e({.heartbeat_seconds = 0.04});
    for (int i = 0; i < 5; ++i) {
      e.write(ping());
      std::this_thread::sleep_for(std::chrono::milliseconds(40));
    }
    const double begin = seconds_now();
    CHECK(contains(e.told->wait_until_closed(), "it was silent for 0."));
    CHECK(seconds_now() - begin < 0.36);
  }
}

TEST_CASE("link attack: any byte is a sign of life, however slowly a payload comes") {
  exposed_link e({.heartbeat_seconds = 0.02}); // silent for 0.2 s would be too long
  e.write(ping());
  e.write(header_bytes(frame_kind::report, 20, 0));
  for (int i = 0; i < 19; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
    e.write(bytes{1});
  }
  CHECK(e.told->closes() == 0);
  e.write(bytes{1});
  CHECK(e.told->wait_for_frames(1));
}

TEST_CASE("link attack: who does not read what is sent to it loses the connection") {
  exposed_link e({.limits = {.queue = std::size_t{8} << 20U}}, true);
  for (std::uint8_t i = 0; i < 24; ++i)
    e.l->send(floats_frame(1U << 18U, i));
  CHECK(e.told->wait_until_closed() == "8 MB wait to be sent to it");
}

TEST_CASE("link attack: heartbeats that nobody reads the answers of do not pile up") {
  exposed_link e({.heartbeat_seconds = 60.0}, true);
  constexpr std::size_t pings = 400'000, ping_bytes = frame_header::size + sizeof(double);
  bytes flood;
  for (int i = 0; i < 1000; ++i) {
    const auto one = ping();
    flood.insert(flood.end(), one.begin(), one.end());
  }
  for (std::size_t i = 0; i < pings / 1000; ++i)
    e.write(flood);
  while (e.told->closes() == 0 && e.l->figures().bytes_received < pings * ping_bytes)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(e.told->closes() == 0);
  e.l->close_when_sent("enough", 2.0);
  const auto answers = e.read_all().size();
  CHECK(answers > 0);
  CHECK(answers < pings / 2); // what the system's buffers hold, and little more
}

TEST_CASE("link attack: memory that what was sent would take, and is not there, costs the connection") {
  exposed_link e;
  e.told->placing = [](const frame_header&) -> result<std::span<float>> { throw std::bad_alloc(); };
  e.write(header_bytes(frame_kind::train_result, 0, 1000));
  CHECK(contains(e.told->wait_until_closed(), "could not be taken in"));
}

TEST_CASE("network thread: a task that throws ends by itself") {
  network_thread net;
  boost::asio::post(net.io.context(), [] { throw std::bad_alloc(); });
  CHECK(net.on_thread([] { return 7; }) == 7);
  net.io.stop();
}
