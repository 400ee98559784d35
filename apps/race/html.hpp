#pragma once

#include <string>
#include <string_view>

namespace triage {

/// Text as it may stand in HTML and SVG, also within quoted attributes.
[[nodiscard]] std::string escape_html(std::string_view text);

/// The style sheet of the report; colours of arms are the variables --arm-0 to --arm-7.
[[nodiscard]] std::string_view report_style();
constexpr int arm_colours = 8;

} // namespace triage
