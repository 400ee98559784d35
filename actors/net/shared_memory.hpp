#pragma once

#include "core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace triage {

/// Memory that processes of a machine share: a file that has no name and that nobody can resize, so that no
/// access to it fails. Unmapped at the end.
class shared_memory {
public:
  enum class others {
    write, ///< whoever has the descriptor reads and writes, as its maker does
    read   ///< only its maker writes, which the kernel sees to
  };
  [[nodiscard]] static result<shared_memory> create(std::size_t bytes, others may);
  /// Takes over a descriptor that was handed over, and closes it. An error where it is not such memory.
  [[nodiscard]] static result<shared_memory> adopt(int descriptor, others may);
  shared_memory(shared_memory&& other) noexcept;
  shared_memory& operator=(shared_memory&& other) noexcept;
  ~shared_memory();

  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {memory_, size_}; }
  /// Its maker's, or everybody's where others may write.
  [[nodiscard]] std::span<std::uint8_t> writable() { return {memory_, size_}; }
  /// Open until `close_descriptor`, to be handed to others; -1: closed.
  [[nodiscard]] int descriptor() const { return descriptor_; }
  void close_descriptor();
  /// Room behind these bytes: without it the first access to each page asks for it, and a process that gets
  /// none is killed.
  [[nodiscard]] bool reserve(std::size_t begin, std::size_t bytes) const;

private:
  explicit shared_memory(int descriptor) : descriptor_(descriptor) {}
  [[nodiscard]] result<void> map(std::size_t bytes, bool writes);

  int descriptor_ = -1;
  std::uint8_t* memory_ = nullptr;
  std::size_t size_ = 0;
};

} // namespace triage
