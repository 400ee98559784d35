#include "actors/net/credentials.hpp"
#include "command_support.hpp"

#include <sys/stat.h>

using namespace triage;
using namespace triage::test;

namespace {

bool exists(const std::string& path) {
  return std::filesystem::exists(path);
}

std::size_t files_below(const std::string& path) {
  std::size_t n = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
    n += entry.is_regular_file() ? 1 : 0;
  return n;
}

} // namespace

TEST_CASE("keygen: a folder for the authority, the coordinator and each node, keys for their owner only") {
  const scratch_folder folder;
  const auto keys = folder.path("keys");
  const auto made = run_command({"keygen", keys, "--nodes", "fast", "slow", "--days", "10"});
  REQUIRE_MESSAGE(made.code == 0, made.err);
  CHECK(made.err.empty());
  for (const char* name : {"authority/ca.key", "authority/ca.pem"})
    CHECK_MESSAGE(exists(keys + "/" + name), name);
  for (const char* machine : {"coordinator", "fast", "slow"}) {
    CAPTURE(std::string(machine));
    const auto own = keys + "/" + machine;
    for (const char* name : {"/ca.pem", "/node.pem", "/node.key"})
      CHECK(exists(own + name));
    CHECK(!exists(own + "/ca.key")); // what would let its owner admit others
    CHECK(check_credentials(own).ok());
    struct stat status {};
    REQUIRE(stat((own + "/node.key").c_str(), &status) == 0);
    CHECK((status.st_mode & 0077) == 0);
    CHECK(made.out.find(own) != std::string::npos);
  }
  CHECK(made.out.find("valid for 10 days") != std::string::npos);
  CHECK(made.out.find("scp -rp " + keys + "/fast fast:") != std::string::npos);
  CHECK(made.out.find("ca.key here") != std::string::npos);
}

TEST_CASE("keygen: later nodes are made by the same authority, and what is there stays as it is") {
  const scratch_folder folder;
  const auto keys = folder.path("keys");
  REQUIRE(run_command({"keygen", keys, "--nodes", "one"}).code == 0);
  const auto authority = text_of(keys + "/authority/ca.pem");
  const auto coordinator = text_of(keys + "/coordinator/node.pem");
  const auto later = run_command({"keygen", keys, "--nodes", "two"});
  REQUIRE_MESSAGE(later.code == 0, later.err);
  CHECK(later.out.find("the authority that was there") != std::string::npos);
  CHECK(later.out.find("coordinator: kept") != std::string::npos);
  CHECK(later.out.find("COORDINATOR:") == std::string::npos); // it has been copied already
  CHECK(text_of(keys + "/authority/ca.pem") == authority);
  CHECK(text_of(keys + "/coordinator/node.pem") == coordinator);
  CHECK(text_of(keys + "/two/ca.pem") == authority);
}

TEST_CASE("keygen: what cannot be made is refused before anything is written, with a way out") {
  const scratch_folder folder;
  const auto keys = folder.path("keys");
  const auto refused = [&](const std::vector<std::string>& nodes, const std::vector<std::string>& parts) {
    std::vector<std::string> arguments = {"keygen", keys, "--nodes"};
    arguments.insert(arguments.end(), nodes.begin(), nodes.end());
    check_refused(run_command(arguments), 2, parts);
  };
  refused({"a", "b", "a"}, {"\"a\" is named twice"});
  refused({"coordinator"}, {"cannot be the name of a node"});
  refused({"authority"}, {"cannot be the name of a node"});
  refused({"../outside"}, {"../outside"});
  CHECK(!exists(keys));
  REQUIRE(run_command({"keygen", keys, "--nodes", "a"}).code == 0);
  const auto before = files_below(keys);
  refused({"b", "a"}, {"never overwritten", "--nodes"});
  CHECK(files_below(keys) == before);
  CHECK(!exists(keys + "/b"));
}

TEST_CASE("keygen: a coordinator of another authority is not mixed with new nodes") {
  const scratch_folder folder;
  const auto keys = folder.path("keys");
  const auto other = folder.path("other");
  REQUIRE(run_command({"keygen", keys, "--nodes", "a"}).code == 0);
  REQUIRE(run_command({"keygen", other, "--nodes", "a"}).code == 0);
  std::filesystem::remove_all(keys + "/authority");
  std::filesystem::copy(other + "/authority", keys + "/authority");
  check_refused(run_command({"keygen", keys, "--nodes", "b"}), 2,
                {"coordinator", "was not made by the authority"});
  CHECK(!exists(keys + "/b"));
  // Without any authority a new one would not fit the coordinator either.
  std::filesystem::remove_all(keys + "/authority");
  check_refused(run_command({"keygen", keys, "--nodes", "b"}), 2, {"bring that authority's folder back"});
  CHECK(!exists(keys + "/authority"));
}

TEST_CASE("keygen: a place where nothing can be written is an error of the file system") {
  const scratch_folder folder;
  const auto file = folder.file("file", "");
  const auto s = run_command({"keygen", file, "--nodes", "a"});
  CHECK(s.code == 1);
  CHECK(s.err.find(file) != std::string::npos);
}
