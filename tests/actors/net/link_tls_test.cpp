#include "tests/core/storage_support.hpp" // before the next: it uses names that the next declares

#include "link_support.hpp"

#include "actors/net/credentials.hpp"
#include "actors/net/tls.hpp"

#include <sys/mman.h>

using namespace triage;
using namespace triage::test;

namespace {

/// Takes floats into memory that is gone with it, so that whoever writes there later ends the process.
class owner_of_memory final : public link_handler {
public:
  static constexpr std::size_t floats = std::size_t{1} << 20U;
  owner_of_memory(std::atomic<int>& arrivals, std::atomic<int>& living)
      : arrivals_(arrivals), living_(living) {
    void* const pages =
        mmap(nullptr, floats * sizeof(float), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(pages != MAP_FAILED);
    memory_ = {static_cast<float*>(pages), floats};
    ++living_;
  }
  ~owner_of_memory() override {
    munmap(memory_.data(), memory_.size_bytes());
    --living_;
  }
  result<std::span<float>> place(const frame_header& header, std::span<const std::uint8_t>) override {
    return memory_.first(header.bulk_floats);
  }
  result<void> arrived(const frame_header&, std::span<const std::uint8_t>) override {
    ++arrivals_;
    return {};
  }
  void closed(const std::string&) override {}

private:
  std::atomic<int>& arrivals_;
  std::atomic<int>& living_;
  std::span<float> memory_;
};

} // namespace

TEST_CASE(
    "link: a stream that still decrypts writes into memory that is there, however the link was closed") {
  const memory_temporaries in_memory;
  const temp_folder folder;
  REQUIRE(make_authority(folder.path("ca"), 2).ok());
  REQUIRE(make_node_credentials(folder.path("ca"), "coordinator", folder.path("c"), 1).ok());
  REQUIRE(make_node_credentials(folder.path("ca"), "node-1", folder.path("n"), 1).ok());
  const auto server = *make_tls_context(folder.path("c"));
  const auto client = *make_tls_context(folder.path("n"));
  std::atomic<int> living{0};
  for (int round = 0; round < 30; ++round) {
    network_thread net;
    auto [x, y] = net.connection();
    auto near = make_byte_stream(std::move(x), client);
    auto far = make_byte_stream(std::move(y), server);
    std::promise<boost::system::error_code> near_done;
    std::promise<boost::system::error_code> far_done;
    net.on_thread([&] {
      near->handshake(false, [&](const auto& ec, std::size_t) { near_done.set_value(ec); });
      far->handshake(true, [&](const auto& ec, std::size_t) { far_done.set_value(ec); });
      return 0;
    });
    REQUIRE_FALSE(near_done.get_future().get());
    REQUIRE_FALSE(far_done.get_future().get());
    std::atomic<int> arrivals{0};
    const auto start = [&](std::unique_ptr<byte_stream> stream,
                           const std::shared_ptr<link_handler>& handler) {
      return net.on_thread([&] {
        auto l = triage::link::make(net.io.context(), std::move(stream), {});
        l->start(handler);
        return l;
      });
    };
    const auto sender = start(std::move(near), std::make_shared<recorder>());
    auto receiver = start(std::move(far), std::make_shared<owner_of_memory>(arrivals, living));
    const auto block = blob::copy_of(std::vector<float>(owner_of_memory::floats, 1.0F));
    for (int i = 0; i < 8; ++i)
      sender->send(frame(frame_kind::train_result, {}, block, float_format::float32));
    for (const double until = seconds_now() + 5.0; arrivals < 1 + round % 4 && seconds_now() < until;) {
    }
    REQUIRE(arrivals > 0);
    net.on_thread([&] { // what the handler of another link does when its own has broken
      receiver->close("its other link broke");
      return 0;
    });
    receiver.reset();
    net.on_thread([] { return 0; });
    sender->close("the test is over");
    net.on_thread([] { return 0; });
    net.io.stop();
  }
  CHECK(living == 0);
}
