#include "actors/net/shared_memory.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace triage {

namespace {

constexpr int fixed_size = F_SEAL_SHRINK | F_SEAL_GROW;

error no_memory(const char* what) {
  return io_error(fmt::format("cannot share memory: {}: {}", what, std::strerror(errno)));
}

} // namespace

result<shared_memory> shared_memory::create(std::size_t bytes, others may) {
  shared_memory out(memfd_create("triage", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (out.descriptor_ < 0)
    return no_memory("no file");
  if (ftruncate(out.descriptor_, static_cast<off_t>(bytes)) != 0)
    return no_memory("no room");
  if (auto mapped = out.map(bytes, true); !mapped.ok())
    return mapped.error();
  // What is mapped by now stays writable.
  const int seals = may == others::read ? fixed_size | F_SEAL_FUTURE_WRITE : fixed_size;
  if (fcntl(out.descriptor_, F_ADD_SEALS, seals) != 0)
    return no_memory("no seals");
  return out;
}

result<shared_memory> shared_memory::adopt(int descriptor, others may) {
  shared_memory out(descriptor);
  struct stat about {};
  if (fstat(descriptor, &about) != 0 || about.st_size <= 0)
    return io_error("cannot share memory: what the peer offers is none");
  const int sealed = fcntl(descriptor, F_GET_SEALS);
  if (sealed < 0 || (sealed & fixed_size) != fixed_size)
    return io_error("cannot share memory: the peer could resize what it offers");
  if (auto mapped = out.map(static_cast<std::size_t>(about.st_size), may == others::write); !mapped.ok())
    return mapped.error();
  out.close_descriptor();
  return out;
}

result<void> shared_memory::map(std::size_t bytes, bool writes) {
  void* const at =
      mmap(nullptr, bytes, writes ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, descriptor_, 0);
  if (at == MAP_FAILED)
    return no_memory("no place for it");
  memory_ = static_cast<std::uint8_t*>(at);
  size_ = bytes;
  return {};
}

void shared_memory::close_descriptor() {
  if (descriptor_ >= 0)
    close(std::exchange(descriptor_, -1));
}

bool shared_memory::reserve(std::size_t begin, std::size_t bytes) const {
  return posix_fallocate(descriptor_, static_cast<off_t>(begin), static_cast<off_t>(bytes)) == 0;
}

shared_memory::shared_memory(shared_memory&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), memory_(std::exchange(other.memory_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

shared_memory& shared_memory::operator=(shared_memory&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(memory_, other.memory_);
  std::swap(size_, other.size_);
  return *this;
}

shared_memory::~shared_memory() {
  close_descriptor();
  if (memory_ != nullptr)
    munmap(memory_, size_);
}

} // namespace triage
