#include "apps/race/chart.hpp"

#include "apps/race/axis.hpp"
#include "apps/race/format.hpp"
#include "apps/race/html.hpp"
#include "apps/race/metric.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace triage {

namespace {

constexpr double left = 56.0;
constexpr double right = 438.0; // the names of the arms stand beside it
constexpr double top = 10.0;
constexpr double bottom = 262.0;
constexpr double width = 540.0;
constexpr double height = 304.0;
constexpr double label_height = 14.0;
/// The steep start of a curve may leave the frame, so that the end, which matters, can be read.
constexpr double ignored_start = 0.12;

struct frame {
  axis x;
  axis y;
  [[nodiscard]] double px(double v) const { return std::lerp(left, right, x.place(v)); }
  [[nodiscard]] double py(double v) const { return std::lerp(bottom, top, y.place(v)); }
};

double along(const band_point& p, chart_cost cost) {
  return cost == chart_cost::seconds ? p.seconds : p.samples;
}

using bands = std::vector<std::vector<band_point>>;

frame fit(const race_outcome& race, const bands& curves, std::string_view metric, chart_cost cost) {
  const bool logarithmic = metric.ends_with("loss") && metric.starts_with("train");
  double x_high = 0.0;
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  const auto include = [&](double v) {
    if (logarithmic && !(v > 0.0))
      return;
    low = std::min(low, v);
    high = std::max(high, v);
  };
  for (const auto& curve : curves) {
    const auto skipped = static_cast<std::size_t>(ignored_start * static_cast<double>(curve.size()));
    for (std::size_t i = 0; i < curve.size(); ++i) {
      x_high = std::max(x_high, along(curve[i], cost));
      if (i < skipped && !logarithmic)
        continue;
      include(curve[i].low);
      include(curve[i].high);
    }
  }
  for (const auto& target : race.targets)
    if (target.target.metric == metric && target.value)
      include(*target.value);
  if (!(low <= high))
    low = 0.0, high = 1.0;
  const double space = logarithmic ? 0.0 : 0.04 * (high - low);
  return {make_axis(0.0, x_high, false), make_axis(low - space, high + space, logarithmic)};
}

std::string grid_lines(const frame& f, chart_cost cost) {
  std::string out;
  for (const double t : f.y.ticks)
    out += fmt::format(
        "<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/><text x=\"{:.1f}\" "
        "y=\"{:.1f}\" text-anchor=\"end\">{:g}</text>",
        left, right, f.py(t), f.py(t), left - 6.0, f.py(t) + 4.0, t);
  for (const double t : f.x.ticks)
    out += fmt::format(
        "<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/><text x=\"{:.1f}\" "
        "y=\"{:.1f}\" text-anchor=\"middle\">{}</text>",
        f.px(t), f.px(t), bottom, bottom + 4.0, f.px(t), bottom + 18.0,
        cost == chart_cost::seconds || t == 0.0 ? fmt::format("{:g}", t) : count_text(t));
  out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", (left + right) / 2.0,
                     height - 6.0, cost == chart_cost::seconds ? "seconds of training" : "gradient samples");
  return out;
}

std::string curve_lines(const frame& f, const std::vector<band_point>& curve, std::size_t arm,
                        chart_cost cost) {
  std::string line;
  std::string band;
  if (curve.empty())
    return line;
  for (const auto& p : curve) {
    line += fmt::format("{:.1f},{:.1f} ", f.px(along(p, cost)), f.py(p.middle));
    band += fmt::format("{:.1f},{:.1f} ", f.px(along(p, cost)), f.py(p.high));
  }
  for (auto p = curve.rbegin(); p != curve.rend(); ++p)
    band += fmt::format("{:.1f},{:.1f} ", f.px(along(*p, cost)), f.py(p->low));
  return fmt::format(
      "<polygon class=\"band\" fill=\"{0}\" points=\"{1}\"/><polyline class=\"median\" stroke=\"{0}\" "
      "points=\"{2}\"/><circle fill=\"{0}\" cx=\"{3:.1f}\" cy=\"{4:.1f}\" r=\"3\"/>",
      arm_colour(arm), band, line, f.px(along(curve.back(), cost)), f.py(curve.back().middle));
}

/// The names at the ends of their curves, pushed apart where they would overlap.
std::string labels(const race_outcome& race, const frame& f, const bands& curves) {
  struct label {
    std::size_t arm;
    double y;
  };
  std::vector<label> all;
  for (std::size_t i = 0; i < curves.size(); ++i)
    if (!curves[i].empty())
      all.push_back({i, std::clamp(f.py(curves[i].back().middle), top, bottom)});
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.y < b.y; });
  for (std::size_t i = 1; i < all.size(); ++i)
    all[i].y = std::max(all[i].y, all[i - 1].y + label_height);
  double limit = bottom;
  for (auto l = all.rbegin(); l != all.rend(); ++l) {
    l->y = std::min(l->y, limit);
    limit = l->y - label_height;
  }
  std::string out;
  for (const auto& l : all) {
    std::string name = race.spec.arms[l.arm].name;
    if (name.size() > 14)
      name = name.substr(0, 13) + "…";
    out += fmt::format("<text class=\"label\" style=\"fill:{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>",
                       arm_colour(l.arm), right + 6.0, l.y + 4.0, escape_html(name));
  }
  return out;
}

} // namespace

std::string arm_colour(std::size_t arm) {
  return fmt::format("var(--arm-{})", arm % arm_colours);
}

std::string curve_chart(const race_outcome& race, std::string_view metric, chart_cost cost) {
  bands curves;
  bool measured = false;
  for (const auto& arm : race.arms) {
    curves.push_back(median_curve(arm.runs, metric));
    measured = measured || !curves.back().empty();
  }
  if (!measured)
    return {};
  const frame f = fit(race, curves, metric, cost);
  std::string out =
      fmt::format("<svg viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"{} against {}\">", width, height,
                  readable(metric), cost == chart_cost::seconds ? "seconds" : "gradient samples");
  out += grid_lines(f, cost);
  for (const auto& target : race.targets)
    if (target.target.metric == metric && target.value)
      out += fmt::format(
          "<line class=\"goal\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"><title>target "
          "{}</title></line>",
          left, right, f.py(*target.value), f.py(*target.value), figure_text(*target.value));
  // An SVG within the SVG cuts off what leaves the frame.
  out += fmt::format(
      "<svg x=\"{0:g}\" y=\"{1:g}\" width=\"{2:g}\" height=\"{3:g}\" viewBox=\"{0:g} {1:g} {2:g} {3:g}\">",
      left, top, right + 4.0 - left, bottom - top);
  for (std::size_t i = 0; i < curves.size(); ++i)
    out += curve_lines(f, curves[i], i, cost);
  return out + "</svg>" + labels(race, f, curves) + "</svg>";
}

} // namespace triage
