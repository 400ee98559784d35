#include "apps/commands.hpp"
#include "apps/launch/host_list.hpp"
#include "apps/launch/launched_nodes.hpp"
#include "apps/support.hpp"
#include "apps/train_flags.hpp"
#include "apps/train_run.hpp"
#include "core/files.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <thread>

namespace triage {

namespace {

constexpr double farewell_seconds = 10.0;
constexpr std::size_t largest_host_list = 1U << 20U;

struct launch_options {
  std::string file;
  std::string run_directory;
  std::string hosts;
  int local = 0;
  std::uint32_t threads = 0;
  train_flags flags;
};

using node_plan = std::vector<node_start>;

/// What has to be started once it is known where the coordinator listens. `asked`: what --listen says.
result<node_plan> plan_nodes(const launch_options& o, const net_address& asked, net_address at) {
  node_plan plan;
  if (o.local > 0) {
    const auto cores = std::max(std::thread::hardware_concurrency(), 1U);
    const auto threads =
        o.threads > 0 ? o.threads : std::max(cores / static_cast<std::uint32_t>(o.local), 1U);
    if (!o.flags.tls.empty())
      return configuration_error("--local nodes stay on this machine and use no certificates: leave --tls");
    if (is_any_address(at))
      at.host = at.host.find(':') == std::string::npos ? "127.0.0.1" : "::1";
    for (int i = 1; i <= o.local; ++i) {
      const auto name = fmt::format("local-{}", i);
      node_start node{name,
                      {.arguments = {"node", "--join", to_string(at), "--threads", std::to_string(threads),
                                     "--name", name}}};
      if (o.flags.insecure)
        node.process.arguments.emplace_back("--insecure");
      plan.push_back(std::move(node));
    }
    return plan;
  }
  if (is_any_address(asked))
    return configuration_error(
        fmt::format("--listen {}: nodes on other machines have to be told an address of "
                    "this one; give the one that they can reach",
                    to_string(asked)));
  // As it was given: a name may be another address for them than for this machine.
  const auto join = to_string(net_address{asked.host, at.port});
  auto text = read_file(o.hosts, largest_host_list);
  if (!text.ok())
    return configuration_error("--hosts: " + text.error().message);
  auto hosts = parse_hosts(*text, o.hosts);
  if (!hosts.ok())
    return hosts.error();
  for (const auto& h : *hosts)
    plan.push_back({h.host, {.arguments = ssh_arguments(h, join, o.flags.insecure), .program = "ssh"}});
  return plan;
}

int launch(launch_options o, const std::vector<std::string>& arguments) {
  if ((o.local > 0) == !o.hosts.empty())
    return complain(configuration_error("give either --local N or --hosts FILE"));
  if (o.local > 0 && o.flags.listen.empty())
    o.flags.listen = "127.0.0.1:0";
  if (o.flags.listen.empty())
    return complain(configuration_error(
        "--hosts needs --listen HOST:PORT: the address of this machine that the others can reach"));
  const auto listen = o.flags.cluster();
  if (!listen.ok())
    return complain(listen.error());
  const net_address asked = (*listen)->address;
  if (const auto possible = plan_nodes(o, asked, asked); !possible.ok())
    return complain(possible.error());
  auto overrides = o.flags.all_overrides();
  overrides.insert(overrides.begin(), "runtime.workers=0");
  auto document = read_description(o.file, overrides);
  if (!document.ok())
    return complain(document.error());
  run_choices choices{o.flags.trace, o.flags.quiet, std::nullopt, *listen, {}};
  auto run = start_run(*document, o.file, o.run_directory, arguments, choices);
  if (!run.ok())
    return complain(run.error());

  launched_nodes nodes;
  choices.listening = [&](const net_address& at) {
    if (const auto plan = plan_nodes(o, asked, at); plan.ok())
      nodes.start(*plan);
  };
  choices.stop = nodes.all_failed();
  const int code = run_and_report(*run, std::move(choices));
  nodes.end(code != 0, farewell_seconds);
  return code;
}

} // namespace

command_action add_launch_command(CLI::App& program, const std::vector<std::string>& arguments) {
  auto o = std::make_shared<launch_options>();
  auto* command = program.add_subcommand(
      "launch", "train with nodes that are started too: processes here, or over ssh on other machines");
  command->add_option("RUN.json", o->file, "the run description")->required();
  command->add_option("--run-dir", o->run_directory, "directory of the run (default: runs/<name>-<time>)");
  command->add_option("--local", o->local, "start so many nodes on this machine")->check(CLI::Range(1, 1024));
  command->add_option("--threads", o->threads, "of each local node (default: the cores, divided)")
      ->check(CLI::Range(1, 1024));
  command->add_option("--hosts", o->hosts,
                      "file with a host for ssh on each line: [user@]name threads=N data=PATH tls=DIR");
  o->flags.add_to(*command);
  return [o, arguments] { return launch(*o, arguments); };
}

} // namespace triage
