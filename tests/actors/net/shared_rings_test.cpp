#include "actors/net/shared_rings.hpp"
#include "core/rng.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace triage;

namespace {

/// Both sides of the same memory.
struct two_sides {
  shared_rings near = make();
  shared_rings far = adopt(near);

  static shared_rings make() {
    auto made = shared_rings::create();
    REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message));
    return made.take();
  }
  static shared_rings adopt(const shared_rings& other) {
    auto taken = shared_rings::adopt(dup(other.descriptor()));
    REQUIRE_MESSAGE(taken.ok(), (taken.ok() ? "" : taken.error().message));
    return taken.take();
  }
};

std::vector<std::uint8_t> numbered_bytes(std::size_t size, std::size_t first = 0) {
  std::vector<std::uint8_t> out(size);
  for (std::size_t i = 0; i < size; ++i)
    out[i] = static_cast<std::uint8_t>((first + i) % 251);
  return out;
}

off_t size_of(int descriptor) {
  struct stat about {};
  REQUIRE(fstat(descriptor, &about) == 0);
  return about.st_size;
}

int memory_file(off_t size, int seals) {
  const int descriptor = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  REQUIRE(descriptor >= 0);
  REQUIRE(ftruncate(descriptor, size) == 0);
  REQUIRE(fcntl(descriptor, F_ADD_SEALS, seals) == 0);
  return descriptor;
}

} // namespace

TEST_CASE("shared rings: bytes come out as they went in, in pieces of any size, round and round, both ways") {
  two_sides s;
  for (const bool creator : {true, false}) {
    auto writer = (creator ? s.near : s.far).outgoing(creator);
    auto reader = (creator ? s.far : s.near).incoming(!creator);
    rng random(3, creator ? 1 : 2);
    std::size_t written = 0;
    std::size_t read = 0;
    while (read < std::size_t{8} << 20U) {
      const auto from = numbered_bytes(random.below(200000), written);
      const auto gone = writer.write(from);
      REQUIRE(gone);
      written += *gone;
      std::vector<std::uint8_t> to(random.below(200000));
      const auto got = reader.read(to);
      REQUIRE(got);
      to.resize(*got);
      REQUIRE(to == numbered_bytes(*got, read));
      read += *got;
    }
    CHECK(written >= read);
  }
}

TEST_CASE("shared rings: a full one takes nothing, an empty one gives nothing, and room comes back") {
  two_sides s;
  auto writer = s.near.outgoing(true);
  auto reader = s.far.incoming(false);
  std::vector<std::uint8_t> some(1000);
  CHECK(reader.read(some) == 0U);
  std::size_t room = 0;
  const auto much = numbered_bytes(std::size_t{4} << 20U);
  while (const auto gone = *writer.write(std::span(much).subspan(room)))
    room += gone;
  CHECK(room >= std::size_t{256} << 10U);
  CHECK(room < much.size());
  CHECK(writer.write(much) == 0U);
  CHECK(reader.read(some) == 1000U);
  CHECK(some == numbered_bytes(1000));
  CHECK(writer.write(much) == 1000U);
}

TEST_CASE("shared rings: who waits is owed one knock") {
  two_sides s;
  auto writer = s.near.outgoing(true);
  auto reader = s.far.incoming(false);
  CHECK_FALSE(writer.reader_waited());
  reader.waits(true);
  CHECK(writer.reader_waited());
  CHECK_FALSE(writer.reader_waited());
  reader.waits(true);
  reader.waits(false); // it found something after all
  CHECK_FALSE(writer.reader_waited());
  writer.waits(true);
  CHECK(reader.writer_waited());
  CHECK_FALSE(reader.writer_waited());
  std::vector<std::uint8_t> all(std::size_t{4} << 20U);
  const std::size_t full = *writer.write(all);
  writer.waits(true);
  CHECK(reader.read(std::span(all).first(full / 2 - 1)) == full / 2 - 1);
  CHECK_FALSE(reader.writer_waited()); // it would not get far
  CHECK(reader.read(std::span(all).first(1)) == 1U);
  CHECK(reader.writer_waited());
}

TEST_CASE("shared rings: two threads that sleep until they are knocked at lose nothing and never oversleep") {
  two_sides s;
  constexpr std::size_t all = std::size_t{32} << 20U;
  std::atomic<std::uint32_t> knocks_at_reader{0};
  std::atomic<std::uint32_t> knocks_at_writer{0};
  const auto knock = [](std::atomic<std::uint32_t>& at) {
    at.fetch_add(1);
    at.notify_one();
  };
  std::thread writing([&, writer = s.near.outgoing(true)]() mutable {
    rng random(5, 1);
    for (std::size_t at = 0; at < all;) {
      const auto seen = knocks_at_writer.load();
      const auto from = numbered_bytes(std::min(all - at, 1 + random.below(50000)), at);
      auto gone = writer.write(from);
      if (gone == 0U) {
        writer.waits(true);
        gone = writer.write(from);
      }
      at += *gone;
      if (writer.reader_waited())
        knock(knocks_at_reader);
      if (gone == 0U)
        knocks_at_writer.wait(seen);
    }
  });
  auto reader = s.far.incoming(false);
  rng random(5, 2);
  std::size_t wrong = 0;
  for (std::size_t at = 0; at < all;) {
    const auto seen = knocks_at_reader.load();
    std::vector<std::uint8_t> to(1 + random.below(50000));
    auto got = reader.read(to);
    if (got == 0U) {
      reader.waits(true);
      got = reader.read(to);
    }
    to.resize(*got);
    wrong += to == numbered_bytes(*got, at) ? 0 : 1;
    at += *got;
    if (reader.writer_waited())
      knock(knocks_at_writer);
    if (got == 0U)
      knocks_at_reader.wait(seen);
  }
  writing.join();
  CHECK(wrong == 0);
}

TEST_CASE("shared rings: positions that the peer has spoiled are noticed, wherever they point") {
  for (const std::uint64_t position :
       {std::uint64_t{1} << 63U, std::uint64_t{1} << 62U, std::uint64_t{3} << 20U}) {
    two_sides s;
    const auto size = static_cast<std::size_t>(size_of(s.near.descriptor()));
    void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, s.near.descriptor(), 0);
    REQUIRE(memory != MAP_FAILED);
    auto* const bytes = static_cast<std::uint8_t*>(memory);
    auto writer = s.near.outgoing(true);
    auto reader = s.far.incoming(false);
    std::memcpy(bytes, &position, sizeof position);      // written, of the creator's ring
    std::memcpy(bytes + 64, &position, sizeof position); // read
    std::vector<std::uint8_t> some(100);
    CHECK_FALSE(reader.read(some));
    CHECK_FALSE(writer.write(some));
    munmap(memory, size);
  }
}

TEST_CASE("shared rings: memory of another size, that can shrink, or that is none is not taken") {
  const two_sides s;
  const auto size = size_of(s.near.descriptor());
  constexpr int fixed = F_SEAL_SHRINK | F_SEAL_GROW;
  CHECK(shared_rings::adopt(memory_file(size, fixed)).ok());
  CHECK_FALSE(shared_rings::adopt(memory_file(size - 1, fixed)).ok());
  CHECK_FALSE(shared_rings::adopt(memory_file(2 * size, fixed)).ok());
  CHECK_FALSE(shared_rings::adopt(memory_file(0, fixed)).ok());
  CHECK_FALSE(shared_rings::adopt(memory_file(size, 0)).ok());
  CHECK_FALSE(shared_rings::adopt(memory_file(size, F_SEAL_GROW)).ok());
  CHECK_FALSE(shared_rings::adopt(open("/dev/null", O_RDWR | O_CLOEXEC)).ok());
  CHECK_FALSE(shared_rings::adopt(open("/proc/self/exe", O_RDONLY | O_CLOEXEC)).ok());
}
