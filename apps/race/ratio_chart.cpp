#include "apps/race/axis.hpp"
#include "apps/race/chart.hpp"
#include "apps/race/format.hpp"
#include "apps/race/html.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace triage {

namespace {

constexpr double left = 150.0;
constexpr double right = 610.0;
constexpr double width = 740.0;
constexpr double row_height = 30.0;
constexpr double least = 0.1; ///< ratios beyond these stand at the edge
constexpr double most = 10.0;

double inside(double ratio) {
  return std::clamp(ratio, least, most);
}

} // namespace

std::string ratio_chart(const race_outcome& race, const target_outcome& target) {
  double low = 1.0;
  double high = 1.0;
  std::size_t rows = 0;
  for (const auto& arm : target.arms) {
    const auto& cost = arm.costs.front();
    if (!cost.ratio || !cost.bounds)
      continue;
    ++rows;
    low = std::min(low, inside(cost.bounds->low));
    high = std::max(high, inside(cost.bounds->high));
  }
  if (rows == 0)
    return {};
  const axis x = make_axis(low / 1.1, high * 1.1, true);
  const auto px = [&](double v) { return std::lerp(left, right, x.place(inside(v))); };
  const double bottom = row_height * static_cast<double>(rows) + 6.0;
  std::string out =
      fmt::format("<svg viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"how many times sooner, with "
                  "intervals\">",
                  width, bottom + 24.0);
  for (const double t : x.ticks)
    out += fmt::format(
        "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"4\" y2=\"{1:.1f}\"/><text x=\"{0:.1f}\" "
        "y=\"{2:.1f}\" text-anchor=\"middle\">{3:g}x</text>",
        px(t), bottom, bottom + 16.0, t);
  out += fmt::format("<line class=\"goal\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"0\" y2=\"{1:.1f}\"/>", px(1.0),
                     bottom);
  double y = 4.0 + row_height / 2.0;
  for (std::size_t i = 0; i < target.arms.size(); ++i) {
    const auto& cost = target.arms[i].costs.front();
    if (!cost.ratio || !cost.bounds)
      continue;
    const auto colour = arm_colour(i);
    out += fmt::format(
        "<text class=\"label\" style=\"fill:{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>",
        colour, left - 10.0, y + 4.0, escape_html(race.spec.arms[i].name.substr(0, 20)));
    out += fmt::format(
        "<line stroke=\"{}\" stroke-width=\"5\" stroke-linecap=\"round\" opacity=\".45\" x1=\"{:.1f}\" "
        "x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>",
        colour, px(cost.bounds->low), px(cost.bounds->high), y, y);
    out += fmt::format("<circle fill=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5.5\"/>", colour, px(*cost.ratio),
                       y);
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", right + 12.0, y + 4.0,
                       ratio_text(*cost.ratio));
    y += row_height;
  }
  return out + "</svg>";
}

} // namespace triage
