#pragma once

#include "actors/net/shared_memory.hpp"
#include "core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

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

/// Memory with two rings, one each way.
class shared_rings {
public:
  /// For who connects; `descriptor` stays open until `close_descriptor`, to be handed to the peer.
  [[nodiscard]] static result<shared_rings> create();
  /// For who was handed a descriptor, which this takes over and closes. An error where it is not such memory.
  [[nodiscard]] static result<shared_rings> adopt(int descriptor);

  [[nodiscard]] int descriptor() const { return memory_.descriptor(); }
  void close_descriptor() { memory_.close_descriptor(); }
  /// `creator`: of the memory. Each at most once on each side.
  [[nodiscard]] ring_writer outgoing(bool creator) { return end<ring_writer>(creator ? 0 : 1); }
  [[nodiscard]] ring_reader incoming(bool creator) { return end<ring_reader>(creator ? 1 : 0); }

private:
  explicit shared_rings(shared_memory memory) : memory_(std::move(memory)) {}
  template <class End>
  [[nodiscard]] End end(std::size_t which);

  shared_memory memory_;
};

} // namespace triage
