#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace triage {

/// SHA-256 of everything added, as lower-case hex. Used for fingerprints and checkpoints.
class sha256 {
public:
  sha256();
  ~sha256();
  sha256(const sha256&) = delete;
  sha256& operator=(const sha256&) = delete;

  void add(std::span<const std::byte> bytes);
  void add(std::string_view text);
  template <class T>
  void add_values(std::span<const T> values) {
    add(std::as_bytes(values));
  }
  /// May be called once.
  [[nodiscard]] std::string hex();

private:
  struct state;
  std::unique_ptr<state> state_;
};

[[nodiscard]] std::string sha256_hex(std::span<const std::byte> bytes);

} // namespace triage
