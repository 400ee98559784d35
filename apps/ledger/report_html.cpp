#include "apps/ledger/png.hpp"
#include "apps/ledger/report.hpp"
#include "apps/race/html.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace triage {

namespace {

constexpr std::size_t bars = 30;

/// Counts in equal steps from 0 to the largest value.
std::string histogram(const std::vector<double>& values, const std::string& title) {
  if (values.empty())
    return {};
  const double most = std::max(*std::max_element(values.begin(), values.end()), 1e-9);
  std::vector<std::size_t> counts(bars, 0);
  for (const double v : values)
    ++counts[std::min(static_cast<std::size_t>(v / most * static_cast<double>(bars)), bars - 1)];
  const auto highest = static_cast<double>(*std::max_element(counts.begin(), counts.end()));
  std::string out =
      fmt::format("<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 620 190\" role=\"img\" "
                  "aria-label=\"{}\">",
                  escape_html(title), escape_html(title));
  for (std::size_t b = 0; b < bars; ++b) {
    // The square root lets rare values be seen.
    const double height = 150.0 * std::sqrt(static_cast<double>(counts[b]) / highest);
    out += fmt::format(
        "<rect x=\"{}\" y=\"{:.1f}\" width=\"18\" height=\"{:.1f}\" fill=\"var(--arm-1)\"><title>{} "
        "points</title></rect>",
        10 + 20 * b, 160.0 - height, height, counts[b]);
  }
  return out +
         fmt::format("<text x=\"10\" y=\"180\">0</text><text x=\"610\" y=\"180\" text-anchor=\"end\">{:.3g}"
                     "</text></svg></figure>\n",
                     most);
}

std::string class_table(const data_splits& data, const point_ledger& ledger, const ledger_account& account) {
  struct row {
    std::size_t points = 0;
    std::size_t trained = 0;
    double visits = 0.0;
    double loss = 0.0; ///< of the trained ones
    std::size_t unlearned = 0;
  };
  const dataset& train = data.train;
  std::vector<row> rows(static_cast<std::size_t>(train.classes));
  for (std::size_t i = 0; i < ledger.size(); ++i) {
    row& r = rows[static_cast<std::size_t>(train.labels[i])];
    ++r.points;
    r.visits += ledger.times_trained(i);
    if (ledger.times_trained(i) == 0)
      continue;
    ++r.trained;
    r.loss += static_cast<double>(ledger.mean_loss(i));
  }
  for (const auto id : account.never_learned)
    ++rows[static_cast<std::size_t>(train.labels[id])].unlearned;
  std::string out =
      "<div class=\"scroll\"><table><tr><th>class</th><th>points</th><th>visits a point</th><th>mean "
      "loss</th><th>never learned</th></tr>\n";
  for (std::size_t c = 0; c < rows.size(); ++c) {
    const auto share = [](double sum, std::size_t n) {
      return sum / static_cast<double>(std::max<std::size_t>(n, 1));
    };
    out += fmt::format("<tr><td>{}</td><td>{}</td><td>{:.2f}</td><td>{:.4f}</td><td>{}</td></tr>\n",
                       escape_html(data.names.of_class(static_cast<std::int32_t>(c))), rows[c].points,
                       share(rows[c].visits, rows[c].points), share(rows[c].loss, rows[c].trained),
                       rows[c].unlearned);
  }
  return out + "</table></div>\n";
}

std::string values_text(const dataset& train, std::size_t id) {
  constexpr std::size_t shown = 12;
  const auto n = static_cast<std::size_t>(train.shape.size());
  std::string out;
  for (std::size_t k = 0; k < std::min(n, shown); ++k)
    out += train.is_bytes() ? fmt::format("{} ", train.byte_rows()[id][k])
                            : fmt::format("{:.4g} ", train.float_rows()[id][k]);
  return out + (n > shown ? "…" : "");
}

std::string card(const dataset& train, std::uint32_t id, const std::string& text) {
  if (is_picture(train.shape))
    return fmt::format("<div class=\"card\">{}<div>{}<br><small>#{}</small></div></div>\n",
                       picture_tag(train, id), text, id);
  return fmt::format("<div class=\"card\"><code>{}</code><div>{}<br><small>#{}</small></div></div>\n",
                     escape_html(values_text(train, id)), text, id);
}

constexpr std::string_view own_style = R"(
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(92px, 1fr)); gap: .6rem; }
.grid.wide { grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); }
.card { background: var(--panel); border-radius: 6px; padding: .45rem; font-size: .8rem; line-height: 1.3; }
.card img { width: 100%; image-rendering: pixelated; display: block; border-radius: 3px; margin-bottom: .25rem; }
)";

} // namespace

std::string ledger_html(const run_setup& setup, const point_ledger& ledger, const ledger_account& account,
                        std::size_t pictures) {
  const dataset& train = setup.data.train;
  const auto class_tag = [&](std::int32_t label) { return escape_html(setup.data.names.of_class(label)); };
  std::vector<double> visits;
  std::vector<double> losses;
  for (std::size_t i = 0; i < ledger.size(); ++i) {
    visits.push_back(ledger.times_trained(i));
    if (ledger.times_trained(i) > 0)
      losses.push_back(static_cast<double>(ledger.mean_loss(i)));
  }
  const char* const wide = is_picture(train.shape) ? "" : " wide";
  std::string out =
      fmt::format("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
                  "content=\"width=device-width\"><title>Ledger of "
                  "{0}</title><style>{1}{2}</style>\n<h1>Ledger of {0}</h1>\n",
                  escape_html(setup.config.name), report_style(), own_style);
  out += fmt::format("<ul class=\"summary\"><li>{} training points; {} were never trained.</li>",
                     ledger.size(), account.never_trained.size());
  if (train.is_classification())
    out += fmt::format("<li>{} were trained and never learned: their loss always was above {:.3g}, that of a "
                       "right class with half of the probability and even shares for the others.</li>",
                       account.never_learned.size(), setup.loss->loss_at_one_half(train.classes));
  out += "</ul>\n<div class=\"charts\">" + histogram(visits, "points by visits") +
         histogram(losses, "points by mean loss over their visits") + "</div>\n";
  if (train.is_classification())
    out += "<h2>Classes</h2>\n" + class_table(setup.data, ledger, account);
  out += "<h2>Most likely mislabelled</h2><p class=\"soft\">High loss that never falls, compared with the "
         "point's "
         "class. The label is followed by what the model says now.</p>\n";
  out += fmt::format("<div class=\"grid{}\">\n", wide);
  for (std::size_t r = 0; r < std::min(pictures, account.suspects.size()); ++r) {
    const suspect& s = account.suspects[r];
    out += card(train, s.id,
                train.is_classification() ? fmt::format("{} → {} ({:.0f} %)", class_tag(train.labels[s.id]),
                                                        class_tag(s.opinion), 100.0 * s.probability)
                                          : fmt::format("mean loss {:.3g}", ledger.mean_loss(s.id)));
  }
  out += "</div>\n";
  if (!account.never_learned.empty()) {
    auto ids = account.never_learned;
    std::sort(ids.begin(), ids.end(),
              [&](auto a, auto b) { return ledger.lowest_loss(a) > ledger.lowest_loss(b); });
    out += fmt::format("<h2>Never learned</h2><div class=\"grid{}\">\n", wide);
    for (std::size_t k = 0; k < std::min(pictures, ids.size()); ++k)
      out += card(
          train, ids[k],
          fmt::format("{}, at best {:.2f}", class_tag(train.labels[ids[k]]), ledger.lowest_loss(ids[k])));
    out += "</div>\n";
  }
  return out + "</html>\n";
}

} // namespace triage
