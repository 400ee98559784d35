#pragma once

#include <string>

namespace triage {

// Numbers as a report shows them.

/// "0.84 s", "12.3 s", "284 s"; "not reached" for infinity.
[[nodiscard]] std::string seconds_text(double seconds);
/// "950", "48.2k", "1.2M"; "not reached" for infinity.
[[nodiscard]] std::string count_text(double count);
/// "1.89x"; "∞" for infinity, "0" for zero: one of both never gets there.
[[nodiscard]] std::string ratio_text(double ratio);
/// Four significant digits; "failed" for infinities, "-" for NaN.
[[nodiscard]] std::string figure_text(double figure);
/// For machines: the shortest text that reads back the same; empty for what is not finite.
[[nodiscard]] std::string exact_text(double value);
/// "45 s", "7 min", "2 h 05 min".
[[nodiscard]] std::string duration_text(double seconds);

} // namespace triage
