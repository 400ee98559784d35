#include "command_support.hpp"

#include <algorithm>
#include <sstream>

// What every subcommand makes of its arguments. The subcommands are taken from the program's own help, so a
// new one is tested without being named here.

using namespace triage;
using namespace triage::test;

namespace {

/// The names under "Subcommands:" in the help.
std::vector<std::string> subcommands() {
  std::istringstream help(run_command({"--help"}).out);
  std::vector<std::string> names;
  std::string line;
  bool listed = false;
  while (std::getline(help, line)) {
    if (line.rfind("Subcommands", 0) == 0) {
      listed = true;
      continue;
    }
    std::istringstream words(line);
    std::string name;
    // A name stands two columns in; what is further in belongs to the description above it.
    if (listed && line.size() > 2 && line[0] == ' ' && line[2] != ' ' && words >> name)
      names.push_back(name);
  }
  return names;
}

/// Enough arguments for a subcommand to pass its parsing, but nothing that exists.
std::vector<std::string> required_arguments(const std::string& command) {
  if (command == "node")
    return {"--join", "nonsense"};
  if (command == "predict")
    return {"/nowhere", "--input", "in.csv", "--output", "out.csv"};
  if (command == "export" || command == "irreducible")
    return {"/nowhere", "--output", "out.npz"};
  if (command == "launch")
    return {"/nowhere", "--local", "1"};
  return {"/nowhere"};
}

} // namespace

TEST_CASE("command line: the help names every subcommand, on stdout, with exit code 0") {
  const auto names = subcommands();
  for (const char* known :
       {"train", "resume", "launch", "node", "status", "race", "check", "evaluate", "predict", "export",
        "inspect", "ledger", "irreducible", "forecast", "bench", "keygen", "reference", "version"})
    CHECK_MESSAGE(std::find(names.begin(), names.end(), known) != names.end(), known);
  CHECK(names.size() == 18);
}

TEST_CASE("command line: each subcommand explains itself on stdout and complains on stderr") {
  for (const auto& name : subcommands()) {
    CAPTURE(name);
    const auto help = run_command({name, "--help"});
    CHECK(help.code == 0);
    CHECK(help.err.empty());
    CHECK(help.out.find("Usage: ") != std::string::npos);
    const auto unknown = run_command({name, "--no-such-option"});
    CHECK(unknown.code == 2);
    CHECK(unknown.out.empty());
    CHECK(!unknown.err.empty());
  }
}

TEST_CASE("command line: a required argument that is missing is named, with exit code 2") {
  for (const auto& name : subcommands()) {
    CAPTURE(name);
    if (name == "bench" || name == "reference" || name == "version")
      continue; // they need none
    const auto s = run_command({name});
    CHECK(s.code == 2);
    CHECK(s.out.empty());
    CHECK_MESSAGE(s.err.find("required") != std::string::npos, s.err);
  }
}

TEST_CASE("command line: no subcommand, an unknown one and a stray word are usage errors") {
  CHECK(run_command({}).code == 2);
  CHECK(run_command({"fly"}).code == 2);
  CHECK(run_command({"version", "stray"}).code == 2);
  CHECK(run_command({"--listen", "x"}).code == 2);
  CHECK(run_command({"version", "reference"}).code == 2);
}

TEST_CASE("command line: files and runs that are not there end in a sentence that begins with the program's "
          "name and "
          "names the path, on stderr alone") {
  for (const auto& name : subcommands()) {
    CAPTURE(name);
    if (name == "bench" || name == "reference" || name == "version" || name == "keygen")
      continue; // they read nothing
    auto arguments = required_arguments(name);
    arguments.insert(arguments.begin(), name);
    const auto s = run_command(arguments);
    CHECK(s.code != 0);
    CHECK_MESSAGE(s.out.empty(), s.out);
    CHECK_MESSAGE(s.err.rfind("triage: ", 0) == 0, s.err);
    const bool names_it =
        s.err.find("nowhere") != std::string::npos || s.err.find("nonsense") != std::string::npos;
    CHECK_MESSAGE(names_it, s.err);
  }
}

TEST_CASE("command line: numbers out of their range are refused before anything is done") {
  const std::vector<std::vector<std::string>> wrong = {
      {"launch", "x.json", "--local", "0"},
      {"launch", "x.json", "--local", "4", "--threads", "5000"},
      {"node", "--join", "a:1", "--threads", "0"},
      {"node", "--join", "a:1", "--workers-per-thread", "9"},
      {"node", "--join", "a:1", "--role", "spectator"},
      {"node", "--join", "a:1", "--wait", "-1"},
      {"irreducible", "x.json", "--output", "o.npy", "--folds", "1"},
      {"keygen", "keys", "--days", "0"},
      {"keygen", "keys", "--days", "soon"},
      {"bench", "speed"},
      {"forecast", "x.json", "--nodes", "0"},
      {"forecast", "x.json", "--latency-ms", "-1"},
      {"forecast", "x.json", "--seconds", "0"},
      {"forecast", "x.json", "--profile", "p.jsonl"},
      {"forecast", "--profile", "p.jsonl", "--measure"},
      {"forecast", "--profile", "p.jsonl", "--set", "batch_size=3"},
      {"forecast", "x.json", "--local", "--bandwidth-mbps", "100"},
      {"bench", "kernels", "--rounds", "0"},
      {"bench", "kernels", "--only", "mlp:65"},
      {"ledger", "run", "--top", "-3"},
  };
  for (const auto& arguments : wrong) {
    const auto s = run_command(arguments);
    CAPTURE(arguments.back());
    CHECK(s.code == 2);
    CHECK(s.out.empty());
    CHECK(!s.err.empty());
  }
}

TEST_CASE("command line: options of nodes need an address to listen on, and say so") {
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--tls", "keys"}, std::vector<std::string>{"--insecure"},
        std::vector<std::string>{"--wait", "3"}, std::vector<std::string>{"--min-workers", "2"}})
    for (const char* command : {"train", "resume"}) {
      std::vector<std::string> arguments = {command, "/nowhere"};
      arguments.insert(arguments.end(), flags.begin(), flags.end());
      check_refused(run_command(arguments), 2, {"--listen HOST:PORT"});
    }
}

TEST_CASE("command line: addresses that are none are refused with the option's name") {
  for (const char* address : {"", "host", "host:", ":", "host:70000", "host:-1", "host:1x", "[::1"}) {
    CAPTURE(std::string(address));
    check_refused(run_command({"train", "/nowhere", "--listen", std::string("=") + address}), 2, {});
    check_refused(run_command({"node", "--join", address}), 2, {});
  }
  check_refused(run_command({"train", "/nowhere", "--listen", "host:70000"}), 2, {"--listen", "host:70000"});
  check_refused(run_command({"node", "--join", "host:1x"}), 2, {"--join", "host:1x"});
  check_refused(run_command({"status", "host"}), 2, {"HOST:PORT", "host"});
}

TEST_CASE("launch: either processes here or hosts elsewhere, and what each of them needs") {
  const scratch_folder folder;
  const bool had_runs = std::filesystem::exists("runs"); // somebody else's
  const auto description = folder.file("run.json", small_run_text);
  const auto hosts = folder.file("hosts", "node-1 threads=2\n");
  check_refused(run_command({"launch", description}), 2, {"either --local N or --hosts FILE"});
  check_refused(run_command({"launch", description, "--local", "2", "--hosts", hosts}), 2,
                {"either --local N or --hosts FILE"});
  check_refused(run_command({"launch", description, "--hosts", hosts}), 2, {"--listen HOST:PORT"});
  check_refused(run_command({"launch", description, "--hosts", hosts, "--listen", "0.0.0.0:0", "--insecure"}),
                2, {"--listen 0.0.0.0:0", "that they can reach"});
  check_refused(run_command({"launch", description, "--local", "2", "--tls", "keys"}), 2,
                {"--local", "--tls"});
  check_refused(
      run_command({"launch", description, "--hosts", folder.path("none"), "--listen", "127.0.0.1:0"}), 2,
      {"--hosts", "none"});
  const auto torn = folder.file("torn", "# nothing\nhost threads=many\n");
  check_refused(run_command({"launch", description, "--hosts", torn, "--listen", "127.0.0.1:0"}), 2,
                {"torn, line 2", "threads=many"});
  CHECK(std::filesystem::exists("runs") == had_runs); // nothing was begun
}

TEST_CASE("status and node: nobody listens: exit code 75, which means to try again") {
  // A port that was free a moment ago.
  const auto s = run_command({"status", "127.0.0.1:1", "--insecure"});
  check_refused(s, 75, {"127.0.0.1:1"});
  const auto n = run_command({"node", "--join", "127.0.0.1:1", "--wait", "0", "--quiet", "--insecure"});
  check_refused(n, 75, {"127.0.0.1:1"});
}

TEST_CASE("version and reference: to stdout, parseable, and with every component of every table") {
  const auto plain = run_command({"version"});
  CHECK(plain.code == 0);
  CHECK(plain.err.empty());
  CHECK(plain.out == "triage " + plain.out.substr(7, plain.out.size() - 8) + "\n");
  const auto build = run_command({"version", "--build-info"});
  const auto parsed = parse_json(build.out, "version");
  REQUIRE(parsed.ok());
  CHECK("triage " + parsed->find("version")->as_string() + "\n" == plain.out);
  const auto reference = run_command({"reference"});
  CHECK(reference.code == 0);
  CHECK(reference.err.empty());
  CHECK(reference.out == text_of(TRIAGE_SOURCE_DIR "/docs/run-description.md"));
}
