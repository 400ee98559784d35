#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace triage {

/// Messages of one size pushed over loopback and answered with a short one, as fast as that goes, between
/// two threads. Each measurement makes its own connection.
class push_pair {
public:
  virtual ~push_pair() = default;
  /// Pushes answered per second.
  [[nodiscard]] virtual double rate(std::size_t bytes, double seconds) = 0;
};

/// Plain blocking reads and writes: what the machine can do.
[[nodiscard]] std::unique_ptr<push_pair> make_blocking_pair();
/// Two links, each on a network thread; over TCP, encrypted when there are certificates. Throws what cannot
/// be set up.
[[nodiscard]] std::unique_ptr<push_pair> make_link_pair(const std::string& tls_directory);
/// As nodes on one machine do.
[[nodiscard]] std::unique_ptr<push_pair> make_shared_memory_pair();

/// Bytes per second that one core encrypts and authenticates in records of 16 KiB: what `openssl speed -evp
/// aes-128-gcm -bytes 16384` measures.
[[nodiscard]] double encryption_speed(double seconds);

} // namespace triage
