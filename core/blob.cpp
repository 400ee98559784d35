#include "core/blob.hpp"

#include "core/float_memory.hpp"

#include <algorithm>

namespace triage {

blob::blob(const blob& other) noexcept : block_(other.block_) {
  if (block_ != nullptr)
    block_->references.fetch_add(1, std::memory_order_relaxed);
}

blob::~blob() {
  if (block_ != nullptr && block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    if (block_->own != nullptr)
      free_floats(block_->own, block_->size);
    delete block_;
  }
}

blob blob::copy_of(std::span<const float> values) {
  mutable_blob copy(values.size());
  std::copy(values.begin(), values.end(), copy.values().begin());
  return std::move(copy).freeze();
}

blob blob::view_of(std::span<const float> values, std::shared_ptr<const void> keeper) {
  blob out;
  out.block_ = new block;
  out.block_->size = values.size();
  out.block_->values = values.data();
  out.block_->keeper = std::move(keeper);
  return out;
}

mutable_blob::mutable_blob(std::size_t floats) {
  block_.block_ = new blob::block;
  block_.block_->size = floats;
  block_.block_->own = allocate_floats(floats);
  block_.block_->values = block_.block_->own;
}

std::span<float> mutable_blob::values() {
  if (block_.block_ == nullptr)
    return {};
  return {block_.block_->own, block_.block_->size};
}

mutable_blob blob_pool::reclaim(blob& last) {
  // The pool's reference and the caller's. Others can only come from these two, and both are here.
  if (last.block_ == nullptr || last.block_->own == nullptr ||
      last.block_->references.load(std::memory_order_acquire) != 2)
    return {};
  return mutable_blob(std::exchange(last, {}));
}

mutable_blob blob_pool::acquire() {
  for (const auto& b : blocks_)
    // Only the pool's own reference is left; acquire pairs with the release of the last reader, so what it
    // read happens before what the new holder writes.
    if (b.block_->references.load(std::memory_order_acquire) == 1)
      return mutable_blob(b);
  blocks_.push_back(mutable_blob(floats_).freeze());
  return mutable_blob(blocks_.back());
}

} // namespace triage
