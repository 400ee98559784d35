#include "command_support.hpp"

#include "actors/net/listener.hpp"
#include "core/wire.hpp"
#include "tests/actors/net/link_support.hpp"

using namespace triage;
using namespace triage::test;

TEST_CASE("status: a coordinator's process whose coordinator does not answer is no idle run") {
  network_thread net;
  const auto nobody = std::make_shared<recorder>();
  const auto door = net.on_thread([&] {
    auto l = listener::bind(net.io.context(), {"127.0.0.1", 0}, {}).take();
    l->start({[nobody](const auto& from, const auto&, const auto&) {
                from->hand_over(nobody, {});
                from->send(
                    frame(frame_kind::status,
                          wire_writer().text(R"({"problem":"the coordinator does not answer"})").take()));
                from->close_when_sent("it has its answer", 1.0);
              },
              [](const auto&, const auto&) {}});
    return l;
  });
  for (const bool json : {false, true}) {
    std::vector<std::string> arguments = {"status", to_string(door->address())};
    if (json)
      arguments.emplace_back("--json");
    const auto asked = run_command(arguments);
    CHECK(asked.code == 75);
    CHECK(asked.out.empty());
    CHECK(asked.err.find("the coordinator does not answer") != std::string::npos);
  }
  net.on_thread([&] {
    door->stop();
    return 0;
  });
  nobody->wait_until_closed();
  net.on_thread([] { return 0; });
  net.io.stop();
}
