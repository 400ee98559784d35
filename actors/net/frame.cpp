#include "actors/net/frame.hpp"

#include "core/wire.hpp"

#include <algorithm>

namespace triage {

std::array<std::uint8_t, frame_header::size> frame_header::encode() const {
  wire_writer out;
  out.number(magic).number(static_cast<std::uint16_t>(kind)).number(static_cast<std::uint8_t>(format));
  out.number<std::uint8_t>(0).number(head_bytes).number(bulk_floats);
  std::array<std::uint8_t, size> bytes{};
  std::ranges::copy(out.take(), bytes.begin());
  return bytes;
}

result<frame_header> frame_header::decode(std::span<const std::uint8_t> bytes) {
  wire_reader in(bytes.first(size));
  frame_header h;
  const auto begin = in.number<std::uint32_t>();
  h.kind = static_cast<frame_kind>(in.number<std::uint16_t>());
  const auto format = in.number<std::uint8_t>();
  const auto zero = in.number<std::uint8_t>();
  h.head_bytes = in.number<std::uint32_t>();
  h.bulk_floats = in.number<std::uint32_t>();
  if (begin != magic || zero != 0 || format > static_cast<std::uint8_t>(float_format::float16))
    return run_error("what it sent is not a triage frame");
  h.format = static_cast<float_format>(format);
  return h;
}

frame::frame(frame_kind kind, std::vector<std::uint8_t> head)
    : frame(kind, std::move(head), blob(), float_format::float32) {}

frame::frame(frame_kind kind, std::vector<std::uint8_t> head, blob bulk, float_format format)
    : frame(kind, std::move(head), bulk, 0, bulk.size(), format) {}

frame::frame(frame_kind kind, std::vector<std::uint8_t> head, blob bulk, std::size_t begin, std::size_t size,
             float_format format)
    : floats_(std::move(bulk)), begin_(begin), size_(size) {
  frame_header h;
  h.format = format;
  h.bulk_floats = static_cast<std::uint32_t>(size);
  set_front(kind, h, head);
  if (format != float_format::float32 && size > 0) {
    auto rounded = std::make_shared_for_overwrite<std::uint16_t[]>(size);
    to_short(format, floats_.view().subspan(begin, size), {rounded.get(), size});
    shorts_ = std::move(rounded);
    floats_ = blob();
  }
}

void frame::set_front(frame_kind kind, frame_header header, std::span<const std::uint8_t> head) {
  header.kind = kind;
  header.head_bytes = static_cast<std::uint32_t>(head.size());
  const auto encoded = header.encode();
  front_.assign(encoded.begin(), encoded.end());
  front_.insert(front_.end(), head.begin(), head.end());
  overtakes_ = kind == frame_kind::ping || kind == frame_kind::pong;
}

frame frame::as(frame_kind kind, std::span<const std::uint8_t> head) const {
  frame other = *this;
  other.set_front(kind, *frame_header::decode(front_), head);
  return other;
}

std::span<const std::uint8_t> frame::bulk() const {
  if (shorts_)
    return {reinterpret_cast<const std::uint8_t*>(shorts_.get()), size_ * sizeof(std::uint16_t)};
  const auto floats = floats_.view().subspan(begin_, size_);
  return {reinterpret_cast<const std::uint8_t*>(floats.data()), floats.size_bytes()};
}

} // namespace triage
