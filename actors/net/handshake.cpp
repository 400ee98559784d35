#include "actors/net/handshake.hpp"

#include "actors/net/harmless.hpp"
#include "core/wire.hpp"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>

namespace triage {

namespace {

constexpr double shortest_heartbeat = 1e-3;
constexpr double longest_heartbeat = 3600.0;

/// What is shown as it came when it is not what was expected.
bool is_showable(const std::string& text) {
  return text.size() <= longest_node_name && harmless(text) == text;
}

} // namespace

bool is_node_name(std::string_view name) {
  return name.size() <= longest_node_name && std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
         });
}

frame to_frame(const hello_message& m) {
  wire_writer out;
  out.number(wire_protocol).number(static_cast<std::uint8_t>(m.role)).text(m.version).text(m.name);
  out.number(m.instance).number(m.threads).number(m.estimators).text(m.token).flag(m.sees_board);
  return frame(frame_kind::hello, out.take());
}

result<hello_message> read_hello(std::span<const std::uint8_t> head) {
  wire_reader in(head);
  hello_message m;
  const auto protocol = in.number<std::uint32_t>();
  if (protocol != wire_protocol)
    return run_error(
        fmt::format("it speaks version {} of the protocol, this program version {}: use the same "
                    "triage on all machines",
                    protocol, wire_protocol));
  const auto role = in.number<std::uint8_t>();
  m.role = static_cast<peer_role>(role);
  m.version = in.text();
  m.name = in.text();
  m.instance = in.number<std::uint64_t>();
  m.threads = in.number<std::uint32_t>();
  m.estimators = in.number<std::uint32_t>();
  m.token = in.text();
  m.sees_board = in.flag();
  if (!in.complete() || role < 1 || role > 3 || !is_showable(m.version) || !is_node_name(m.name) ||
      m.threads > most_of_a_node || m.estimators > most_of_a_node)
    return run_error("its introduction makes no sense");
  return m;
}

std::optional<refusal_message> refuse_protocol(std::span<const std::uint8_t> hello_head) {
  wire_reader in(hello_head);
  const auto protocol = in.number<std::uint32_t>();
  if (!in.good() || protocol == wire_protocol)
    return std::nullopt;
  return refusal_message{
      fmt::format("it speaks version {} of the protocol, the coordinator version {}: use the "
                  "same triage on all machines",
                  protocol, wire_protocol),
      false};
}

frame to_frame(const welcome_message& m) {
  wire_writer out;
  out.text(m.name).text(m.token).text(m.description).text(m.fingerprint).text(m.layout);
  out.number(m.heartbeat_seconds).flag(m.tracing);
  return frame(frame_kind::welcome, out.take());
}

result<welcome_message> read_welcome(std::span<const std::uint8_t> head) {
  wire_reader in(head);
  welcome_message m;
  m.name = in.text();
  m.token = in.text();
  m.description = in.text();
  m.fingerprint = in.text();
  m.layout = in.text();
  m.heartbeat_seconds = in.number<double>();
  m.tracing = in.flag();
  const bool beats = m.heartbeat_seconds >= shortest_heartbeat && m.heartbeat_seconds <= longest_heartbeat;
  if (!in.complete() || !beats || harmless(m.name) != m.name)
    return run_error("its welcome makes no sense");
  return m;
}

frame to_frame(const refusal_message& m) {
  return frame(frame_kind::refusal, wire_writer().text(m.reason).flag(m.again).take());
}

result<refusal_message> read_refusal(std::span<const std::uint8_t> head) {
  wire_reader in(head);
  refusal_message m;
  m.reason = harmless(in.text());
  m.again = in.flag();
  if (!in.complete())
    return run_error("its refusal makes no sense");
  return m;
}

} // namespace triage
