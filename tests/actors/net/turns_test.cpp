#include "actors/net/turns.hpp"

#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>
#include <stdexcept>
#include <string>

using namespace triage;

namespace {

/// Appends its letter so many times, one in each turn.
turns::piece letters(std::string& log, char letter, int times) {
  return [&log, letter, times]() mutable {
    log += letter;
    return --times > 0;
  };
}

} // namespace

TEST_CASE("turns: whoever has more pieces waits for the others after each") {
  boost::asio::io_context context;
  turns t(context);
  std::string log;
  t.take(letters(log, 'a', 3));
  t.take(letters(log, 'b', 1));
  t.take(letters(log, 'c', 2));
  context.run();
  CHECK(log == "abcaca");
  // Afterwards, and from a piece, more may be taken up.
  context.restart();
  t.take([&] {
    t.take(letters(log, 'e', 1));
    log += 'd';
    return false;
  });
  context.run();
  CHECK(log == "abcacade");
}

TEST_CASE("turns: what has arrived during a piece is taken up before the next") {
  boost::asio::io_context context;
  turns t(context);
  std::string log;
  boost::asio::local::stream_protocol::socket near(context), far(context);
  boost::asio::local::connect_pair(near, far);
  std::array<char, 1> byte{};
  near.async_read_some(boost::asio::buffer(byte), [&](const auto& ec, std::size_t) {
    if (!ec)
      log += 'r';
  });
  t.take(letters(log, 'a', 1));
  t.take([&] {
    log += 'b';
    boost::asio::write(far, boost::asio::buffer("x", 1));
    boost::asio::post(context, [&] { log += 'p'; });
    return false;
  });
  t.take(letters(log, 'c', 2));
  context.run();
  REQUIRE(log.size() == 6);
  CHECK(log.substr(0, 2) == "ab");
  CHECK(log.substr(4) == "cc");
}

TEST_CASE("turns: a piece that fails costs nobody else's turn") {
  boost::asio::io_context context;
  turns t(context);
  std::string log;
  t.take([]() -> bool { throw std::bad_alloc(); });
  t.take(letters(log, 'a', 2));
  CHECK_THROWS_AS(context.run(), std::bad_alloc);
  context.run();
  CHECK(log == "aa");
}

TEST_CASE("turns: what waits when they end is not done, and let go") {
  boost::asio::io_context context;
  std::string log;
  const auto held = std::make_shared<int>(0);
  {
    turns t(context);
    t.take([&log, held] {
      log += 'a';
      return true;
    });
  }
  CHECK(held.use_count() == 1);
  context.run();
  CHECK(log.empty());
}
