#include "apps/launch/host_list.hpp"

#include "command_support.hpp"
#include "core/rng.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>

using namespace triage;
using namespace triage::test;

namespace {

std::string problem(std::string_view text) {
  const auto hosts = parse_hosts(text, "hosts");
  REQUIRE(!hosts.ok());
  CHECK(hosts.error().kind == error_kind::configuration);
  CHECK(hosts.error().message.rfind("hosts", 0) == 0);
  return hosts.error().message;
}

/// What a shell prints when it runs the command that ssh would hand to it.
std::string by_shell(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string out;
  std::array<char, 4096> buffer{};
  while (const auto n = std::fread(buffer.data(), 1, buffer.size(), pipe.get()))
    out.append(buffer.data(), n);
  return out;
}

} // namespace

TEST_CASE("host list: names, options in any order, comments, blank lines and carriage returns") {
  const auto hosts = parse_hosts("# machines\n\nnode-1\r\n  me@node-2 threads=8 data=/d tls=keys/n2 # fast\n"
                                 "node-3 role=estimator program=/opt/triage threads=1024\n",
                                 "hosts");
  REQUIRE_MESSAGE(hosts.ok(), (hosts.ok() ? "" : hosts.error().message));
  REQUIRE(hosts->size() == 3);
  CHECK((*hosts)[0].host == "node-1");
  CHECK(!(*hosts)[0].threads);
  CHECK((*hosts)[0].program == "triage");
  CHECK((*hosts)[0].role == "auto");
  CHECK((*hosts)[1].host == "me@node-2");
  CHECK(*(*hosts)[1].threads == 8);
  CHECK((*hosts)[1].data == "/d");
  CHECK((*hosts)[1].tls == "keys/n2");
  CHECK((*hosts)[2].role == "estimator");
  CHECK((*hosts)[2].program == "/opt/triage");
  CHECK(*(*hosts)[2].threads == 1024);
}

TEST_CASE("host list: what cannot be meant is refused with its line") {
  CHECK(problem("").find("names no host") != std::string::npos);
  CHECK(problem("# nobody\n").find("names no host") != std::string::npos);
  CHECK(problem("a\nb threads=0\n").find("line 2") != std::string::npos);
  for (const char* threads : {"0", "1025", "-1", "", "4x", "1e2", "99999999999"})
    CHECK(problem("a threads=" + std::string(threads)).find("1 to 1024") != std::string::npos);
  CHECK(problem("a role=judge").find("worker, estimator or auto") != std::string::npos);
  CHECK(problem("a cores=4").find("threads, data, tls, program and role") != std::string::npos);
  CHECK(problem("a fast").find("key=value") != std::string::npos);
  CHECK(problem("a threads=2 data=/x threads=3").find("threads is given twice") != std::string::npos);
  // A name that ssh would take for an option, and run a command of this machine.
  CHECK(problem("-oProxyCommand=evil").find("not the name of a host") != std::string::npos);
}

TEST_CASE(
    "ssh arguments: the host stands before the command, options are passed on, absent ones are left out") {
  launch_host host;
  host.host = "me@there";
  const auto plain = ssh_arguments(host, "here:7", false);
  REQUIRE(plain.size() == 6);
  CHECK(plain[4] == "me@there");
  CHECK(plain[5] == "exec 'triage' 'node' '--join' 'here:7' '--role' 'auto'");
  CHECK(std::find(plain.begin(), plain.end(), "BatchMode=yes") !=
        plain.end()); // nobody could type a password
  host.threads = 3;
  host.data = "/d";
  host.tls = "keys";
  const auto full = ssh_arguments(host, "here:7", true);
  CHECK(full[5] ==
        "exec 'triage' 'node' '--join' 'here:7' '--role' 'auto' '--threads' '3' '--data' '/d' '--tls' "
        "'keys' '--insecure'");
}

TEST_CASE("ssh arguments: no value of a host list is ever read as shell: it arrives as it was written") {
  rng random(9, 9);
  constexpr std::string_view characters = "ab'\"\\$`;&|<>(){}*?~!\n\t #-=";
  for (int round = 0; round < 60; ++round) {
    launch_host host;
    host.host = "there";
    host.program = "printf";
    std::string value;
    const auto length = 1 + random.below(12);
    for (std::uint64_t i = 0; i < length; ++i)
      value += characters[static_cast<std::size_t>(random.below(characters.size()))];
    host.data = value;
    auto command = ssh_arguments(host, "%s|", false).back();
    // `printf FORMAT …`: the words "node" and "--join" stand before the address; turn them into the format.
    const std::string before = "'node' '--join' ";
    command.erase(command.find(before), before.size());
    REQUIRE(by_shell(command) == "--role|auto|--data|" + value + "|");
  }
}
