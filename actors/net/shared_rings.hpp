#pragma once

#include "core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace triage {

/// Bytes on their way from one process to another, in memory that both see. One process writes, the other
/// reads; each keeps its own position to itself and takes the other's with suspicion: a peer can spoil what
/// it sends, and nothing else.
///
/// Whoever finds nothing to do says that it waits, and looks once more; the other then owes it a knock.
class ring_end {
public:
  struct header;
  ring_end() = default;
  ring_end(header* shared, std::span<std::uint8_t> memory) : shared_(shared), memory_(memory) {}

  /// So many bytes were taken or given, as far as there was room or data; nothing: the peer's position makes
  /// no sense.
  [[nodiscard]] std::optional<std::size_t> write(std::span<const std::uint8_t> from);
  [[nodiscard]] std::optional<std::size_t> read(std::span<std::uint8_t> to);
  /// Whether the peer waited, and is owed a knock. To be asked after each success, and told once. A writer is
  /// called when half of the ring is free: for a few bytes it would be back at once.
  [[nodiscard]] bool reader_waited();
  [[nodiscard]] bool writer_waited();
  /// Try again after `true`: what the peer did before it could see this brings no knock.
  void reader_waits(bool waits);
  void writer_waits(bool waits);

private:
  [[nodiscard]] std::span<std::uint8_t> stretch(std::size_t longest) const;

  header* shared_ = nullptr;
  std::span<std::uint8_t> memory_; ///< a power of two bytes
  std::uint64_t position_ = 0;     ///< bytes that this end has written or read
};

/// Memory with two rings, one each way. The file behind it has no name and cannot be resized by anybody, so
/// no access to it fails. Unmapped at the end.
class shared_rings {
public:
  /// For who connects; `descriptor` stays open until `close_descriptor`, to be handed to the peer.
  [[nodiscard]] static result<shared_rings> create();
  /// For who was handed a descriptor, which this takes over and closes. An error where it is not such memory.
  [[nodiscard]] static result<shared_rings> adopt(int descriptor);
  shared_rings(shared_rings&& other) noexcept;
  shared_rings& operator=(shared_rings&& other) noexcept;
  ~shared_rings();

  [[nodiscard]] int descriptor() const { return descriptor_; }
  void close_descriptor();
  /// `creator`: of the memory. Each at most once on each side.
  [[nodiscard]] ring_end outgoing(bool creator) const { return end(creator ? 0 : 1); }
  [[nodiscard]] ring_end incoming(bool creator) const { return end(creator ? 1 : 0); }

private:
  explicit shared_rings(int descriptor) : descriptor_(descriptor) {}
  [[nodiscard]] result<void> map();
  [[nodiscard]] ring_end end(std::size_t which) const;

  int descriptor_ = -1;
  std::uint8_t* memory_ = nullptr;
};

} // namespace triage
