#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace triage {

static_assert(std::endian::native == std::endian::little,
              "values cross the network as they lie in memory, little endian");

template <class T>
concept wire_number = std::is_arithmetic_v<T> && !std::same_as<T, bool>;

/// Plain values as bytes, little endian; floats as their bits, so that infinities, NaNs and denormals arrive
/// as they were sent.
class wire_writer {
public:
  template <wire_number T>
  wire_writer& number(T value) {
    append(&value, sizeof value);
    return *this;
  }
  wire_writer& flag(bool value) { return number<std::uint8_t>(value ? 1 : 0); }
  wire_writer& text(std::string_view value);
  template <wire_number T>
  wire_writer& numbers(std::span<const T> values) {
    number(static_cast<std::uint32_t>(values.size()));
    append(values.data(), values.size_bytes());
    return *this;
  }
  template <wire_number T>
  wire_writer& numbers(const std::vector<T>& values) {
    return numbers(std::span<const T>(values));
  }

  [[nodiscard]] std::vector<std::uint8_t> take() { return std::move(bytes_); }

private:
  void append(const void* from, std::size_t size);
  std::vector<std::uint8_t> bytes_;
};

/// Reads what a wire_writer wrote, from bytes that nobody vouches for: reading beyond the end gives zeros and
/// is remembered, and nothing is allocated that the bytes present could not fill.
class wire_reader {
public:
  explicit wire_reader(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

  template <wire_number T>
  [[nodiscard]] T number() {
    T value{};
    copy(&value, sizeof value);
    return value;
  }
  /// Anything but 0 and 1 is a failure.
  [[nodiscard]] bool flag();
  [[nodiscard]] std::string text();
  template <wire_number T>
  [[nodiscard]] std::vector<T> numbers() {
    const auto count = number<std::uint32_t>();
    if (failed_ || count > rest_.size() / sizeof(T)) {
      failed_ = true;
      return {};
    }
    std::vector<T> values(count);
    copy(values.data(), values.size() * sizeof(T));
    return values;
  }

  /// Whether everything read so far was there.
  [[nodiscard]] bool good() const { return !failed_; }
  /// Whether everything read was there and nothing is left.
  [[nodiscard]] bool complete() const { return !failed_ && rest_.empty(); }

private:
  void copy(void* to, std::size_t size);
  std::span<const std::uint8_t> rest_;
  bool failed_ = false;
};

} // namespace triage
