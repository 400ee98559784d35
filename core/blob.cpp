#include "core/blob.hpp"

#include <algorithm>
#include <new>

namespace triage {

namespace {
constexpr std::align_val_t alignment{64};
}

blob::blob(const blob& other) noexcept : block_(other.block_) {
  if (block_ != nullptr)
    block_->references.fetch_add(1, std::memory_order_relaxed);
}

blob::~blob() {
  if (block_ != nullptr && block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    ::operator delete(block_->values, alignment);
    delete block_;
  }
}

blob blob::copy_of(std::span<const float> values) {
  mutable_blob copy(values.size());
  std::copy(values.begin(), values.end(), copy.values().begin());
  return std::move(copy).freeze();
}

mutable_blob::mutable_blob(std::size_t floats) {
  block_.block_ = new blob::block;
  block_.block_->size = floats;
  block_.block_->values =
      static_cast<float*>(::operator new(std::max<std::size_t>(floats, 1) * sizeof(float), alignment));
  std::fill_n(block_.block_->values, floats, 0.0F);
}

std::span<float> mutable_blob::values() {
  if (block_.block_ == nullptr)
    return {};
  return {block_.block_->values, block_.block_->size};
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
