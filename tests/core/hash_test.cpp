#include "core/hash.hpp"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace triage;

namespace {

std::string hash_of(std::string_view text) {
  return sha256_hex(std::as_bytes(std::span(text)));
}

} // namespace

TEST_CASE("hash: the examples of FIPS 180-2") {
  CHECK(hash_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hash_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hash_of(std::string(1'000'000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("hash: parts add up to the whole, whatever their type") {
  const std::vector<std::uint16_t> numbers{0x6261, 0x6463}; // "abcd" in memory
  sha256 parts;
  parts.add_values(std::span(numbers));
  parts.add(std::string_view());
  parts.add("ef");
  CHECK(parts.hex() == hash_of("abcdef"));
}
