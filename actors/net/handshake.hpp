#pragma once

#include "actors/net/frame.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace triage {

/// Raised with every change of the wire format.
constexpr std::uint32_t wire_protocol = 7;

/// Why somebody connects.
enum class peer_role : std::uint8_t {
  control = 1, ///< a node that wants to take part
  tensor = 2,  ///< the second connection of a node that was welcomed
  status = 3,  ///< somebody who wants to know where the run stands
};

/// A node's name goes into logs and tables: letters, digits, '.', '_' and '-', or nothing.
constexpr std::size_t longest_node_name = 64;
[[nodiscard]] bool is_node_name(std::string_view name);
/// Workers of one node, or estimators.
constexpr std::uint32_t most_of_a_node = 1024;

/// The first frame of every connection.
struct hello_message {
  peer_role role = peer_role::control;
  std::string version;        ///< of the program
  std::string name;           ///< of the node
  std::uint64_t instance = 0; ///< of the node's process: the same after a reconnection
  std::uint32_t threads = 0;
  std::uint32_t estimators = 0;
  std::string token;       ///< of the welcome, for the tensor link
  bool sees_board = false; ///< on this link; see snapshot_board
};

/// The coordinator's answer to a node that may take part.
struct welcome_message {
  std::string name;        ///< as the coordinator will call the node
  std::string token;       ///< opens the tensor link, once and soon
  std::string description; ///< of the run, resolved, as JSON
  std::string fingerprint; ///< of the data
  std::string layout;      ///< of the parameters
  double heartbeat_seconds = 0.0;
  bool tracing = false;
};

/// The coordinator's answer to anybody else.
struct refusal_message {
  std::string reason;
  bool again = false; ///< it may be different later
};

[[nodiscard]] frame to_frame(const hello_message& m);
[[nodiscard]] frame to_frame(const welcome_message& m);
[[nodiscard]] frame to_frame(const refusal_message& m);
[[nodiscard]] result<hello_message> read_hello(std::span<const std::uint8_t> head);
/// What to tell somebody whose hello is of another version of the protocol; nothing for whoever speaks ours.
/// Refusals are the same in all versions.
[[nodiscard]] std::optional<refusal_message> refuse_protocol(std::span<const std::uint8_t> hello_head);
[[nodiscard]] result<welcome_message> read_welcome(std::span<const std::uint8_t> head);
[[nodiscard]] result<refusal_message> read_refusal(std::span<const std::uint8_t> head);

} // namespace triage
