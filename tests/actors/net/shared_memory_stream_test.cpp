#include "actors/net/local_socket.hpp"
#include "actors/net/shared_rings.hpp"
#include "actors/net/snapshot_board.hpp"
#include "local_net.hpp"

#include <fcntl.h>
#include <filesystem>
#include <sys/mman.h>
#include <unistd.h>

using namespace triage;
using namespace triage::test;

namespace {

using boost::system::error_code;
constexpr std::size_t mebi = std::size_t{1} << 20U;

/// Two links on such a connection.
struct local_links {
  local_net net;
  std::shared_ptr<recorder> told_a = std::make_shared<recorder>(), told_b = std::make_shared<recorder>();
  std::shared_ptr<triage::link> a, b;

  explicit local_links(bool a_shares = true, bool b_shares = true) {
    auto [near, far] = net.streams(a_shares, b_shares);
    a = net.start(std::move(near), told_a);
    b = net.start(std::move(far), told_b);
  }
  ~local_links() {
    a->close("the test is over");
    b->close("the test is over");
    told_a->wait_until_closed();
    told_b->wait_until_closed();
    net.io.stop();
  }
};

/// A raw socket at the other end of a stream that has been accepted.
struct raw_offer {
  local_net net;
  local_protocol::socket raw{net.io.context()};
  std::unique_ptr<byte_stream> stream;
  std::future<error_code> outcome;
  std::shared_ptr<recorder> told = std::make_shared<recorder>();

  raw_offer() {
    auto [a, b] = net.local_connection();
    raw = std::move(a);
    stream = make_shared_memory_stream(std::move(b), true);
    outcome = net.shake(*stream, true);
  }
  ~raw_offer() {
    net.on_thread([this] {
      stream.reset();
      return 0;
    });
    net.io.stop();
  }
  void offer(std::uint8_t first, const std::vector<int>& descriptors) {
    iovec data{&first, 1};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> room{};
    if (!descriptors.empty()) {
      const std::size_t bytes_of_them = descriptors.size() * sizeof(int);
      message.msg_control = room.data();
      message.msg_controllen = CMSG_SPACE(bytes_of_them);
      cmsghdr* const about = CMSG_FIRSTHDR(&message);
      about->cmsg_level = SOL_SOCKET;
      about->cmsg_type = SCM_RIGHTS;
      about->cmsg_len = CMSG_LEN(bytes_of_them);
      std::memcpy(CMSG_DATA(about), descriptors.data(), bytes_of_them);
    }
    REQUIRE(sendmsg(raw.native_handle(), &message, 0) == 1);
  }
  std::uint8_t answer() {
    std::uint8_t byte = 77;
    boost::asio::read(raw, boost::asio::buffer(&byte, 1));
    return byte;
  }
  std::shared_ptr<triage::link> go_on() { return net.start(std::move(stream), told); }
};

bytes hello_bytes() {
  const auto f = frame(frame_kind::leaving, bytes(5, 9));
  return {f.front().begin(), f.front().end()};
}

} // namespace

TEST_CASE("shared memory: frames of all sizes arrive intact and in order, whoever of the two wants it") {
  for (const bool a_shares : {true, false})
    for (const bool b_shares : {true, false}) {
      local_links p(a_shares, b_shares);
      std::vector<std::vector<float>> expected;
      for (const std::size_t size : {std::size_t{0}, std::size_t{1}, 16384UL, mebi, 3UL, 2 * mebi, 65536UL}) {
        expected.push_back(numbered(size, static_cast<float>(expected.size())));
        for (auto* l : {p.a.get(), p.b.get()})
          l->send(frame(frame_kind::parameters, {static_cast<std::uint8_t>(expected.size())},
                        blob::copy_of(expected.back()), float_format::float32));
      }
      for (auto* told : {p.told_a.get(), p.told_b.get()}) {
        REQUIRE(told->wait_for_frames(expected.size()));
        const auto frames = told->frames();
        for (std::size_t i = 0; i < expected.size(); ++i) {
          CHECK(frames[i].head == bytes{static_cast<std::uint8_t>(i + 1)});
          CHECK(frames[i].floats == expected[i]);
        }
        CHECK(told->closes() == 0);
      }
    }
}

TEST_CASE("shared memory: thousands of small frames both ways at once, and answers to each") {
  local_links p;
  constexpr std::size_t count = 3000;
  p.told_b->arriving = [&](const frame_header&) {
    p.b->send(frame(frame_kind::leaving, bytes(7, 1)));
    return result<void>();
  };
  for (std::size_t i = 0; i < count; ++i)
    p.a->send(frame(frame_kind::leaving, bytes(i % 2000, static_cast<std::uint8_t>(i))));
  REQUIRE(p.told_a->wait_for_frames(count));
  const auto frames = p.told_b->frames();
  for (std::size_t i = 0; i < count; ++i)
    CHECK(frames[i].head == bytes(i % 2000, static_cast<std::uint8_t>(i)));
}

TEST_CASE("shared memory: what was sent before the end arrives, and then the end") {
  local_links p;
  const auto values = numbered(3 * mebi);
  p.a->send(frame(frame_kind::parameters, {1}, blob::copy_of(values), float_format::float32));
  p.a->send(frame(frame_kind::leaving, bytes(3, 3)));
  p.a->close_when_sent("it has said everything", 5.0);
  CHECK(p.told_b->wait_until_closed() == "it closed the connection");
  const auto frames = p.told_b->frames();
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].floats == values);
  CHECK(p.told_a->wait_until_closed() == "it has said everything");
}

TEST_CASE("shared memory: who waits for room or for bytes is told when this side closes") {
  local_net net;
  auto [x, y] = net.local_connection();
  auto near = make_shared_memory_stream(std::move(x), true);
  const auto far = make_shared_memory_stream(std::move(y), true);
  auto near_done = net.shake(*near, false);
  auto far_done = net.shake(*far, true);
  REQUIRE_FALSE(near_done.get());
  REQUIRE_FALSE(far_done.get());
  const bytes much(8 * mebi, 1); // nobody reads
  std::promise<error_code> written;
  std::promise<error_code> read;
  std::array<std::uint8_t, 8> in{};
  net.on_thread([&] {
    near->write({boost::asio::buffer(much)}, [&](const auto& ec, std::size_t) { written.set_value(ec); });
    near->read_some(boost::asio::buffer(in), [&](const auto& ec, std::size_t) { read.set_value(ec); });
    return 0;
  });
  SUBCASE("by asking") {
    net.on_thread([&] {
      near->close();
      return 0;
    });
  }
  SUBCASE("by going") {
    net.on_thread([&] {
      near.reset();
      return 0;
    });
  }
  CHECK(written.get_future().get() == boost::asio::error::operation_aborted);
  CHECK(read.get_future().get() == boost::asio::error::operation_aborted);
  net.on_thread([&] {
    far->close();
    return 0;
  });
  net.io.stop();
}

TEST_CASE("shared memory: a peer that speaks at once, or offers nothing or nonsense, goes on without it") {
  raw_offer r;
  const auto opening = hello_bytes();
  bool asks = true;
  SUBCASE("speaks at once") {
    asks = false;
  }
  SUBCASE("nothing") {
    r.offer(0xA5, {});
  }
  SUBCASE("a device") {
    r.offer(0xA5, {open("/dev/null", O_RDWR | O_CLOEXEC)});
  }
  SUBCASE("memory that can shrink") {
    const auto made = shared_rings::create();
    REQUIRE(made.ok());
    const int loose = memfd_create("loose", MFD_CLOEXEC);
    REQUIRE(ftruncate(loose, lseek(made->descriptor(), 0, SEEK_END)) == 0);
    r.offer(0xA5, {loose});
  }
  if (asks)
    CHECK(r.answer() == 0);
  boost::asio::write(r.raw, boost::asio::buffer(opening));
  REQUIRE_FALSE(r.outcome.get());
  const auto l = r.go_on();
  REQUIRE(r.told->wait_for_frames(1));
  CHECK(r.told->frames()[0].head == bytes(5, 9));
  l->close("the test is over");
  r.told->wait_until_closed();
}

TEST_CASE("shared memory: of two descriptors at once none is taken, and none stays open") {
  const auto open_descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  raw_offer r;
  const auto before = open_descriptors();
  r.offer(0xA5, {STDIN_FILENO, STDERR_FILENO});
  CHECK(r.answer() == 0);
  CHECK(open_descriptors() == before);
}

TEST_CASE("shared memory: a peer that spoils it, or goes before it has agreed, is let go") {
  raw_offer r;
  SUBCASE("goes") {
    r.raw.close();
    CHECK(r.outcome.get() == boost::asio::error::eof);
  }
  SUBCASE("spoils it") {
    auto made = shared_rings::create();
    REQUIRE(made.ok());
    const auto size = static_cast<std::size_t>(lseek(made->descriptor(), 0, SEEK_END));
    void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, made->descriptor(), 0);
    REQUIRE(memory != MAP_FAILED);
    r.offer(0xA5, {made->descriptor()});
    CHECK(r.answer() == 1);
    REQUIRE_FALSE(r.outcome.get());
    const auto l = r.go_on();
    std::memset(memory, 0xEE, 4096); // the positions of its ring
    boost::asio::write(r.raw, boost::asio::buffer("knock", 1));
    CHECK(r.told->wait_until_closed() == "the connection broke (Bad message)");
    munmap(memory, size);
  }
}

TEST_CASE("shared memory: nobody can accept what was not offered") {
  local_net net;
  auto [x, y] = net.local_connection();
  const auto near = make_shared_memory_stream(std::move(x), false);
  auto done = net.shake(*near, false);
  std::uint8_t offered = 0;
  boost::asio::read(y, boost::asio::buffer(&offered, 1));
  CHECK(offered == 0xA5);
  const std::uint8_t accepted = 1;
  boost::asio::write(y, boost::asio::buffer(&accepted, 1));
  CHECK(done.get());
  net.on_thread([&] {
    near->close();
    return 0;
  });
  net.io.stop();
}

TEST_CASE("shared memory: the accepting end's board is seen by both where memory is shared, and by nobody "
          "where it is not") {
  auto made = snapshot_board::create(100);
  REQUIRE(made.ok());
  const auto board = made.take();
  const auto place = board->acquire();
  std::fill(place->values.begin(), place->values.end(), 2.5F);
  for (const bool near_shares : {true, false})
    for (const bool far_shares : {true, false}) {
      local_net net;
      auto [near, far] = net.streams(near_shares, far_shares, board->memory());
      const bool shared = near_shares && far_shares;
      CHECK((far->board() == board->memory()) == shared);
      CHECK((near->board() != nullptr) == shared);
      if (shared)
        CHECK(read_board(near->board(), place->number, 100)->view()[99] == 2.5F);
      net.on_thread([&] {
        near.reset();
        far.reset();
        return 0;
      });
      net.io.stop();
    }
  local_net net;
  auto [near, far] = net.streams(true, true);
  CHECK_FALSE(near->board());
  CHECK_FALSE(far->board());
  net.on_thread([&] {
    near.reset();
    far.reset();
    return 0;
  });
  net.io.stop();
}
