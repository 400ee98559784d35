#include "actors/net/shared_rings.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

namespace triage {

namespace {

constexpr std::size_t ring_bytes = std::size_t{1} << 19U;
constexpr std::size_t header_bytes = 4096; ///< a page, so that rings begin at one
constexpr std::size_t mapped_bytes = 2 * (header_bytes + ring_bytes);

/// From a position to the end of the memory at most.
std::span<std::uint8_t> stretch(std::span<std::uint8_t> memory, std::uint64_t position, std::size_t longest) {
  const std::size_t at = position & (memory.size() - 1);
  return memory.subspan(at, std::min(longest, memory.size() - at));
}

} // namespace

/// What both ends see of a ring. Each line of the cache is written by one end, but for the flags, which
/// change when somebody is about to sleep.
struct ring_header {
  alignas(64) std::atomic<std::uint64_t> written{0};
  alignas(64) std::atomic<std::uint64_t> read{0};
  alignas(64) std::atomic<std::uint32_t> reader_waits{0};
  alignas(64) std::atomic<std::uint32_t> writer_waits{0};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<std::uint32_t>::is_always_lock_free);

// -- one ring -----------------------------------------------------------------------------------------------

// A position is stored before a flag is read, and a flag is stored before a position is read. These accesses
// are sequentially consistent, as is all that is not said to be otherwise, so at least one end sees what the
// other did.

std::optional<std::size_t> ring_writer::write(std::span<const std::uint8_t> from) {
  const std::uint64_t full = written_ - shared_->read.load();
  if (full > memory_.size())
    return std::nullopt;
  const auto room = memory_.size() - static_cast<std::size_t>(full);
  const auto to = stretch(memory_, written_, std::min(from.size(), room));
  std::memcpy(to.data(), from.data(), to.size());
  written_ += to.size();
  shared_->written.store(written_);
  return to.size();
}

bool ring_writer::reader_waited() {
  return shared_->reader_waits.load() != 0 && shared_->reader_waits.exchange(0) != 0;
}

void ring_writer::waits(bool does) {
  shared_->writer_waits.store(does ? 1 : 0);
}

std::optional<std::size_t> ring_reader::read(std::span<std::uint8_t> to) {
  const std::uint64_t there = shared_->written.load() - read_;
  if (there > memory_.size())
    return std::nullopt;
  const auto from = stretch(memory_, read_, std::min(to.size(), static_cast<std::size_t>(there)));
  std::memcpy(to.data(), from.data(), from.size());
  read_ += from.size();
  shared_->read.store(read_);
  return from.size();
}

bool ring_reader::writer_waited() {
  const std::uint64_t there = shared_->written.load() - read_;
  return there <= memory_.size() / 2 && shared_->writer_waits.load() != 0 &&
         shared_->writer_waits.exchange(0) != 0;
}

void ring_reader::waits(bool does) {
  shared_->reader_waits.store(does ? 1 : 0);
}

// -- both ---------------------------------------------------------------------------------------------------

result<shared_rings> shared_rings::create() {
  auto memory = shared_memory::create(mapped_bytes, shared_memory::others::write);
  if (!memory.ok())
    return memory.error();
  for (const std::size_t which : {0U, 1U})
    new (memory->writable().data() + which * (header_bytes + ring_bytes)) ring_header;
  return shared_rings(memory.take());
}

result<shared_rings> shared_rings::adopt(int descriptor) {
  auto memory = shared_memory::adopt(descriptor, shared_memory::others::write);
  if (!memory.ok())
    return memory.error();
  if (memory->bytes().size() != mapped_bytes)
    return io_error("cannot share memory: what the peer offers has another size");
  return shared_rings(memory.take());
}

template <class End>
End shared_rings::end(std::size_t which) {
  std::uint8_t* const at = memory_.writable().data() + which * (header_bytes + ring_bytes);
  return {std::launder(reinterpret_cast<ring_header*>(at)), {at + header_bytes, ring_bytes}};
}

template ring_writer shared_rings::end(std::size_t);
template ring_reader shared_rings::end(std::size_t);

} // namespace triage
