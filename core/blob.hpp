#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace triage {

/// A flat block of floats that is written once by its owner and then shared, immutable and reference
/// counted: parameters, gradients, moments and snapshots all have this shape.
///
/// Ownership: copies share the block; it is freed with the last copy. Memory of its own is aligned to 64
/// bytes.
/// Threading: copies may be held, read and released on any threads.
class blob {
public:
  blob() = default;
  blob(const blob& other) noexcept;
  blob(blob&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  blob& operator=(blob other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~blob();

  [[nodiscard]] static blob copy_of(std::span<const float> values);
  /// Values that lie in memory of somebody else, which is kept until the last copy is gone.
  [[nodiscard]] static blob view_of(std::span<const float> values, std::shared_ptr<const void> keeper);

  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] std::size_t size() const { return block_ == nullptr ? 0 : block_->size; }
  [[nodiscard]] const float* data() const { return block_ == nullptr ? nullptr : block_->values; }
  [[nodiscard]] std::span<const float> view() const { return {data(), size()}; }

private:
  friend class mutable_blob;
  friend class blob_pool;

  struct block {
    std::atomic<std::uint32_t> references{1};
    std::size_t size = 0;
    const float* values = nullptr;
    float* own = nullptr;                         ///< the same, where the block has memory of its own
    std::shared_ptr<const void> keeper = nullptr; ///< of memory that is not its own
  };
  block* block_ = nullptr;
};

/// A block that is still being written, by its only holder. `freeze` turns it into a blob; after that
/// nobody can write it, which is what makes sharing it without a lock safe.
class mutable_blob {
public:
  mutable_blob() = default;
  /// A zeroed block of `floats` elements.
  explicit mutable_blob(std::size_t floats);
  mutable_blob(mutable_blob&&) noexcept = default;
  mutable_blob& operator=(mutable_blob&&) noexcept = default;
  mutable_blob(const mutable_blob&) = delete;
  mutable_blob& operator=(const mutable_blob&) = delete;

  [[nodiscard]] std::size_t size() const { return block_.size(); }
  [[nodiscard]] std::span<float> values();
  [[nodiscard]] std::span<const float> view() const { return block_.view(); }
  [[nodiscard]] blob freeze() && { return std::move(block_); }
  /// The block for readers of what is final already, while the rest is still being written. The holder tells
  /// them which part that is, by something that orders memory (a message), and does not touch it again.
  [[nodiscard]] blob early_look() const { return block_; }

private:
  friend class blob_pool;
  explicit mutable_blob(blob block) : block_(std::move(block)) {}
  blob block_;
};

/// Recycles blocks of one size: a step allocates nothing once as many blocks exist as are in flight.
/// Owned by one thread; what it hands out may be frozen, read and released on any threads.
class blob_pool {
public:
  explicit blob_pool(std::size_t floats) : floats_(floats) {}

  /// A block that nobody else holds. Its contents are unspecified (zero when new).
  [[nodiscard]] mutable_blob acquire();
  /// The same block, to be written again in place, if `last` is the only copy outside of the pool; an empty
  /// one, and `last` unchanged, if anybody else may read it.
  [[nodiscard]] mutable_blob reclaim(blob& last);
  [[nodiscard]] std::size_t blocks() const { return blocks_.size(); }
  [[nodiscard]] std::size_t block_size() const { return floats_; }

private:
  std::size_t floats_;
  std::vector<blob> blocks_;
};

} // namespace triage
