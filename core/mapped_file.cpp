#include "core/mapped_file.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace triage {

namespace {

struct descriptor {
  int number;
  ~descriptor() {
    if (number >= 0)
      ::close(number);
  }
};

/// madvise takes no const memory, although the advice given here changes none.
void advise(std::span<const std::uint8_t> bytes, int advice) {
  (void)::madvise(const_cast<std::uint8_t*>(bytes.data()), bytes.size(), advice);
}

/// What a signal handler can ask, which has nothing but what is global: lock-free, since the mapping it is
/// asked about is alive while it is looked at.
struct address_range {
  std::atomic<std::uintptr_t> begin{0}; ///< 0: free
  std::atomic<std::uintptr_t> end{0};
};
std::array<address_range, 64> mapped_ranges;

std::uintptr_t address_of(const void* memory) {
  return reinterpret_cast<std::uintptr_t>(memory);
}

} // namespace

mapped_file::mapped_file(std::span<const std::uint8_t> bytes) : bytes_(bytes) {
  for (auto& r : mapped_ranges) {
    std::uintptr_t free = 0;
    if (!r.begin.compare_exchange_strong(free, address_of(bytes_.data())))
      continue;
    r.end = address_of(bytes_.data()) + bytes_.size();
    return;
  }
}

bool mapped_file::any_holds(const void* address) {
  const auto at = address_of(address);
  return std::any_of(mapped_ranges.begin(), mapped_ranges.end(), [&](const address_range& r) {
    return r.begin.load() != 0 && r.begin.load() <= at && at < r.end.load();
  });
}

result<std::shared_ptr<const mapped_file>> mapped_file::open(const std::string& path) {
  const auto refuse = [&](const std::string& why) { return data_error(fmt::format("{}: {}", path, why)); };
  const descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  struct ::stat about {};
  if (file.number < 0 || ::fstat(file.number, &about) != 0)
    return refuse(fmt::format("cannot be opened: {}", std::strerror(errno)));
  if (!S_ISREG(about.st_mode))
    return refuse("is not a file");
  const auto size = static_cast<std::size_t>(about.st_size);
  if (size == 0)
    return refuse("is empty");
  void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.number, 0);
  if (memory == MAP_FAILED)
    return refuse(
        fmt::format("cannot be mapped into memory: {}; set \"map\" to \"never\"", std::strerror(errno)));
  const std::span bytes(static_cast<const std::uint8_t*>(memory), size);
  advise(bytes, MADV_SEQUENTIAL); // for the checks after loading
  return std::shared_ptr<const mapped_file>(new mapped_file(bytes));
}

mapped_file::~mapped_file() {
  for (auto& r : mapped_ranges)
    if (r.begin.load() == address_of(bytes_.data())) {
      r.end = 0;
      r.begin = 0;
    }
  ::munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
}

void mapped_file::expect_random_access(std::size_t bytes) const {
  // Otherwise the system reads what lies around, 128 KiB at once: far too much for small samples, and for
  // large ones what saves them from being read page by page.
  constexpr std::size_t few_pages = 16384;
  advise(bytes_, bytes <= few_pages ? MADV_RANDOM : MADV_NORMAL);
  advise(bytes_, MADV_DONTNEED);
}

} // namespace triage
