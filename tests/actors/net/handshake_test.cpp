#include "wire_support.hpp"

#include "actors/net/handshake.hpp"
#include "core/wire.hpp"

#include <cmath>
#include <fmt/format.h>

using namespace triage;
using namespace triage::test;

namespace {

hello_message a_hello() {
  return {peer_role::tensor, "1.0.0", "node-1.rack_2", ~std::uint64_t{0}, 1024, 7, "token"};
}

welcome_message a_welcome() {
  return {"node-1", "token", R"({"seed":1})", "data", "layout", 0.5, true};
}

bool read_as_hello(const hello_message& m) {
  return read_hello(head_of(to_frame(m))).ok();
}

} // namespace

TEST_CASE("handshake: introductions and answers arrive as sent") {
  const auto hello = read_hello(head_of(to_frame(a_hello())));
  REQUIRE(hello.ok());
  CHECK((hello->role == peer_role::tensor && hello->version == "1.0.0" && hello->name == "node-1.rack_2"));
  CHECK((hello->instance == ~std::uint64_t{0} && hello->threads == 1024 && hello->estimators == 7));
  CHECK(hello->token == "token");

  const auto welcome = read_welcome(head_of(to_frame(a_welcome())));
  REQUIRE(welcome.ok());
  CHECK((welcome->name == "node-1" && welcome->token == "token" && welcome->description == R"({"seed":1})"));
  CHECK((welcome->fingerprint == "data" && welcome->layout == "layout"));
  CHECK((welcome->heartbeat_seconds == 0.5 && welcome->tracing));

  const auto refusal = read_refusal(head_of(to_frame(refusal_message{"too many", true})));
  REQUIRE(refusal.ok());
  CHECK((refusal->reason == "too many" && refusal->again));
}

TEST_CASE("handshake: cut off anywhere, or with something behind, is refused") {
  check_only_whole(head_of(to_frame(a_hello())), read_hello);
  check_only_whole(head_of(to_frame(a_welcome())), read_welcome);
  check_only_whole(head_of(to_frame(refusal_message{"why", false})), read_refusal);
}

TEST_CASE("handshake: another protocol is named, with both versions") {
  auto head = head_of(to_frame(a_hello()));
  head[0] = 99;
  const auto refused = read_hello(head);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find("version 99 of the protocol") != std::string::npos);
  CHECK(refused.error().message.find(fmt::format("this program version {}", wire_protocol)) !=
        std::string::npos);
  const auto told = refuse_protocol(head);
  REQUIRE(told);
  CHECK_FALSE(told->again);
  CHECK(told->reason ==
        fmt::format("it speaks version 99 of the protocol, the coordinator version {}: use the same "
                    "triage on all machines",
                    wire_protocol));
  CHECK_FALSE(refuse_protocol(head_of(to_frame(a_hello()))));
  CHECK_FALSE(refuse_protocol({}));
}

TEST_CASE("handshake: introductions that make no sense are refused") {
  CHECK(read_as_hello(a_hello()));
  for (const std::string& name : {evil_text, std::string("a b"), std::string("a/b"), std::string("\xc3\xa4"),
                                  std::string(65, 'a'), std::string("a\0", 2)}) {
    auto m = a_hello();
    m.name = name;
    CHECK_FALSE(read_as_hello(m));
  }
  // The version is shown when it is not ours: it is as much a word for the log as the name.
  for (const std::string& version : {evil_text, std::string("1.0\n"), std::string(4000, '1')}) {
    auto m = a_hello();
    m.version = version;
    CHECK_FALSE(read_as_hello(m));
  }
  auto crowd = a_hello();
  crowd.threads = 1025;
  CHECK_FALSE(read_as_hello(crowd));
  crowd = a_hello();
  crowd.estimators = 0xFFFFFFFFU;
  CHECK_FALSE(read_as_hello(crowd));
  auto head = head_of(to_frame(a_hello()));
  for (const std::uint8_t role : bytes{0, 4, 255}) {
    head[sizeof wire_protocol] = role;
    CHECK_FALSE(read_hello(head).ok());
  }
}

TEST_CASE("handshake: a coordinator's words for the log are harmless, its heartbeat is a time") {
  CHECK(harmless_text(read_refusal(head_of(to_frame(refusal_message{evil_text, false})))->reason));
  auto m = a_welcome();
  m.name = evil_text;
  CHECK_FALSE(read_welcome(head_of(to_frame(m))).ok());
  for (const double bad : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity(), 1e18}) {
    m = a_welcome();
    m.heartbeat_seconds = bad;
    CHECK_FALSE(read_welcome(head_of(to_frame(m))).ok());
  }
}

TEST_CASE("handshake: random bytes crash nothing and break no promise") {
  check_random(1, head_of(to_frame(a_hello())), read_hello, [](const auto& m) {
    return harmless_text(m.name) && harmless_text(m.version) && m.threads <= 1024 && m.estimators <= 1024;
  });
  check_random(2, head_of(to_frame(a_welcome())), read_welcome, [](const auto& m) {
    return harmless_text(m.name) && m.heartbeat_seconds > 0.0 && m.heartbeat_seconds <= 3600.0;
  });
  check_random(3, head_of(to_frame(refusal_message{"why", true})), read_refusal,
               [](const auto& m) { return harmless_text(m.reason); });
}

TEST_CASE("frame: headers arrive as sent, and random ones are refused or sound") {
  const auto decoded =
      header_of(frame(frame_kind::scores, {1, 2, 3}, blob::copy_of(awkward_floats), float_format::bfloat16));
  CHECK((decoded.kind == frame_kind::scores && decoded.format == float_format::bfloat16));
  CHECK((decoded.head_bytes == 3 && decoded.bulk_floats == awkward_floats.size()));
  auto proper = decoded.encode();
  for (const std::size_t at : std::vector<std::size_t>{0, 1, 2, 3, 6, 7}) { // magic, format, zero
    auto broken = proper;
    broken[at] = 0xEE;
    CHECK_FALSE(frame_header::decode(broken).ok());
  }
  rng random(4, 1);
  for (int round = 0; round < random_rounds; ++round) {
    std::array<std::uint8_t, frame_header::size> any = proper;
    for (std::size_t i = round % 2 == 0 ? 0 : 4; i < any.size(); ++i)
      any[i] = static_cast<std::uint8_t>(random.below(256));
    if (const auto h = frame_header::decode(any); h.ok() && h->format > float_format::float16)
      FAIL("a format that does not exist");
  }
}

TEST_CASE("frame: 4 Gi floats are 16 GiB, not a small number") {
  frame_header h;
  h.bulk_floats = 0xFFFFFFFFU;
  CHECK(h.bulk_bytes() == 4 * std::size_t{0xFFFFFFFFU});
}
