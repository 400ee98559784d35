#include "actors/net/credentials.hpp"
#include "apps/commands.hpp"
#include "apps/support.hpp"
#include "core/files.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

namespace triage {

namespace fs = std::filesystem;

namespace {

constexpr const char* authority = "authority";
constexpr const char* coordinator = "coordinator";
constexpr std::size_t largest_pem = 64 << 10;
constexpr int least_authority_days = 3'650; // nodes are renewed, the authority stays

struct options {
  std::string directory;
  std::vector<std::string> nodes = {"node-1", "node-2"};
  int days = 365;
};

std::string folder_of(const options& o, const char* name) {
  return (fs::path(o.directory) / name).string();
}

bool is_there(const std::string& folder, const char* file) {
  std::error_code ec;
  return fs::exists(folder + "/" + file, ec);
}

result<void> check_nodes(const options& o) {
  for (auto node = o.nodes.begin(); node != o.nodes.end(); ++node) {
    if (auto usable = check_node_name(*node); !usable.ok())
      return usable;
    if (*node == coordinator || *node == authority)
      return configuration_error("\"" + *node +
                                 "\" cannot be the name of a node: keygen makes a folder of that "
                                 "name by itself");
    if (std::find(o.nodes.begin(), node, *node) != node)
      return configuration_error("the node \"" + *node + "\" is named twice; give each node its own name");
    const auto folder = folder_of(o, node->c_str());
    if (is_there(folder, "node.key"))
      return configuration_error(folder +
                                 ": holds a key already, and keys are never overwritten; name the new "
                                 "nodes with --nodes, or remove the folder to make new credentials");
  }
  return {};
}

/// A coordinator that is kept must trust the nodes that are made.
result<void> check_kept(const std::string& first, const std::string& source) {
  if (auto usable = check_credentials(first); !usable.ok())
    return usable;
  const auto trusted = read_file(first + "/ca.pem", largest_pem);
  const auto signing = read_file(source + "/ca.pem", largest_pem);
  if (trusted.ok() && signing.ok() && *trusted == *signing)
    return {};
  return configuration_error(
      first + ": was not made by the authority in " + source +
      "; bring that authority's folder back, or remove this one to make new credentials");
}

result<void> make_all(const options& o) {
  const auto source = folder_of(o, authority), first = folder_of(o, coordinator);
  const bool known = is_there(source, "ca.key") || is_there(source, "ca.pem");
  const bool kept = is_there(first, "node.key");
  // All checks before anything is written, so that no error leaves half of the folders behind.
  if (auto usable = check_nodes(o); !usable.ok())
    return usable;
  if (kept)
    if (auto usable = check_kept(first, source); !usable.ok())
      return usable;
  if (!known)
    if (auto made = make_authority(source, std::max(o.days, least_authority_days)); !made.ok())
      return made;
  std::printf("%s: %s\n", source.c_str(), known ? "the authority that was there" : "a new authority");
  if (!kept)
    if (auto made = make_node_credentials(source, coordinator, first, o.days); !made.ok())
      return made;
  std::printf("%s: %s\n", first.c_str(), kept ? "kept" : "credentials of the coordinator");
  for (const auto& node : o.nodes) {
    const auto folder = folder_of(o, node.c_str());
    if (auto made = make_node_credentials(source, node, folder, o.days); !made.ok())
      return made;
    std::printf("%s: credentials of %s\n", folder.c_str(), node.c_str());
  }
  std::printf("\nNew credentials are valid for %d days. Copy to each machine its own folder and no other:\n",
              o.days);
  if (!kept)
    std::printf("  scp -rp %s COORDINATOR:\n", first.c_str());
  for (const auto& node : o.nodes)
    std::printf("  scp -rp %s %s:\n", folder_of(o, node.c_str()).c_str(), node.c_str());
  std::printf("Keep %s/ca.key here: whoever has it can let machines into your runs.\n", source.c_str());
  return {};
}

} // namespace

command_action add_keygen_command(CLI::App& program) {
  auto o = std::make_shared<options>();
  auto* command =
      program.add_subcommand("keygen", "make the certificates with which machines trust each other");
  command->add_option("DIR", o->directory, "where to put a folder for each machine")->required();
  command->add_option("--nodes", o->nodes,
                      "names of the nodes beside the coordinator; default node-1 node-2");
  command->add_option("--days", o->days, "how long the certificates are valid; default 365")
      ->check(CLI::Range(1, 36'500));
  return [o] {
    const auto made = make_all(*o);
    return made.ok() ? 0 : complain(made.error());
  };
}

} // namespace triage
