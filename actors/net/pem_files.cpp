#include "actors/net/pem_files.hpp"
#include "core/files.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

namespace triage {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_bytes = 64 << 10;

using bio = std::unique_ptr<BIO, freed_by<BIO_free>>;

template <class Write>
result<std::string> to_pem(Write write) {
  const bio memory(BIO_new(BIO_s_mem()));
  if (!memory || write(memory.get()) != 1)
    return openssl_failed("a certificate cannot be encoded");
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

/// Like write_file_atomic, but nobody else can read the file at any moment, and it replaces none.
result<void> write_private_file(const std::string& path, std::string_view bytes) {
  std::string temporary = path + ".XXXXXX";
  const int fd = ::mkostemp(temporary.data(), O_CLOEXEC); // O_EXCL, mode 0600
  if (fd < 0)
    return file_error(path, "cannot be created", errno);
  const ssize_t written = ::write(fd, bytes.data(), bytes.size());
  int reason = written < 0 ? errno : static_cast<std::size_t>(written) < bytes.size() ? ENOSPC : 0;
  if (::fsync(fd) != 0 && reason == 0)
    reason = errno;
  if (::close(fd) != 0 && reason == 0)
    reason = errno;
  if (reason == 0 && ::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0)
    reason = errno;
  std::error_code ec;
  if (reason == EINVAL) // a file system that cannot refuse to replace, so we look first
    reason = fs::exists(path, ec) ? EEXIST : ::rename(temporary.c_str(), path.c_str()) != 0 ? errno : 0;
  if (reason != 0) {
    ::unlink(temporary.c_str());
    return reason == EEXIST ? key_exists(path) : file_error(path, "cannot be written", reason);
  }
  return sync_directory(fs::path(path).parent_path().string());
}

result<bio> open_pem(const std::string& path, std::string& bytes) {
  std::error_code ec;
  if (!fs::exists(path, ec) && !ec)
    return refused(path,
                   "is missing; the folder must hold the files that `triage keygen` made for this machine");
  auto read = read_file(path, most_bytes);
  if (!read.ok())
    return read.error();
  bytes = read.take();
  bio memory(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
  if (!memory)
    return openssl_failed(path);
  return memory;
}

} // namespace

error refused(const std::string& path, std::string_view problem) {
  return configuration_error(fmt::format("{}: {}", path, problem));
}

error openssl_failed(std::string_view what) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return run_error(fmt::format("{}: {}", what, reason != nullptr ? reason : "OpenSSL gives no reason"));
}

error key_exists(const std::string& path) {
  return refused(path,
                 "is there already and is never overwritten; choose another folder, or remove this one to "
                 "make new credentials");
}

result<void> write_certificate(const std::string& path, X509* cert) {
  const auto pem = to_pem([&](BIO* to) { return PEM_write_bio_X509(to, cert); });
  return pem.ok() ? write_file_atomic(path, *pem) : pem.error();
}

result<void> write_key(const std::string& path, EVP_PKEY* key) {
  const auto pem = to_pem(
      [&](BIO* to) { return PEM_write_bio_PrivateKey(to, key, nullptr, nullptr, 0, nullptr, nullptr); });
  return pem.ok() ? write_private_file(path, *pem) : pem.error();
}

result<certificate> read_certificate(const std::string& path) {
  std::string bytes;
  const auto pem = open_pem(path, bytes);
  if (!pem.ok())
    return pem.error();
  certificate cert(PEM_read_bio_X509(pem->get(), nullptr, nullptr, nullptr));
  const certificate second(cert ? PEM_read_bio_X509(pem->get(), nullptr, nullptr, nullptr) : nullptr);
  ERR_clear_error(); // the end of the file was one
  if (!cert)
    return refused(path,
                   "holds no certificate in PEM format; copy it again from where `triage keygen` made it");
  if (second) // each one in ca.pem would be trusted
    return refused(path, "holds more than one certificate; leave only one");
  return cert;
}

result<key_pair> read_key(const std::string& path) {
  std::string bytes;
  const auto pem = open_pem(path, bytes);
  if (!pem.ok())
    return pem.error();
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    return file_error(path, "cannot be examined", errno);
  if ((info.st_mode & 077) != 0)
    return refused(path, fmt::format("others may use this private key (its mode is {:04o}); chmod 600 {}",
                                     info.st_mode & 07777, path));
  const auto no_passphrase = [](char*, int, int, void*) { return -1; }; // else OpenSSL asks the terminal
  key_pair key(PEM_read_bio_PrivateKey(pem->get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (!key)
    return refused(path, "holds no private key in PEM format, or one with a passphrase; copy it again from "
                         "where `triage keygen` made it");
  return key;
}

} // namespace triage
