#include "link_support.hpp"

#include "core/wire.hpp"

// Streams of valid frames that arrive in any portions, and that end anywhere: a network cuts where it likes.

using namespace triage;
using namespace triage::test;

namespace {

struct sent_frame {
  frame_kind kind;
  bytes head;
  std::vector<float> floats;
};

void append(bytes& to, const frame& f) {
  to.insert(to.end(), f.front().begin(), f.front().end());
  to.insert(to.end(), f.bulk().begin(), f.bulk().end());
}

/// Random frames of payload, and heartbeats among them, which no handler sees. `ends`: where each frame that
/// a handler sees is complete.
struct stream_of_frames {
  bytes all;
  std::vector<sent_frame> frames;
  std::vector<std::size_t> ends;

  explicit stream_of_frames(rng& random, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      if (random.below(4) == 0)
        append(all, frame(frame_kind::ping, wire_writer().number(seconds_now()).take()));
      sent_frame s{
          random.below(2) == 0 ? frame_kind::report : frame_kind::train_result, bytes(random.below(60)), {}};
      for (auto& b : s.head)
        b = static_cast<std::uint8_t>(random.below(256));
      s.floats.resize(random.below(3) == 0 ? 0 : random.below(100));
      for (auto& f : s.floats)
        f = static_cast<float>(static_cast<int>(random.below(64))) - 32.0F; // exact in every format
      const auto format = static_cast<float_format>(random.below(3));
      append(all, frame(s.kind, s.head, blob::copy_of(s.floats), format));
      frames.push_back(std::move(s));
      ends.push_back(all.size());
    }
  }
};

bool same(const received_frame& received, const sent_frame& sent) {
  return received.kind == sent.kind && received.head == sent.head && received.floats == sent.floats;
}

} // namespace

TEST_CASE("link split: frames arrive whole and in order, however the stream is cut into portions") {
  rng random(1, 0);
  for (int round = 0; round < 20; ++round) {
    CAPTURE(round);
    const stream_of_frames stream(random, 12);
    exposed_link e;
    e.raw.set_option(tcp::no_delay(true));
    const std::size_t most = round % 4 == 0 ? 1 : round % 4 == 1 ? 17 : 400;
    for (std::span<const std::uint8_t> rest(stream.all); !rest.empty();) {
      const auto portion = std::min<std::size_t>(1 + random.below(most), rest.size());
      e.write(rest.first(portion));
      rest = rest.subspan(portion);
    }
    REQUIRE(e.told->wait_for_frames(stream.frames.size()));
    const auto frames = e.told->frames();
    REQUIRE(frames.size() == stream.frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i)
      CHECK(same(frames[i], stream.frames[i]));
    CHECK(e.told->closes() == 0);
  }
}

TEST_CASE(
    "link split: a stream that ends anywhere delivers what was whole, nothing of the rest, and closes once") {
  rng random(2, 0);
  const stream_of_frames stream(random, 4);
  for (std::size_t size = 0; size <= stream.all.size(); size += 1 + random.below(7)) {
    CAPTURE(size);
    exposed_link e;
    e.write(std::span(stream.all).first(size));
    e.raw.shutdown(tcp::socket::shutdown_send);
    CHECK(e.told->wait_until_closed() == "it closed the connection");
    const auto whole = static_cast<std::size_t>(
        std::count_if(stream.ends.begin(), stream.ends.end(), [&](auto end) { return end <= size; }));
    const auto frames = e.told->frames();
    REQUIRE(frames.size() == whole);
    for (std::size_t i = 0; i < whole; ++i)
      CHECK(same(frames[i], stream.frames[i]));
    CHECK(e.told->closes() == 1);
  }
}

TEST_CASE("link split: a connection that is reset says so, and what was whole before is kept") {
  rng random(3, 0);
  const stream_of_frames stream(random, 3);
  exposed_link e;
  e.write(std::span(stream.all).first(stream.ends[1] + 3));
  REQUIRE(e.told->wait_for_frames(2));
  e.raw.set_option(boost::asio::socket_base::linger(true, 0));
  e.raw.close();
  const auto reason = e.told->wait_until_closed();
  CHECK_MESSAGE((reason.starts_with("the connection broke") || reason == "it closed the connection"), reason);
  CHECK(e.told->frames().size() == 2);
}

TEST_CASE("link split: one wrong byte in a header closes the link with the frames before it delivered") {
  rng random(4, 0);
  for (int round = 0; round < 30; ++round) {
    const stream_of_frames stream(random, 5);
    const auto victim = random.below(stream.ends.size() - 1);
    auto damaged = stream.all;
    // The magic number of the next frame, which may be a heartbeat's.
    damaged[stream.ends[victim] + random.below(4)] ^= static_cast<std::uint8_t>(1 + random.below(255));
    exposed_link e;
    e.write(damaged);
    CHECK(e.told->wait_until_closed() == "what it sent is not a triage frame");
    CHECK(e.told->frames().size() == victim + 1);
  }
}
