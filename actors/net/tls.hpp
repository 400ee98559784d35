#pragma once

#include "core/result.hpp"

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

namespace triage {

/// Encryption for links, for both ends: TLS 1.3, at least 1.2. Each end must show a certificate that the
/// ca.pem of `directory` signed; no other authority is trusted. What check_credentials refuses is an error.
/// Streams may be made from it on any thread, each keeps what it needs of it alive.
///
/// In TLS 1.3 the client is done before the server has looked at the client's certificate: a client that is
/// refused sees its handshake succeed and its first read fail. Only bytes from the server prove the welcome.
[[nodiscard]] result<std::shared_ptr<boost::asio::ssl::context>>
make_tls_context(const std::string& directory);

/// The common name in the certificate of the other end; empty before the handshake is done, and when the
/// other end was not verified.
[[nodiscard]] std::string peer_name(SSL* stream);

/// In the certificate that keygen makes for the coordinator: all are good for both ends of a connection, and
/// only this name may coordinate.
inline constexpr const char* coordinator_name = "coordinator";
/// Whether what make_node_credentials wrote has that name.
[[nodiscard]] result<void> check_coordinator_certificate(const std::string& directory);

} // namespace triage
