#include "apps/launch/host_list.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <set>
#include <sstream>

namespace triage {

namespace {

/// A word of the remote shell, whatever it holds.
std::string quoted(const std::string& word) {
  std::string out = "'";
  for (const char c : word)
    out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

result<void> set(launch_host& host, const std::string& key, const std::string& value) {
  if (key == "threads") {
    std::uint32_t n = 0;
    const char* end = value.data() + value.size();
    const auto read = std::from_chars(value.data(), end, n);
    if (read.ec != std::errc() || read.ptr != end || n < 1 || n > 1024)
      return configuration_error(fmt::format("threads={}: must be a number from 1 to 1024", value));
    host.threads = n;
  } else if (key == "data") {
    host.data = value;
  } else if (key == "tls") {
    host.tls = value;
  } else if (key == "program") {
    host.program = value;
  } else if (key == "role") {
    if (value != "worker" && value != "estimator" && value != "auto")
      return configuration_error(fmt::format("role={}: must be worker, estimator or auto", value));
    host.role = value;
  } else {
    return configuration_error(
        fmt::format("\"{}\" is not known; there are threads, data, tls, program and role", key));
  }
  return {};
}

} // namespace

result<std::vector<launch_host>> parse_hosts(std::string_view text, const std::string& source) {
  std::vector<launch_host> hosts;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::istringstream words(line.substr(0, line.find('#')));
    launch_host host;
    if (!(words >> host.host))
      continue;
    const auto place = fmt::format("{}, line {}", source, number);
    if (host.host.front() == '-')
      return configuration_error(fmt::format("{}: \"{}\" is not the name of a host", place, host.host));
    std::string word;
    std::set<std::string> given;
    while (words >> word) {
      const auto equals = word.find('=');
      if (equals == std::string::npos)
        return configuration_error(fmt::format("{}: \"{}\" must have the form key=value", place, word));
      if (!given.insert(word.substr(0, equals)).second)
        return configuration_error(fmt::format("{}: {} is given twice", place, word.substr(0, equals)));
      if (auto done = set(host, word.substr(0, equals), word.substr(equals + 1)); !done.ok())
        return with_context(done.error(), place);
    }
    hosts.push_back(std::move(host));
  }
  if (hosts.empty())
    return configuration_error(source + ": names no host");
  return hosts;
}

std::vector<std::string> ssh_arguments(const launch_host& host, const std::string& join, bool insecure) {
  std::vector<std::string> remote = {host.program, "node", "--join", join, "--role", host.role};
  const auto add = [&](const char* option, const std::string& value) {
    if (!value.empty())
      remote.insert(remote.end(), {option, value});
  };
  add("--threads", host.threads ? std::to_string(*host.threads) : "");
  add("--data", host.data);
  add("--tls", host.tls);
  if (insecure)
    remote.emplace_back("--insecure");
  std::string command = "exec";
  for (const auto& word : remote)
    command += " " + quoted(word);
  // Without a password prompt that nobody sees, and with an end when the network breaks.
  return {"-o", "BatchMode=yes", "-o", "ServerAliveInterval=15", host.host, command};
}

} // namespace triage
