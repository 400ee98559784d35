#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace triage {

/// Writes one message of Protocol Buffers, field by field
/// (https://protobuf.dev/programming-guides/encoding). Messages inside are written by their own writers.
class protobuf_writer {
public:
  protobuf_writer& number(std::uint32_t field, std::int64_t value) {
    return varint(std::uint64_t{field} << 3U).varint(static_cast<std::uint64_t>(value));
  }
  protobuf_writer& real(std::uint32_t field, float value) {
    varint((std::uint64_t{field} << 3U) | 5U);
    auto bits = std::bit_cast<std::uint32_t>(value);
    for (int i = 0; i < 4; ++i, bits >>= 8U)
      bytes_ += static_cast<char>(bits & 0xFFU);
    return *this;
  }
  protobuf_writer& text(std::uint32_t field, std::string_view value) {
    varint((std::uint64_t{field} << 3U) | 2U).varint(value.size());
    bytes_ += value;
    return *this;
  }
  protobuf_writer& message(std::uint32_t field, const protobuf_writer& m) { return text(field, m.bytes_); }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] std::string take() && { return std::move(bytes_); }

private:
  protobuf_writer& varint(std::uint64_t value) {
    for (; value >= 0x80U; value >>= 7U)
      bytes_ += static_cast<char>((value & 0x7FU) | 0x80U);
    bytes_ += static_cast<char>(value);
    return *this;
  }

  std::string bytes_;
};

} // namespace triage
