#include "actors/net/node.hpp"
#include "apps/commands.hpp"
#include "apps/signals.hpp"
#include "apps/support.hpp"
#include "apps/train_flags.hpp"

#include <fmt/format.h>
#include <memory>
#include <thread>
#include <unistd.h>

namespace triage {

namespace {

std::string machine_name() {
  std::array<char, 65> name{};
  if (gethostname(name.data(), name.size() - 1) != 0)
    return {};
  return name.data();
}

} // namespace

command_action add_node_command(CLI::App& program) {
  struct options {
    std::string join;
    std::string role = "auto";
    std::uint32_t threads = 0;
    std::uint32_t workers_per_thread = 1;
    std::string data;
    std::string name;
    std::string tls;
    bool insecure = false;
    bool quiet = false;
    double wait = 600.0;
  };
  auto o = std::make_shared<options>();
  auto* command = program.add_subcommand("node", "take part in a run that another process coordinates");
  command->add_option("--join", o->join, "HOST:PORT of the coordinator")->required();
  command
      ->add_option("--role", o->role,
                   "worker: gradients; estimator: priorities; auto: gradients, and one estimator where the "
                   "sampling has work for it")
      ->check(CLI::IsMember({"worker", "estimator", "auto"}));
  command->add_option("--threads", o->threads, "threads to compute on (default: all cores)")
      ->check(CLI::Range(1, 1024));
  command
      ->add_option(
          "--workers-per-thread", o->workers_per_thread,
          "2: while one's result travels, the other computes; hides the network under asp and ssp, at the "
          "price of staler gradients")
      ->check(CLI::Range(1, 8));
  command->add_option("--data", o->data,
                      "where the data is on this machine (default: as in the description)");
  command->add_option("--name", o->name, "in logs and tables (default: the name of this machine)");
  command->add_option("--wait", o->wait, "seconds to look for a coordinator before giving up with code 75")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--quiet", o->quiet, "warnings and errors only");
  add_security_flags(*command, o->tls, o->insecure);
  return [o] {
    auto address = parse_address(o->join, "--join");
    if (!address.ok())
      return complain(address.error());
    const signal_watch signals("leaving after this batch (once more: at once)");
    logger log = logger::to_stderr_and_file("", o->quiet);
    node_options node;
    node.coordinator = address.take();
    node.tls_directory = o->tls;
    node.insecure = o->insecure;
    node.name = o->name.empty() ? machine_name() : o->name;
    const auto threads = o->threads > 0 ? o->threads : std::max(std::thread::hardware_concurrency(), 1U);
    node.threads = threads;
    node.workers = o->role == "estimator" ? 0 : threads * o->workers_per_thread;
    node.estimators = o->role == "estimator" ? threads : o->role == "auto" ? 1 : 0;
    node.data_path = o->data;
    node.wait_seconds = o->wait;
    node.log = &log;
    const auto outcome = run_node(node, signals.token());
    if (!outcome.ok())
      return complain(outcome.error());
    log.info("node", *outcome == node_outcome::finished ? "the run is over" : "left the run");
    return signals.received() != 0 ? 128 + signals.received() : 0;
  };
}

} // namespace triage
