#include "apps/train_flags.hpp"

#include <fmt/format.h>

namespace triage {

void add_security_flags(CLI::App& command, std::string& tls, bool& insecure) {
  command.add_option("--tls", tls, "directory with ca.pem, node.pem and node.key (triage keygen makes it)");
  command.add_flag("--insecure", insecure, "no encryption: anybody on the network may join");
}

void train_flags::add_to(CLI::App& command) {
  command.add_option("--set", overrides, "override: path=value, value as JSON (repeatable)")
      ->allow_extra_args(false);
  command.add_option("--trace", trace, "write a Chrome trace of all actors to this file");
  command.add_flag("--quiet", quiet,
                   "no progress, and without --listen no remarks either: warnings and errors only (log.txt "
                   "has everything)");
  command.add_option("--listen", listen, "HOST:PORT where nodes may join (port 0: any free one)");
  add_security_flags(command, tls, insecure);
  command.add_option(
      "--wait", wait_seconds,
      "with --listen: seconds with too few workers before the run saves and ends with code 75");
  command.add_option("--min-workers", min_workers, "with --listen: train only while so many are there");
}

std::vector<std::string> train_flags::all_overrides() const {
  auto all = overrides;
  if (wait_seconds)
    all.push_back(fmt::format("runtime.wait_seconds={}", *wait_seconds));
  if (min_workers)
    all.push_back(fmt::format("runtime.min_workers={}", *min_workers));
  return all;
}

result<std::optional<cluster_options>> train_flags::cluster() const {
  if (listen.empty()) {
    if (!tls.empty() || insecure || wait_seconds || min_workers)
      return configuration_error("--tls, --insecure, --wait and --min-workers need --listen HOST:PORT");
    return std::optional<cluster_options>{};
  }
  auto address = parse_address(listen, "--listen");
  if (!address.ok())
    return address.error();
  return std::optional<cluster_options>{cluster_options{address.take(), tls, insecure}};
}

} // namespace triage
