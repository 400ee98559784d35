#include "actors/net/status_client.hpp"

#include "actors/net/connector.hpp"
#include "actors/net/handshake.hpp"
#include "actors/net/io_thread.hpp"
#include "actors/net/link.hpp"
#include "actors/net/tls.hpp"
#include "core/wire.hpp"

#include <future>

namespace triage {

namespace {

constexpr double connection_seconds = 5.0;
constexpr std::chrono::seconds answer_patience{8};
constexpr std::size_t largest_answer = std::size_t{16} << 20U;

using answer_promise = std::promise<result<std::string>>;

struct status_handler final : link_handler {
  explicit status_handler(std::shared_ptr<answer_promise> p) : promise(std::move(p)) {}
  void answer(result<std::string> r) {
    if (const auto p = std::exchange(promise, nullptr))
      p->set_value(std::move(r));
  }
  result<std::span<float>> place(const frame_header&, std::span<const std::uint8_t>) override {
    return run_error("it sent floats");
  }
  result<void> arrived(const frame_header& header, std::span<const std::uint8_t> head) override {
    if (header.kind == frame_kind::refusal) {
      const auto m = read_refusal(head);
      answer(error{error_kind::retry, m.ok() ? "the coordinator says: " + m->reason : m.error().message});
      return {};
    }
    wire_reader in(head);
    auto text = in.text();
    if (header.kind != frame_kind::status || !in.complete())
      return run_error("its answer makes no sense");
    answer(std::move(text));
    return {};
  }
  void closed(const std::string& reason) override {
    answer(error{error_kind::retry, "no answer from the coordinator: " + reason});
  }
  std::shared_ptr<answer_promise> promise;
};

} // namespace

result<std::string> ask_status(const net_address& coordinator, const std::string& tls_directory) {
  std::shared_ptr<boost::asio::ssl::context> tls;
  if (!tls_directory.empty()) {
    auto made = make_tls_context(tls_directory);
    if (!made.ok())
      return made.error();
    tls = made.take();
  }
  const auto promise = std::make_shared<answer_promise>();
  auto future = promise->get_future();
  io_thread io;
  async_connect(io.context(), coordinator, tls, connection_seconds,
                [&context = io.context(), promise](result<std::unique_ptr<byte_stream>> stream) {
                  if (!stream.ok())
                    return promise->set_value(stream.error());
                  link_options options;
                  options.limits.head = largest_answer;
                  const auto l = link::make(context, stream.take(), options);
                  l->start(std::make_shared<status_handler>(promise));
                  hello_message hello;
                  hello.role = peer_role::status;
                  hello.version = TRIAGE_VERSION;
                  l->send(to_frame(hello));
                });
  if (future.wait_for(answer_patience) != std::future_status::ready)
    return error{error_kind::retry, "no answer from " + to_string(coordinator) + " in time"};
  return future.get();
}

} // namespace triage
