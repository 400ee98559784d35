#include "actors/net/credentials.hpp"
#include "actors/net/pem_files.hpp"
#include "core/files.hpp"

#include <array>
#include <ctime>
#include <filesystem>
#include <fmt/format.h>
#include <initializer_list>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string_view>

namespace triage {

namespace fs = std::filesystem;

namespace {

using big_number = std::unique_ptr<BIGNUM, freed_by<BN_free>>;
using extension = std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>>;
using trust_store = std::unique_ptr<X509_STORE, freed_by<X509_STORE_free>>;
using verification = std::unique_ptr<X509_STORE_CTX, freed_by<X509_STORE_CTX_free>>;

struct extension_text {
  int kind;
  const char* value;
};

/// An authority or a node: what is certified, and the key to it.
struct identity {
  certificate cert;
  key_pair key;
};

/// `issuer`: null for a certificate that signs itself.
result<identity> issue(const std::string& name, const validity& lifetime, const identity* issuer,
                       std::initializer_list<extension_text> extensions) {
  identity made{certificate(X509_new()), key_pair(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"))};
  const big_number serial(BN_new());
  if (!made.cert || !made.key || !serial)
    return openssl_failed("no key can be generated");
  X509* const cert = made.cert.get();
  X509* const signer = issuer != nullptr ? issuer->cert.get() : cert;
  EVP_PKEY* const signing_key = issuer != nullptr ? issuer->key.get() : made.key.get();
  const auto text = [](const char* value) { return reinterpret_cast<const unsigned char*>(value); };
  X509_NAME* const subject = X509_get_subject_name(cert);
  bool good = X509_set_version(cert, X509_VERSION_3) == 1 &&
              BN_rand(serial.get(), 128, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(cert)) != nullptr &&
              X509_time_adj_ex(X509_getm_notBefore(cert), 0, lifetime.not_before_offset_seconds, nullptr) &&
              X509_time_adj_ex(X509_getm_notAfter(cert), 0, lifetime.not_after_offset_seconds, nullptr) &&
              X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, text("triage"), -1, -1, 0) == 1 &&
              X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, text(name.c_str()), -1, -1, 0) == 1 &&
              X509_set_issuer_name(cert, X509_get_subject_name(signer)) == 1 &&
              X509_set_pubkey(cert, made.key.get()) == 1;
  X509V3_CTX context;
  X509V3_set_ctx(&context, signer, cert, nullptr, nullptr, 0);
  for (const auto& [kind, value] : extensions) {
    const extension e(good ? X509V3_EXT_conf_nid(nullptr, &context, kind, value) : nullptr);
    good = e && X509_add_ext(cert, e.get(), -1) == 1;
  }
  if (!good || X509_sign(cert, signing_key, EVP_sha256()) == 0)
    return openssl_failed(fmt::format("no certificate can be made for \"{}\"", name));
  return made;
}

result<void> make_directory(const std::string& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec)
    return file_error(path, "cannot be created", ec.value());
  return {};
}

std::string describe(const ASN1_TIME* time) {
  std::tm parts{};
  std::array<char, 64> text{};
  if (ASN1_TIME_to_tm(time, &parts) != 1 || std::strftime(text.data(), text.size(), "%F %T UTC", &parts) == 0)
    return "an unreadable time";
  return text.data();
}

result<void> check_dates(const std::string& path, const X509* cert) {
  const auto* from = X509_get0_notBefore(cert);
  const auto* until = X509_get0_notAfter(cert);
  if (X509_cmp_current_time(from) > 0)
    return refused(path,
                   fmt::format("is not valid before {}; check the clock of this machine", describe(from)));
  if (X509_cmp_current_time(until) < 0)
    return refused(path, fmt::format("expired on {}; remove its folder and make new credentials with `triage "
                                     "keygen`",
                                     describe(until)));
  return {};
}

/// A certificate and its key, both usable now.
result<identity> read_identity(const std::string& cert_path, const std::string& key_path) {
  auto cert = read_certificate(cert_path);
  if (!cert.ok())
    return cert.error();
  auto key = read_key(key_path);
  if (!key.ok())
    return key.error();
  if (auto dates = check_dates(cert_path, cert->get()); !dates.ok())
    return dates.error();
  const bool fits = X509_check_private_key(cert->get(), key->get()) == 1;
  ERR_clear_error();
  if (!fits)
    return refused(key_path, fmt::format("is not the key of {}; copy both from the same folder", cert_path));
  return identity{cert.take(), key.take()};
}

/// Asks the question that a peer will ask when we connect to it, or it to us.
result<void> check_signature(const std::string& path, X509* cert, const std::string& ca_path, X509* ca) {
  const trust_store trusted(X509_STORE_new());
  if (!trusted || X509_STORE_add_cert(trusted.get(), ca) != 1)
    return openssl_failed(ca_path);
  for (const int purpose : {X509_PURPOSE_SSL_CLIENT, X509_PURPOSE_SSL_SERVER}) {
    const verification check(X509_STORE_CTX_new());
    if (!check || X509_STORE_CTX_init(check.get(), trusted.get(), cert, nullptr) != 1 ||
        X509_STORE_CTX_set_purpose(check.get(), purpose) != 1)
      return openssl_failed(path);
    const bool good = X509_verify_cert(check.get()) == 1;
    ERR_clear_error();
    if (!good)
      return refused(
          path, fmt::format("is not a certificate of the authority {} ({}); copy both from the same folder",
                            ca_path, X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get()))));
  }
  return {};
}

} // namespace

result<void> make_authority(const std::string& directory, const validity& lifetime) {
  const std::string cert_path = directory + "/ca.pem", key_path = directory + "/ca.key";
  std::error_code ec;
  for (const auto& path : {key_path, cert_path})
    if (fs::exists(path, ec))
      return key_exists(path);
  if (auto made = make_directory(directory); !made.ok())
    return made;
  const auto authority = issue("triage authority", lifetime, nullptr,
                               {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                                {NID_key_usage, "critical,keyCertSign"},
                                {NID_subject_key_identifier, "hash"}});
  if (!authority.ok())
    return authority.error();
  if (auto written = write_key(key_path, authority->key.get()); !written.ok())
    return written;
  return write_certificate(cert_path, authority->cert.get());
}

result<void> check_node_name(const std::string& name) {
  constexpr std::string_view permitted = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  const bool good = !name.empty() && name.size() <= 64 && name.find_first_not_of(permitted) == name.npos;
  if (good && name != "." && name != "..")
    return {};
  return configuration_error(fmt::format("\"{}\" cannot be the name of a node: use 1 to 64 letters, digits, "
                                         "'.', '_' and '-' (and neither \".\" nor \"..\")",
                                         name));
}

result<void> make_node_credentials(const std::string& authority_directory, const std::string& name,
                                   const std::string& output_directory, const validity& lifetime) {
  if (auto usable = check_node_name(name); !usable.ok())
    return usable;
  const auto authority = read_identity(authority_directory + "/ca.pem", authority_directory + "/ca.key");
  if (!authority.ok())
    return authority.error();
  const auto node = issue(name, lifetime, &*authority,
                          {{NID_basic_constraints, "critical,CA:FALSE"},
                           {NID_key_usage, "critical,digitalSignature"},
                           {NID_ext_key_usage, "serverAuth,clientAuth"},
                           {NID_subject_key_identifier, "hash"},
                           {NID_authority_key_identifier, "keyid:always"}});
  if (!node.ok())
    return node.error();
  if (auto made = make_directory(output_directory); !made.ok())
    return made;
  // The key first: of two writers in one folder, the one that comes second leaves the certificates alone.
  if (auto written = write_key(output_directory + "/node.key", node->key.get()); !written.ok())
    return written;
  if (auto written = write_certificate(output_directory + "/ca.pem", authority->cert.get()); !written.ok())
    return written;
  return write_certificate(output_directory + "/node.pem", node->cert.get());
}

result<void> check_credentials(const std::string& directory) {
  const std::string ca_path = directory + "/ca.pem", cert_path = directory + "/node.pem";
  const auto ca = read_certificate(ca_path);
  if (!ca.ok())
    return ca.error();
  if (auto dates = check_dates(ca_path, ca->get()); !dates.ok())
    return dates;
  const auto node = read_identity(cert_path, directory + "/node.key");
  if (!node.ok())
    return node.error();
  return check_signature(cert_path, node->cert.get(), ca_path, ca->get());
}

} // namespace triage
