#pragma once

#include "core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace triage {

struct ring_header;

/// Bytes on their way from one process to another, in memory that both see: one end of a ring. Each end keeps
/// its own position to itself and takes the other's with suspicion: a peer can spoil what it sends, and
/// nothing else.
///
/// Whoever finds nothing to do says that it waits, and looks once more; the other then owes it a knock.
class ring_writer {
public:
  ring_writer() = default;
  ring_writer(ring_header* shared, std::span<std::uint8_t> memory) : shared_(shared), memory_(memory) {}

  /// So many bytes were taken as there was room for, up to the end of the memory; nothing: the reader's
  /// position makes no sense.
  [[nodiscard]] std::optional<std::size_t> write(std::span<const std::uint8_t> from);
  /// Whether the reader waited, and is owed a knock. To be asked after each success, and told once.
  [[nodiscard]] bool reader_waited();
  /// After `true` try again: what the reader did before it could see this brings no knock.
  void waits(bool does);

private:
  ring_header* shared_ = nullptr;
  std::span<std::uint8_t> memory_; ///< a power of two bytes
  std::uint64_t written_ = 0;      ///< bytes, by this end
};

class ring_reader {
public:
  ring_reader() = default;
  ring_reader(ring_header* shared, std::span<std::uint8_t> memory) : shared_(shared), memory_(memory) {}

  /// So many bytes were given; nothing: the writer's position makes no sense.
  [[nodiscard]] std::optional<std::size_t> read(std::span<std::uint8_t> to);
  /// As above. A writer is called when half of the ring is free: for a few bytes it would be back at once.
  [[nodiscard]] bool writer_waited();
  void waits(bool does);

private:
  ring_header* shared_ = nullptr;
  std::span<std::uint8_t> memory_;
  std::uint64_t read_ = 0;
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
  [[nodiscard]] ring_writer outgoing(bool creator) const { return end<ring_writer>(creator ? 0 : 1); }
  [[nodiscard]] ring_reader incoming(bool creator) const { return end<ring_reader>(creator ? 1 : 0); }

private:
  explicit shared_rings(int descriptor) : descriptor_(descriptor) {}
  [[nodiscard]] result<void> map();
  template <class End>
  [[nodiscard]] End end(std::size_t which) const;

  int descriptor_ = -1;
  std::uint8_t* memory_ = nullptr;
};

} // namespace triage
