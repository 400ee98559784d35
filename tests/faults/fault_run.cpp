#include "fault_run.hpp"

#include "actors/net/credentials.hpp"
#include "actors/net/status_client.hpp"
#include "core/files.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cmath>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace triage::test {

namespace {

using clock_type = std::chrono::steady_clock;

constexpr double longest_run = 180.0; ///< what takes longer hangs

double seconds_since(clock_type::time_point begin) {
  return std::chrono::duration<double>(clock_type::now() - begin).count();
}

/// Polls until it holds; -1: not in time.
template <class Condition>
double wait_for(double seconds, Condition&& holds, double interval = 0.01) {
  const auto begin = clock_type::now();
  while (true) {
    if (holds())
      return seconds_since(begin);
    if (seconds_since(begin) > seconds)
      return -1.0;
    pause_for(interval);
  }
}

/// The coordinator gets the same one again when it is resumed, so it must be known before.
std::uint16_t free_port() {
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof a;
  REQUIRE(bind(s, reinterpret_cast<sockaddr*>(&a), size) == 0);
  getsockname(s, reinterpret_cast<sockaddr*>(&a), &size);
  close(s);
  return ntohs(a.sin_port);
}

std::string address(std::uint16_t port) {
  return fmt::format("127.0.0.1:{}", port);
}

std::size_t occurrences(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size()))
    ++n;
  return n;
}

double figure(const json_value& object, const char* key) {
  const auto* v = object.find(key);
  return v != nullptr && v->is_number() ? v->as_number() : std::nan("");
}

} // namespace

std::vector<std::string> scenario::overrides() const {
  std::vector<std::string> out;
  const auto set = [&](std::string text) {
    out.emplace_back("--set");
    out.push_back(std::move(text));
  };
  set(R"(model=[{"type":"dense","units":64,"activation":"relu"},{"type":"dense","units":10}])");
  set("optimizer.momentum=0");
  set("optimizer.learning_rate=0.02"); // more of it makes lag, and with it the number of workers, matter
  set("optimizer.nesterov=false");
  set("sampling=" + sampling);
  set(fmt::format("duration.epochs={}", epochs));
  set(fmt::format("data.regime.subset={}", subset));
  set(fmt::format("batch_size={}", batch_size));
  set(fmt::format(R"(runtime.exchange={{"policy":"{}"}})", policy));
  if (policy == "ssp")
    set(fmt::format("runtime.exchange.staleness={}", staleness));
  if (policy.ends_with("local_sgd"))
    set(fmt::format("runtime.exchange.local_steps={}", local_steps));
  if (shards > 0)
    set(fmt::format("network.shards={}", shards));
  if (!compression.empty())
    set(fmt::format(R"(runtime.exchange.compression={{"up":"{0}","down":"{0}"}})", compression));
  set("evaluation.probe_size=1000");
  set("checkpoint.every_epochs=0.25"); // faults shall meet checkpoints and evaluations, too
  for (const auto& m : more)
    set(m);
  return out;
}

fault_run::fault_run(scenario s) : scenario_(std::move(s)), port_(free_port()) {}

void fault_run::begin() {
  start_coordinator();
  // Estimators first: training begins with the first worker, and they shall be there for it.
  for (const auto& e : scenario_.estimators)
    start_node(e, "estimator");
  for (const auto& e : scenario_.estimators)
    REQUIRE_MESSAGE(wait_for_log(e + " joined from", 1, 60.0) >= 0.0, log());
  for (const auto& w : scenario_.workers)
    start_node(w);
  REQUIRE_MESSAGE(wait_for_members(scenario_.workers, 60.0) >= 0.0, log());
}

std::vector<std::string> fault_run::credentials(const std::string& name) {
  if (!scenario_.tls)
    return {};
  const auto authority = folder_.path("keys");
  const auto own = folder_.path("key-" + name);
  if (!std::filesystem::exists(authority))
    REQUIRE(make_authority(authority, 2).ok());
  if (!std::filesystem::exists(own))
    REQUIRE(make_node_credentials(authority, name, own, 1).ok());
  return {"--tls", own};
}

void fault_run::start_coordinator() {
  std::vector<std::string> arguments = {
      "train", "examples/fashion_mlp.json", "--run-dir", directory(), "--quiet", "--listen", address(port_)};
  for (const auto& more : {std::string("--min-workers"), std::to_string(scenario_.min_workers),
                           std::string("--wait"), std::to_string(scenario_.wait_seconds)})
    arguments.push_back(more);
  for (const auto& more : {scenario_.overrides(), credentials("coordinator")})
    arguments.insert(arguments.end(), more.begin(), more.end());
  for (const char* none : {"runtime.workers=0", "runtime.estimators=0"}) {
    arguments.emplace_back("--set");
    arguments.emplace_back(none);
  }
  coordinator_ = std::make_unique<process>(arguments, folder_.path("coordinator.txt"));
  REQUIRE_MESSAGE(wait_for_log("listening for nodes", 1, 60.0) >= 0.0,
                  file_text(folder_.path("coordinator.txt")));
}

void fault_run::resume_coordinator(const std::vector<std::string>& more) {
  const auto before = in_log("listening for nodes");
  std::vector<std::string> arguments = {"resume", directory(), "--quiet", "--listen", address(port_)};
  const auto keys = credentials("coordinator");
  arguments.insert(arguments.end(), keys.begin(), keys.end());
  for (const auto& m : more) {
    arguments.emplace_back("--set");
    arguments.push_back(m);
  }
  coordinator_.reset();
  coordinator_ =
      std::make_unique<process>(arguments, folder_.path(fmt::format("coordinator-{}.txt", ++started_)));
  REQUIRE_MESSAGE(wait_for_log("listening for nodes", before + 1, 60.0) >= 0.0,
                  file_text(folder_.path(fmt::format("coordinator-{}.txt", started_))));
}

void fault_run::start_node(const std::string& name, const std::string& role, std::uint16_t port) {
  if (port == 0)
    port = ports_.contains(name) ? ports_.at(name) : port_;
  std::vector<std::string> arguments = {"node", "--join", address(port), "--name", name, "--threads",
                                        "1",    "--role", role,          "--wait", "90"};
  const auto keys = credentials(name);
  arguments.insert(arguments.end(), keys.begin(), keys.end());
  nodes_[name] =
      std::make_unique<process>(arguments, folder_.path(fmt::format("node-{}-{}.txt", name, ++started_)));
}

int fault_run::end_of_node(const std::string& name, double seconds) {
  auto& node = *nodes_.at(name);
  if (wait_for(seconds, [&] { return !node.running(); }) < 0.0)
    return -1;
  return node.wait();
}

std::optional<json_value> fault_run::status() const {
  const auto answer = ask_status({"127.0.0.1", port_}, scenario_.tls ? folder_.path("key-coordinator") : "");
  if (!answer.ok())
    return std::nullopt;
  auto parsed = parse_json(*answer, "status");
  if (!parsed.ok() || parsed->find("members") == nullptr)
    return std::nullopt;
  return parsed.take();
}

std::vector<std::string> fault_run::members() const {
  std::vector<std::string> names;
  if (const auto s = status())
    for (const auto& m : s->find("members")->as_array()) {
      const auto& full = m.find("name")->as_string();
      names.push_back(full.substr(0, full.find('/')));
    }
  return names;
}

double fault_run::wait_for_members(const std::vector<std::string>& names, double seconds) const {
  return wait_for(
      seconds,
      [&] {
        const auto here = members();
        return std::all_of(names.begin(), names.end(), [&](const auto& n) {
          return std::find(here.begin(), here.end(), n) != here.end();
        });
      },
      0.05);
}

bool fault_run::wait_for_scores(double seconds) const {
  const auto scored = [&] {
    const auto s = status();
    return s && figure(*s->find("priorities"), "samples_scored") > 0.0;
  };
  return wait_for(seconds, scored, 0.02) >= 0.0;
}

bool fault_run::wait_until(double fraction, double seconds) const {
  const double wanted = fraction * scenario_.epochs;
  double reached = 0.0;
  (void)wait_for(
      seconds,
      [&] {
        if (!coordinator_->running())
          return true;
        if (const auto s = status())
          reached = figure(*s, "epochs");
        return reached >= wanted;
      },
      0.02);
  return reached >= wanted && coordinator_->running();
}

std::size_t fault_run::in_log(const std::string& text) const {
  return occurrences(log(), text);
}

double fault_run::wait_for_log(const std::string& text, std::size_t count, double seconds) const {
  return wait_for(seconds, [&] { return in_log(text) >= count; });
}

int fault_run::end_of_coordinator(double seconds) {
  if (wait_for(seconds, [&] { return !coordinator_->running(); }) < 0.0)
    return -1;
  return coordinator_->wait();
}

json_value fault_run::summary() const {
  auto s = read_json_file(directory() + "/summary.json");
  REQUIRE_MESSAGE(s.ok(), log());
  return s.take();
}

// -- what must hold -----------------------------------------------------------------------------------------

void check_visits(const fault_run& run, int epochs, fault_tally& tally) {
  temporary_folder folder;
  const auto made = run_triage({"ledger", run.directory(), "--output-dir", folder.path("ledger")},
                               folder.path("output.txt"));
  REQUIRE_MESSAGE(made.exit_code == 0, made.output);
  std::istringstream csv(file_text(folder.path("ledger/ledger.csv")));
  std::string line;
  std::getline(csv, line);
  REQUIRE(line.starts_with("index,row,label,trained,"));
  std::size_t points = 0;
  std::size_t lost = 0;
  std::size_t doubled = 0;
  while (std::getline(csv, line)) {
    std::size_t at = 0;
    for (int column = 0; column < 3; ++column)
      at = line.find(',', at) + 1;
    const int visits = std::stoi(line.substr(at));
    lost += static_cast<std::size_t>(std::max(epochs - visits, 0));
    doubled += static_cast<std::size_t>(std::max(visits - epochs, 0));
    ++points;
  }
  tally.lost += lost;
  tally.doubled += doubled;
  CHECK(points == run.what().points());
  CHECK_MESSAGE(lost == 0, lost << " visits are missing\n" << run.log());
  CHECK_MESSAGE(doubled == 0, doubled << " visits too many\n" << run.log());
}

void check_finished(fault_run& run, fault_tally& tally, std::optional<double> undisturbed) {
  const int code = run.end_of_coordinator(longest_run);
  if (code == -1) {
    ++tally.hangs;
    const auto s = run.status();
    FAIL("the run hangs: " << (s ? dump_json(*s) : "no status") << "\n" << run.log());
  }
  REQUIRE_MESSAGE(code == 0, run.log());
  const auto& s = run.what();
  const auto summary = run.summary();
  CHECK(summary.find("status")->as_string() == "finished");
  const auto samples = static_cast<std::size_t>(figure(summary, "samples_trained"));
  const auto steps = static_cast<std::size_t>(figure(summary, "steps"));
  const auto batch = static_cast<std::size_t>(s.batch_size);
  const auto planned = s.points() * static_cast<std::size_t>(s.epochs);
  if (s.sampling != "uniform") { // its passes may end with smaller batches
    CHECK(samples >= planned);
    CHECK(samples < planned + batch);
    CHECK(steps * batch >= samples);
  } else if (s.policy != "ssp") { // a step is a round: the batches of each who was there
    CHECK(samples == planned);
    CHECK(steps * batch <= samples);
    CHECK(steps * batch * s.workers.size() * static_cast<std::size_t>(s.local_steps) >= samples);
  } else if (s.shards > 0) { // what is left for each node at the end may be less than a batch
    CHECK(samples == planned);
    CHECK(steps * batch < samples + s.workers.size() * batch);
  } else {
    CHECK(samples == planned);
    CHECK(steps * batch == samples);
  }
  if (s.sampling == "uniform")
    check_visits(run, s.epochs, tally);
  if (!s.accuracy_off)
    return;
  if (!undisturbed)
    undisturbed = undisturbed_accuracy(s);
  const double off = 100.0 * (figure(summary, "test_accuracy") - *undisturbed);
  tally.accuracy.push_back(off);
  CHECK_MESSAGE(std::abs(off) <= *s.accuracy_off, off << " points of accuracy off the undisturbed run\n"
                                                      << run.log());
}

double undisturbed_accuracy(const scenario& s) {
  static std::map<std::string, double> known;
  auto arguments = s.overrides();
  // Where rounds depend on who is ready first, nodes are undisturbed nodes' equals, workers of one process
  // not.
  const bool on_nodes = s.policy == "overlap_local_sgd";
  if (on_nodes)
    for (const auto& part : {std::string("--local"), fmt::format("{}", s.workers.size()),
                             std::string("--threads"), std::string("1")})
      arguments.push_back(part);
  else
    for (const auto& here : {fmt::format("runtime.workers={}", s.workers.size()),
                             fmt::format("runtime.estimators={}", s.estimators.size())}) {
      arguments.emplace_back("--set");
      arguments.push_back(here);
    }
  const auto key = fmt::format("{}", fmt::join(arguments, " "));
  if (const auto at = known.find(key); at != known.end())
    return at->second;
  const temporary_folder folder;
  arguments.insert(arguments.begin(), {on_nodes ? "launch" : "train", "examples/fashion_mlp.json",
                                       "--run-dir", folder.path("run"), "--quiet"});
  const auto r = run_triage(arguments, folder.path("output.txt"));
  REQUIRE_MESSAGE(r.exit_code == 0, r.output);
  const auto summary = read_json_file(folder.path("run/summary.json"));
  REQUIRE(summary.ok());
  return known[key] = figure(*summary, "test_accuracy");
}

void check_detected(double seconds, double promised, fault_tally& tally) {
  REQUIRE(seconds >= 0.0);
  tally.detected.push_back(seconds);
  CHECK(seconds <= 2.0 * promised);
}

} // namespace triage::test
