#include "core/wire.hpp"

namespace triage {

void wire_writer::append(const void* from, std::size_t size) {
  if (size == 0)
    return;
  const auto* begin = static_cast<const std::uint8_t*>(from);
  bytes_.insert(bytes_.end(), begin, begin + size);
}

wire_writer& wire_writer::text(std::string_view value) {
  number(static_cast<std::uint32_t>(value.size()));
  append(value.data(), value.size());
  return *this;
}

void wire_reader::copy(void* to, std::size_t size) {
  if (failed_ || size > rest_.size()) {
    failed_ = true;
    rest_ = {};
    return;
  }
  if (size > 0)
    std::memcpy(to, rest_.data(), size);
  rest_ = rest_.subspan(size);
}

bool wire_reader::flag() {
  const auto value = number<std::uint8_t>();
  failed_ = failed_ || value > 1;
  return value == 1;
}

std::string wire_reader::text() {
  const auto size = number<std::uint32_t>();
  if (failed_ || size > rest_.size()) {
    failed_ = true;
    return {};
  }
  std::string value(size, '\0');
  copy(value.data(), size);
  return value;
}

} // namespace triage
