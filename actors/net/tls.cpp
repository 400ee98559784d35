#include "actors/net/tls.hpp"
#include "actors/net/credentials.hpp"
#include "actors/net/pem_files.hpp"

#include <fmt/format.h>
#include <openssl/err.h>

namespace triage {

namespace ssl = boost::asio::ssl;

namespace {

/// False when this OpenSSL cannot do it.
bool harden(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_verify_depth(context, 0); // no authority between ours and a node
  // 128 bits of AES are what a P-256 key is worth, and a sixth faster than 256.
  return SSL_CTX_set_num_tickets(context, 0) == 1 &&
         SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, 0) == 1 && // the newest
         SSL_CTX_set_ciphersuites(
             context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1 &&
         SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

/// Its common name.
std::string name_in(const X509* cert) {
  const X509_NAME* subject = X509_get_subject_name(cert);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  unsigned char* text = nullptr;
  const int size =
      at < 0 ? -1 : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0)
    return {};
  std::string name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
  OPENSSL_free(text);
  return name;
}

} // namespace

result<std::shared_ptr<ssl::context>> make_tls_context(const std::string& directory) {
  if (auto usable = check_credentials(directory); !usable.ok())
    return usable.error();
  try {
    auto context = std::make_shared<ssl::context>(ssl::context::tls);
    if (!harden(context->native_handle()))
      return openssl_failed("TLS cannot be set up");
    context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
    context->load_verify_file(directory + "/ca.pem");
    context->use_certificate_file(directory + "/node.pem", ssl::context::pem);
    context->use_private_key_file(directory + "/node.key", ssl::context::pem);
    return context;
  } catch (const boost::system::system_error& e) {
    ERR_clear_error();
    return refused(directory, fmt::format("these credentials cannot be used: {}", e.what()));
  }
}

result<void> check_coordinator_certificate(const std::string& directory) {
  const std::string path = directory + "/node.pem";
  const auto cert = read_certificate(path);
  if (!cert.ok())
    return cert.error();
  if (const auto name = name_in(cert->get()); name != coordinator_name)
    return refused(path,
                   fmt::format("is the certificate of \"{}\", and nodes obey that of \"{}\" only: give its "
                               "folder with --tls",
                               name, coordinator_name));
  return {};
}

std::string peer_name(SSL* stream) {
  const certificate cert(SSL_get1_peer_certificate(stream));
  if (!cert || SSL_get_verify_result(stream) != X509_V_OK)
    return {};
  return name_in(cert.get());
}

} // namespace triage
