#include "command_support.hpp"

#include "actors/train.hpp"
#include "core/overrides.hpp"

#include <chrono>
#include <future>
#include <stop_token>
#include <thread>

// The subcommands that talk to a run while it goes on: status and node, against a coordinator in this
// process.

using namespace triage;
using namespace triage::test;

namespace {

/// A run that listens, on a thread of its own, until it is stopped or has nothing left to do.
class listening_run {
public:
  explicit listening_run(const std::vector<std::string>& overrides) {
    auto document = parse_json(small_run_text, "test");
    REQUIRE(document.ok());
    REQUIRE(apply_overrides(*document, overrides).ok());
    auto setup = prepare_run(*document, "test");
    REQUIRE_MESSAGE(setup.ok(), (setup.ok() ? "" : setup.error().message));
    train_options options;
    options.listen = cluster_options{{"127.0.0.1", 0}, "", true};
    options.listening = [this](const net_address& at) { address_.set_value(to_string(at)); };
    thread_ = std::jthread([this, setup = setup.take(), options](const std::stop_token& stop) {
      outcome_.set_value(train(setup, options, stop));
    });
    auto said = address_.get_future();
    REQUIRE(said.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
    where_ = said.get();
  }
  [[nodiscard]] const std::string& address() const { return where_; }
  train_outcome end() {
    thread_.request_stop();
    return wait();
  }
  train_outcome wait() {
    auto result = outcome_.get_future().get();
    REQUIRE_MESSAGE(result.ok(), (result.ok() ? "" : result.error().message));
    return result.take();
  }

private:
  std::promise<std::string> address_;
  std::promise<result<train_outcome>> outcome_;
  std::string where_;
  std::jthread thread_;
};

} // namespace

TEST_CASE("status: where a run stands, for people and as JSON, on stdout alone") {
  listening_run run({"duration.epochs=1e9", "evaluation.every_epochs=0"});
  const auto plain = run_command({"status", run.address()});
  REQUIRE_MESSAGE(plain.code == 0, plain.err);
  CHECK(plain.err.empty());
  for (const char* part : {"run        small\n", "phase      ", "progress   step ", "member", "samples/s"})
    CHECK_MESSAGE(plain.out.find(part) != std::string::npos, plain.out);
  const auto json = run_command({"status", run.address(), "--json"});
  REQUIRE_MESSAGE(json.code == 0, json.err);
  const auto first = parse_json(json.out, "status");
  REQUIRE(first.ok());
  CHECK(first->find("run")->as_string() == "small");
  CHECK(first->find("members")->as_array().size() >= 1);
  const auto second = parse_json(run_command({"status", run.address(), "--json"}).out, "status");
  REQUIRE(second.ok());
  CHECK(second->find("step")->as_number() >= first->find("step")->as_number());
  CHECK(run.end().summary.status == run_status::interrupted);
  check_refused(run_command({"status", run.address()}), 75, {run.address()});
}

TEST_CASE("node: it works for a run until that is over, and ends with code 0") {
  listening_run run({"runtime.workers=0", "sampling=uniform", "duration.epochs=3"});
  const auto node = run_command(
      {"node", "--join", run.address(), "--threads", "1", "--role", "worker", "--name", "helper", "--quiet"});
  CHECK_MESSAGE(node.code == 0, node.err);
  CHECK(node.out.empty());
  const auto outcome = run.wait();
  CHECK(outcome.summary.status == run_status::finished);
  CHECK(outcome.summary.samples_trained >= 900);
}

TEST_CASE("node: what keeps it from joining is said with the way out") {
  listening_run run({"runtime.workers=1", "duration.epochs=1e9", "evaluation.every_epochs=0"});
  // Certificates that are not there.
  const auto missing =
      run_command({"node", "--join", run.address(), "--tls", "/nowhere", "--wait", "1", "--quiet"});
  CHECK(missing.code != 0);
  CHECK(missing.err.find("/nowhere") != std::string::npos);
  CHECK(missing.out.empty());
  // Encrypted on one side only.
  const scratch_folder folder;
  REQUIRE(run_command({"keygen", folder.path("keys"), "--nodes", "a"}).code == 0);
  const auto encrypted = run_command(
      {"node", "--join", run.address(), "--tls", folder.path("keys/a"), "--wait", "0.5", "--quiet"});
  CHECK(encrypted.code == 75);
  CHECK(encrypted.err.find(run.address()) != std::string::npos);
  CHECK(run.end().summary.status == run_status::interrupted);
}

TEST_CASE("listening beyond this machine without certificates is refused unless it is asked for") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", small_run_text);
  const auto refused =
      run_command({"train", file, "--run-dir", folder.path("r"), "--quiet", "--listen", "0.0.0.0:0"});
  CHECK(refused.code == 2);
  CHECK(refused.err.find("--tls DIR") != std::string::npos);
  CHECK(refused.err.find("--insecure") != std::string::npos);
}
