#include "link_support.hpp"

#include "core/wire.hpp"

#include <array>
#include <thread>

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t mebi = std::size_t{1} << 20U;
constexpr std::size_t floats_of_a_mebibyte = mebi / sizeof(float);

double sent_at(const received_frame& ping) {
  wire_reader in(ping.head);
  return in.number<double>();
}

std::vector<float> as_received(const std::vector<float>& values, float_format format) {
  if (format == float_format::float32)
    return values;
  std::vector<std::uint16_t> shorts(values.size());
  std::vector<float> out(values.size());
  to_short(format, values, shorts);
  from_short(format, shorts, out);
  return out;
}

} // namespace

TEST_CASE("link: frames of all sizes and formats arrive intact and in order") {
  link_pair p;
  std::vector<std::vector<float>> expected;
  for (const auto format : {float_format::float32, float_format::bfloat16, float_format::float16})
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, 1024UL, mebi, 3UL}) {
      auto values = numbered(size, static_cast<float>(expected.size()));
      if (size > 1)
        std::copy(awkward_floats.begin(), awkward_floats.begin() + 3, values.end() - 3);
      p.a->send(frame(frame_kind::parameters, {static_cast<std::uint8_t>(expected.size())},
                      blob::copy_of(values), format));
      expected.push_back(as_received(values, format));
    }
  p.a->send(frame(frame_kind::leaving, bytes(4096, 9))); // as large as a head may be
  REQUIRE(p.told_b->wait_for_frames(expected.size() + 1));
  const auto frames = p.told_b->frames();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(frames[i].kind == frame_kind::parameters);
    CHECK(frames[i].head == bytes{static_cast<std::uint8_t>(i)});
    CHECK(same_bits(frames[i].floats, expected[i]));
  }
  CHECK(frames.back().head == bytes(4096, 9));
  CHECK(p.b->figures().bytes_received >= 2 * 4 * mebi);
  CHECK(p.told_b->closes() == 0);
}

TEST_CASE("link: a stretch of a block arrives where its receiver wants it, and nowhere else") {
  link_pair p;
  std::vector<float> memory(300, 9.0F);
  p.told_b->placing = [&](const frame_header& h) { return std::span(memory).subspan(100, h.bulk_floats); };
  const auto values = numbered(500);
  for (const auto format : {float_format::float32, float_format::bfloat16}) {
    p.a->send(frame(frame_kind::parameters, {}, blob::copy_of(values), 200, 100, format));
    REQUIRE(p.told_b->wait_for_frames(format == float_format::float32 ? 1 : 2));
    const auto there = std::vector<float>(memory.begin() + 100, memory.begin() + 200);
    CHECK(there == as_received(std::vector<float>(values.begin() + 200, values.begin() + 300), format));
    CHECK(std::count(memory.begin(), memory.begin() + 100, 9.0F) == 100);
    CHECK(std::count(memory.begin() + 200, memory.end(), 9.0F) == 100);
  }
}

TEST_CASE("link: a receiver's objection closes it and says why") {
  SUBCASE("to the floats, before any of them is read") {
    link_pair p;
    p.told_b->placing = [](const frame_header&) { return run_error("it sent floats that nobody expected"); };
    p.a->send(floats_frame(floats_of_a_mebibyte));
    CHECK(p.told_b->wait_until_closed() == "it sent floats that nobody expected");
    CHECK(p.told_b->frames().empty());
    CHECK(p.told_a->wait_until_closed() != "STILL OPEN");
  }
  SUBCASE("to the frame") {
    link_pair p;
    p.told_b->arriving = [](const frame_header&) { return run_error("it makes no sense"); };
    p.a->send(frame(frame_kind::leaving));
    p.a->send(frame(frame_kind::leaving));
    CHECK(p.told_b->wait_until_closed() == "it makes no sense");
    CHECK(p.told_b->frames().size() == 1);
  }
}

TEST_CASE("link: frames may be handed over to somebody else in between") {
  link_pair p;
  auto second = std::make_shared<recorder>();
  p.told_b->arriving = [&](const frame_header&) {
    p.b->hand_over(second, {.head = 8192});
    return result<void>();
  };
  p.a->send(frame(frame_kind::hello));
  p.a->send(frame(frame_kind::leaving, bytes(8192, 1)));
  REQUIRE(second->wait_for_frames(1));
  CHECK(p.told_b->frames().size() == 1);
  CHECK(second->frames()[0].head.size() == 8192);
  p.b->close("enough");
  CHECK(second->wait_until_closed() == "enough");
  CHECK(p.told_b->closes() == 0);
  p.told_b->closed("for the fixture"); // which waits for it
}

TEST_CASE("link: heartbeats overtake payload that waits, payload never overtakes payload") {
  exposed_link e({.heartbeat_seconds = 0.02}, true);
  const double queued = seconds_now();
  for (std::uint8_t i = 0; i < 12; ++i) {
    e.l->send(floats_frame(floats_of_a_mebibyte, i)); // parameters …
    e.l->send(frame(frame_kind::train_order, {i}));   // … and the order that starts from them
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(60)); // heartbeats become due meanwhile
  e.l->close_when_sent("all is sent", 5.0);
  const auto frames = e.read_all();
  std::size_t last_payload = 0, late_ping = frames.size();
  std::vector<std::pair<frame_kind, std::uint8_t>> payload;
  for (std::size_t i = 0; i < frames.size(); ++i)
    if (frames[i].kind == frame_kind::ping) {
      if (sent_at(frames[i]) > queued + 0.01)
        late_ping = std::min(late_ping, i);
    } else {
      payload.emplace_back(frames[i].kind, frames[i].head[0]);
      last_payload = i;
    }
  CHECK(late_ping < last_payload);
  REQUIRE(payload.size() == 24);
  for (std::size_t i = 0; i < payload.size(); ++i)
    CHECK(payload[i] == std::pair(i % 2 == 0 ? frame_kind::parameters : frame_kind::train_order,
                                  static_cast<std::uint8_t>(i / 2)));
}

TEST_CASE("link: round trips and the difference of the clocks are measured") {
  link_pair p({.heartbeat_seconds = 0.01});
  const double begin = seconds_now();
  while (p.a->figures().round_trip_seconds <= 0.0 && seconds_now() < begin + 2.0)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  CHECK(p.a->figures().round_trip_seconds > 0.0);
  CHECK(p.a->figures().round_trip_seconds < 1.0);
  CHECK(std::abs(p.a->figures().clock_offset_seconds) < 0.5); // one process, one clock
}

TEST_CASE("link: the clocks are compared several times at once in the beginning, then with every heartbeat") {
  exposed_link e({.heartbeat_seconds = 20.0});
  const double begin = seconds_now();
  constexpr std::size_t head_bytes = sizeof(double);
  int answered = 0;
  for (;; ++answered) {
    std::array<std::uint8_t, frame_header::size + head_bytes> ping{};
    if (answered == 8) { // none follows: what comes next is the end
      e.l->close_when_sent("all is sent", 5.0);
      boost::system::error_code closed;
      CHECK(boost::asio::read(e.raw, boost::asio::buffer(ping), closed) == 0);
      break;
    }
    boost::asio::read(e.raw, boost::asio::buffer(ping));
    const std::span<const std::uint8_t> received = ping;
    const auto header = frame_header::decode(received.first(frame_header::size));
    REQUIRE(header.ok());
    REQUIRE(header->kind == frame_kind::ping);
    wire_reader in(received.subspan(frame_header::size));
    const auto sent = in.number<double>();
    const bytes pong = wire_writer().number(sent).number(seconds_now() + 100.0).take();
    const frame_header answer{.kind = frame_kind::pong,
                              .head_bytes = static_cast<std::uint32_t>(pong.size())};
    e.write(answer.encode());
    e.write(pong);
  }
  CHECK(seconds_now() - begin < 15.0); // none of them waited for a heartbeat
  CHECK(std::abs(e.l->figures().clock_offset_seconds - 100.0) < 0.1);
}

TEST_CASE("link: pings that come all at once do not shorten the deadline of silence") {
  exposed_link e({.heartbeat_seconds = 5.0});
  const double before = e.l->figures().deadline_seconds;
  const bytes ping = wire_writer().number(1.0).take();
  const frame_header header{.kind = frame_kind::ping, .head_bytes = static_cast<std::uint32_t>(ping.size())};
  for (int i = 0; i < 8; ++i) {
    e.write(header.encode());
    e.write(ping);
  }
  e.write(frame_header{.kind = frame_kind::leaving}.encode());
  REQUIRE(e.told->wait_for(frame_kind::leaving)); // so the pings have arrived
  CHECK(e.l->figures().deadline_seconds == before);
}

TEST_CASE("link: close_when_sent delivers everything first, and does not wait for ever") {
  {
    link_pair p;
    for (std::uint8_t i = 0; i < 10; ++i)
      p.a->send(floats_frame(floats_of_a_mebibyte, i));
    p.a->close_when_sent("that was all", 5.0);
    p.a->send(frame(frame_kind::leaving)); // too late
    CHECK(p.told_b->wait_until_closed() == "it closed the connection");
    CHECK(p.told_b->frames().size() == 10);
    CHECK(p.told_a->wait_until_closed() == "that was all");
  }
  exposed_link e({}, true); // nobody reads
  e.l->send(floats_frame(16 * floats_of_a_mebibyte));
  const double begin = seconds_now();
  e.l->close_when_sent("that was all", 0.2);
  CHECK(e.told->wait_until_closed() == "that was all");
  CHECK(seconds_now() - begin > 0.15);
  CHECK(seconds_now() - begin < 1.0);
}

TEST_CASE("link: closed is told once, whoever closes and how often") {
  for (int round = 0; round < 20; ++round) {
    link_pair p;
    p.a->send(floats_frame(floats_of_a_mebibyte));
    std::thread other([&] {
      p.a->close("the other thread");
      p.b->close("both sides");
    });
    p.a->close("this thread");
    p.a->close_when_sent("afterwards", 0.01);
    p.a->close("again");
    other.join();
    p.told_a->wait_until_closed();
    p.told_b->wait_until_closed();
    p.net.on_thread([] { return 0; }); // what was posted meanwhile has run
    CHECK(p.told_a->closes() == 1);
    CHECK(p.told_b->closes() == 1);
  }
}

TEST_CASE("link: latency and bandwidth can be emulated") {
  {
    link_pair p({.network = {.latency_ms = 20.0}});
    for (std::uint8_t i = 0; i < 5; ++i)
      p.a->send(frame(frame_kind::leaving, {i}));
    const double begin = seconds_now();
    REQUIRE(p.told_b->wait_for_frames(5));
    const auto frames = p.told_b->frames();
    CHECK(frames[0].at - begin >= 0.0195);
    CHECK(frames[0].at - begin < 0.5);
    for (std::size_t i = 0; i < frames.size(); ++i)
      CHECK(frames[i].head[0] == i);
  }
  link_pair p({.network = {.bandwidth_mbps = 80.0}});
  const double begin = seconds_now();
  for (std::uint8_t i = 0; i < 4; ++i)
    p.a->send(floats_frame(floats_of_a_mebibyte, i));
  REQUIRE(p.told_b->wait_for_frames(4));
  const double ideal = 4.0 * static_cast<double>(mebi) * 8.0 / 80e6; // 0.42 s
  CHECK(p.told_b->frames().back().at - begin > 0.95 * ideal);
  CHECK(p.told_b->frames().back().at - begin < 1.2 * ideal + 0.1); // and what a busy machine adds
}

TEST_CASE(
    "link: after a stall of its own process, silence counts from when the peer was heard, never from later") {
  exposed_link e({.heartbeat_seconds = 0.05});
  const bytes ping = wire_writer().number(1.0).take();
  std::promise<void> woken;
  boost::asio::post(e.net.io.context(), [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    woken.set_value();
  });
  e.write(
      frame_header{.kind = frame_kind::ping, .head_bytes = static_cast<std::uint32_t>(ping.size())}.encode());
  e.write(ping); // waits to be read when the process goes on
  woken.get_future().wait();
  const double stop = seconds_now() + 0.15;
  while (seconds_now() < stop)
    REQUIRE(e.l->figures().silent_seconds >= 0.0);
}

TEST_CASE("link: what the peer said before it closed is heard, also by who was about to write to it") {
  for (int i = 0; i < 20; ++i) {
    exposed_link e;
    std::promise<void> held;
    boost::asio::post(e.net.io.context(), [&] {
      e.write(frame_header{.kind = frame_kind::refusal}.encode());
      e.raw.set_option(boost::asio::socket_base::linger(true, 0)); // it closes in the hardest way
      e.raw.close();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      for (int k = 0; k < 3; ++k)
        e.l->send(floats_frame(10));
      held.set_value();
    });
    held.get_future().wait();
    const auto why = e.told->wait_until_closed();
    REQUIRE_MESSAGE(e.told->wait_for(frame_kind::refusal), why);
  }
}
