#pragma once

#include "core/result.hpp"

#include <memory>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string>
#include <string_view>

namespace triage {

/// Frees what a C library made.
template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using certificate = std::unique_ptr<X509, freed_by<X509_free>>;
using key_pair = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;

// Certificates and private keys as PEM files. Errors name the file; of kind io when the file system refused,
// of kind configuration when the user must mend something.

/// The only certificate in the file.
[[nodiscard]] result<certificate> read_certificate(const std::string& path);

/// A key without a passphrase, in a file that is closed to everybody but its owner.
[[nodiscard]] result<key_pair> read_key(const std::string& path);

/// Atomic; replaces what is there.
[[nodiscard]] result<void> write_certificate(const std::string& path, X509* cert);

/// Atomic; nobody but the owner can read the file at any moment, and an existing one is an error.
[[nodiscard]] result<void> write_key(const std::string& path, EVP_PKEY* key);

/// The error of write_key when there is a file already, for those who look before they work.
[[nodiscard]] error key_exists(const std::string& path);

/// "path: problem", of kind configuration.
[[nodiscard]] error refused(const std::string& path, std::string_view problem);

/// "what: OpenSSL's reason", of kind run. Empties OpenSSL's queue of errors.
[[nodiscard]] error openssl_failed(std::string_view what);

} // namespace triage
