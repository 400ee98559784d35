#pragma once

#include <algorithm>
#include <cstdint>
#include <doctest/doctest.h>
#include <iterator>
#include <string_view>
#include <vector>

namespace triage::test {

/// A message of Protocol Buffers: what its fields hold, in their order. Refers to the bytes that it reads.
struct protobuf_message {
  struct field {
    std::uint32_t number = 0;
    std::uint64_t integer = 0; ///< of varints, and the bits of 32-bit values
    std::string_view bytes;
  };
  std::vector<field> fields;

  explicit protobuf_message(std::string_view in) {
    const auto varint = [&] {
      std::uint64_t value = 0;
      for (unsigned shift = 0;; shift += 7) {
        REQUIRE(!in.empty());
        REQUIRE(shift < 64);
        const auto byte = static_cast<std::uint8_t>(in.front());
        in.remove_prefix(1);
        value |= std::uint64_t{byte & 0x7FU} << shift;
        if (byte < 0x80U)
          return value;
      }
    };
    while (!in.empty()) {
      const auto key = varint();
      field f{static_cast<std::uint32_t>(key >> 3U), 0, {}};
      if ((key & 7U) == 0) {
        f.integer = varint();
      } else {
        REQUIRE(((key & 7U) == 2 || (key & 7U) == 5));
        const auto size = (key & 7U) == 5 ? 4 : varint();
        REQUIRE(size <= in.size());
        f.bytes = in.substr(0, size);
        in.remove_prefix(size);
      }
      fields.push_back(f);
    }
  }
  [[nodiscard]] std::vector<field> all(std::uint32_t number) const {
    std::vector<field> out;
    std::copy_if(fields.begin(), fields.end(), std::back_inserter(out),
                 [&](const auto& f) { return f.number == number; });
    return out;
  }
  [[nodiscard]] std::string_view text(std::uint32_t number) const {
    const auto f = all(number);
    return f.empty() ? std::string_view() : f.front().bytes;
  }
  [[nodiscard]] std::int64_t integer(std::uint32_t number) const {
    const auto f = all(number);
    REQUIRE(f.size() == 1);
    return static_cast<std::int64_t>(f.front().integer);
  }
};

} // namespace triage::test
