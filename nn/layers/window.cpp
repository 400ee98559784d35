#include "nn/layers/window.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace triage {

namespace {

struct axis {
  std::int64_t out = 0;
  std::int64_t before = 0;
  std::int64_t after = 0;
};

axis same(std::int64_t in, std::int64_t size, std::int64_t step) {
  axis a;
  a.out = (in + step - 1) / step;
  const std::int64_t missing = std::max<std::int64_t>((a.out - 1) * step + size - in, 0);
  a.before = missing / 2;
  a.after = missing - a.before;
  return a;
}

axis padded(std::int64_t in, std::int64_t size, std::int64_t step, std::int64_t pad) {
  axis a;
  a.before = pad;
  // oneDNN's output is floor((in + before + after - size) / step) + 1.
  a.after = pad;
  const std::int64_t room = in + 2 * pad - size;
  a.out = room < 0 ? 0 : room / step + 1;
  return a;
}

} // namespace

result<window::placement> window::place(const sample_shape& input) const {
  std::int64_t pad = 0;
  const bool is_same = padding.is_string() && padding.as_string() == "same";
  if (padding.is_integer())
    pad = padding.as_integer();
  else if (!is_same && !(padding.is_string() && padding.as_string() == "valid"))
    return configuration_error(
        fmt::format("padding must be \"same\", \"valid\" or a number of pixels, not {}", dump_json(padding)));
  if (pad < 0 || pad >= size)
    return configuration_error(
        fmt::format("padding {} is not between 0 and the window's size {}", pad, size));
  const axis h = is_same ? same(input.height, size, step()) : padded(input.height, size, step(), pad);
  const axis w = is_same ? same(input.width, size, step()) : padded(input.width, size, step(), pad);
  if (h.out < 1 || w.out < 1)
    return configuration_error(
        fmt::format("a {0}x{0} window does not fit into {1}x{2}; use a smaller one, \"padding\": "
                    "\"same\", or fewer pools before",
                    size, input.height, input.width));
  return placement{h.out, w.out, h.before, h.after, w.before, w.after};
}

} // namespace triage
