#include "core/exact_tail.hpp"

#include "core/finite.hpp"

#include <cstring>

namespace triage {

void exact_tail::encode(std::span<const float> values, std::uint64_t round, byte_block& out) const {
  compressor_.encode(values.first(values.size() - tail_), round, out);
  const auto tail = std::as_bytes(values.last(tail_));
  const std::size_t head = out.size();
  out.resize(head + tail.size());
  if (!tail.empty())
    std::memcpy(out.data() + head, tail.data(), tail.size());
}

result<void> exact_tail::decode(std::span<const std::uint8_t> bytes, std::span<float> out) const {
  const std::size_t tail = tail_ * sizeof(float);
  if (bytes.size() < tail)
    return run_error("a compressed message is shorter than what it must hold");
  if (tail > 0)
    std::memcpy(out.last(tail_).data(), bytes.last(tail).data(), tail);
  if (!all_finite(out.last(tail_)))
    return run_error("a compressed message holds values that are not finite");
  return compressor_.decode(bytes.first(bytes.size() - tail), out.first(out.size() - tail_));
}

} // namespace triage
