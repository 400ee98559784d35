#include "apps/race/format.hpp"

#include <cmath>
#include <cstdint>
#include <fmt/format.h>

namespace triage {

std::string seconds_text(double seconds) {
  if (!std::isfinite(seconds))
    return "not reached";
  if (seconds < 0.1)
    return fmt::format("{:.1f} ms", 1e3 * seconds);
  return seconds < 10.0 ? fmt::format("{:.2f} s", seconds)
                        : fmt::format("{:.{}f} s", seconds, seconds < 100.0 ? 1 : 0);
}

std::string count_text(double count) {
  if (!std::isfinite(count))
    return "not reached";
  if (count < 1e4)
    return fmt::format("{:.0f}", count);
  // Three significant digits; no trailing zeros.
  return count < 999.5e3 ? fmt::format("{:.3g}k", count / 1e3)
                         : fmt::format("{:.{}g}M", count / 1e6, count < 1e9 ? 3 : 6);
}

std::string ratio_text(double ratio) {
  if (std::isinf(ratio))
    return "∞";
  return ratio == 0.0 ? "0" : fmt::format("{:.2f}x", ratio);
}

std::string figure_text(double figure) {
  if (std::isnan(figure))
    return "-";
  return std::isinf(figure) ? "failed" : fmt::format("{:.4g}", figure);
}

std::string exact_text(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "";
}

std::string duration_text(double seconds) {
  if (seconds < 60.0)
    return fmt::format("{:.0f} s", seconds);
  const auto minutes = static_cast<std::int64_t>(std::llround(seconds / 60.0));
  return minutes < 60 ? fmt::format("{} min", minutes)
                      : fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

} // namespace triage
