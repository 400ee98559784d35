#include "apps/race/chart.hpp"
#include "apps/race/endings.hpp"
#include "apps/race/finals.hpp"
#include "apps/race/format.hpp"
#include "apps/race/html.hpp"
#include "apps/race/metric.hpp"
#include "apps/race/report.hpp"
#include "apps/race/statements.hpp"

#include <cmath>
#include <fmt/format.h>
#include <set>

namespace triage {

namespace {

std::string arm_cell(const race_outcome& race, std::size_t arm) {
  return fmt::format("<td><span class=\"swatch\" style=\"background:{}\"></span>{}</td>", arm_colour(arm),
                     escape_html(race.spec.arms[arm].name));
}

std::string items(const std::vector<std::string>& texts) {
  std::string out = "<ul>";
  for (const auto& text : texts)
    out += "<li>" + escape_html(text) + "</li>";
  return out + "</ul>\n";
}

/// Which way a statement points: for the colour of its edge.
const char* mood(const target_outcome& target, std::size_t statement) {
  if (!target.value || statement + 1 >= target.arms.size())
    return "";
  const auto& bounds = target.arms[statement + 1].costs.front().bounds;
  if (!bounds || bounds->contains(1.0))
    return "";
  return bounds->low > 1.0 ? " class=\"good\"" : " class=\"bad\"";
}

const char* mood(const ending& e) {
  if (!e.bounds || e.bounds->contains(0.0))
    return "";
  return at_least_as_good(e.metric, e.difference, 0.0) ? " class=\"good\"" : " class=\"bad\"";
}

std::string summary(const race_outcome& race) {
  std::string out = "<ul class=\"summary\">";
  for (const auto& target : race.targets)
    for (std::size_t i = 0; i < target.statements.size(); ++i)
      out += fmt::format("<li{}>{}</li>", mood(target, i), escape_html(target.statements[i]));
  for (const auto& e : endings(race))
    out += fmt::format("<li{}>{}</li>", mood(e), escape_html(to_sentence(race, e)));
  out += "</ul>\n";
  if (!race.remarks.empty())
    out += "<h3>Before you believe it</h3>" + items(race.remarks);
  return out;
}

std::string cost_text(double v, race_cost cost) {
  return cost == race_cost::samples ? count_text(v) : seconds_text(v);
}

std::string cost_cells(const cost_outcome& cost, race_cost kind, bool baseline) {
  std::string out = fmt::format("<td>{} <small>[{} – {}]</small></td>", cost_text(cost.middle, kind),
                                cost_text(cost.best, kind), cost_text(cost.worst, kind));
  if (baseline)
    return out + "<td>1</td>";
  out += "<td>" + (cost.at_least ? "≥ " + ratio_text(*cost.at_least)
                   : cost.ratio  ? ratio_text(*cost.ratio)
                                 : std::string("–"));
  if (cost.bounds)
    out +=
        fmt::format(" <small>({} – {})</small>", ratio_text(cost.bounds->low), ratio_text(cost.bounds->high));
  return out + "</td>";
}

std::string target_table(const race_outcome& race, const target_outcome& target) {
  std::string out = fmt::format("<h3>{}</h3>", escape_html(describe(race.spec, target)));
  if (!target.value)
    return out + items(target.statements);
  out += ratio_chart(race, target);
  out += "<div class=\"scroll\"><table><tr><th>arm</th><th>reached</th><th>time: median [min – "
         "max]</th><th>times "
         "sooner (95 %)</th><th>gradient samples</th><th>times fewer</th><th>compute</th><th>times "
         "less</th><th>sooner, "
         "seed by seed</th></tr>";
  for (std::size_t i = 0; i < target.arms.size(); ++i) {
    const auto& arm = target.arms[i];
    out += "<tr>" + arm_cell(race, i) + fmt::format("<td>{} of {}</td>", arm.reached, arm.crossings.size());
    for (std::size_t c = 0; c < race_costs.size(); ++c)
      out += cost_cells(arm.costs[c], race_costs[c], i == 0);
    out += i == 0 ? std::string("<td>–</td></tr>")
                  : fmt::format("<td>{} of {}</td></tr>", arm.costs.front().sooner, arm.costs.front().pairs);
  }
  return out + "</table></div>\n";
}

std::string row_text(const std::string& row, double v) {
  if (row == "scoring_share")
    return fmt::format("{:.1f} %", 100.0 * v);
  if (row == "train_seconds")
    return seconds_text(v);
  return row == "samples_per_second" ? count_text(v) : figure_text(v);
}

std::string finals_table(const race_outcome& race) {
  const auto rows = final_rows(race);
  std::string out = "<div class=\"scroll\"><table><tr><th>arm</th>";
  for (const auto& row : rows)
    out += "<th>" + readable(row.name) + "</th>";
  out += "</tr>";
  for (std::size_t i = 0; i < race.arms.size(); ++i) {
    out += "<tr>" + arm_cell(race, i);
    for (const auto& row : rows) {
      const auto& s = row.arms[i];
      out += s ? fmt::format("<td>{} <small>[{} – {}]</small></td>", row_text(row.name, s->middle),
                             row_text(row.name, s->low), row_text(row.name, s->high))
               : std::string("<td>–</td>");
    }
    out += "</tr>";
  }
  return out + "</table></div>\n<p class=\"soft\">Median over seeds [smallest – largest], at the end of the "
               "runs.</p>\n";
}

std::string charts(const race_outcome& race) {
  std::string out = "<p class=\"legend\">";
  for (std::size_t i = 0; i < race.arms.size(); ++i)
    out += fmt::format("<span><span class=\"swatch\" style=\"background:{}\"></span>{}</span>", arm_colour(i),
                       escape_html(race.spec.arms[i].name));
  out += "</p><div class=\"charts\">";
  for (const char* metric : {"train_loss", "test_loss", "test_accuracy", "test_balanced_accuracy"})
    for (const auto cost : {chart_cost::seconds, chart_cost::samples})
      if (const auto chart = curve_chart(race, metric, cost); !chart.empty())
        out += fmt::format("<figure><figcaption>{}{}</figcaption>{}</figure>\n", readable(metric),
                           std::string_view(metric) == "train_loss" ? ", logarithmic" : "", chart);
  return out + "</div>\n<p class=\"soft\">Line: median over seeds. Band: from the smallest to the largest "
               "seed. Dashed: "
               "targets. The steep start may leave the frame.</p>\n";
}

std::string arms_table(const race_outcome& race) {
  std::string out =
      "<div class=\"scroll\"><table><tr><th>arm</th><th style=\"text-align:left\">differs from the base "
      "in</th></tr>";
  for (std::size_t i = 0; i < race.arms.size(); ++i) {
    out += "<tr>" + arm_cell(race, i) + "<td class=\"text\">";
    const auto changes = changes_of(race.spec.arms[i], race.arms[i].point);
    for (const auto& change : changes)
      out += "<code>" + escape_html(change) + "</code> ";
    out += changes.empty() ? "nothing" : "";
    if (const auto& of = race.spec.arms[i].grid_of; !of.empty())
      out += "<span class=\"soft\">(tuned for " + escape_html(of) + ")</span>";
    out += "</td></tr>";
  }
  return out + "</table></div>\n";
}

std::string tuning_table(const race_outcome& race, const tuning_outcome& tuning) {
  std::string out =
      fmt::format("<h3>{}: mean {} over {} seeds</h3><div class=\"scroll\"><table><tr><th>values</th>"
                  "<th>mean</th><th>by seed</th></tr>",
                  escape_html(race.spec.arms[tuning.arm].name), readable(race.spec.tuning_metric),
                  race.spec.tuning_seeds.size());
  for (std::size_t i = 0; i < tuning.points.size(); ++i) {
    const auto& p = tuning.points[i];
    std::string figures;
    for (const double v : p.figures)
      figures += (figures.empty() ? "" : ", ") + figure_text(v);
    out += fmt::format("<tr{}><td>{}{}</td><td>{}</td><td>{}</td></tr>",
                       i == tuning.chosen ? " class=\"chosen\"" : "", escape_html(p.point.name),
                       i == tuning.chosen ? " (chosen)" : "", figure_text(p.mean), figures);
  }
  return out + "</table></div>\n";
}

std::string plain(const json_value& v) {
  return v.is_string() ? v.as_string() : dump_json(v);
}

std::string circumstances(const race_outcome& race, const race_circumstances& around) {
  std::string out = "<ul>";
  for (const auto& [title, part] :
       {std::pair{"Machine", &around.machine}, std::pair{"Build", &around.build}}) {
    std::string line;
    if (part->is_object())
      for (const auto& [name, value] : part->as_object())
        line += (line.empty() ? "" : ", ") + readable(name) + " " + plain(value);
    out += fmt::format("<li>{}: {}</li>", title, escape_html(line));
  }
  std::string seeds;
  for (const auto seed : race.spec.seeds)
    seeds += (seeds.empty() ? "" : ", ") + fmt::format("{}", seed);
  out += fmt::format("<li>{} core{} for each run, {} at a time; seeds {}; evaluated every {:g} epochs</li>",
                     race.spec.cores, race.spec.cores == 1 ? "" : "s", race.spec.parallel, seeds,
                     race.spec.evaluate_every_epochs);
  std::set<std::string> prints;
  for (const auto& arm : race.arms)
    for (const auto& run : arm.runs)
      if (!run.data_fingerprint.empty())
        prints.insert(run.data_fingerprint);
  if (prints.size() == 1)
    out += fmt::format("<li>Data fingerprint <code>{}</code></li>", escape_html(*prints.begin()));
  else
    out += fmt::format("<li>{} data fingerprints (in race.json): the data depend on the seed or the arm</li>",
                       prints.size());
  return out + "</ul>\n";
}

} // namespace

std::string report_html(const race_outcome& race, const race_circumstances& around) {
  const std::string name = escape_html(race.spec.name);
  std::string out =
      fmt::format("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                  "content=\"width=device-width, initial-scale=1\"><title>Race: {}</title><style>{}</style>"
                  "</head><body>\n",
                  name, report_style());
  out += fmt::format(
      "<h1>Race: {}</h1><p class=\"soft\">{} arms against each other with {} seeds; baseline: {}. "
      "Finished {}.</p>\n",
      name, race.arms.size(), race.spec.seeds.size(), escape_html(race.spec.arms.front().name),
      escape_html(around.finished));
  out += summary(race) + "<h2>Cost of reaching a figure</h2>\n";
  for (const auto& target : race.targets)
    out += target_table(race, target);
  out += "<h2>Where the runs end</h2>\n" + finals_table(race);
  out += "<h2>Curves</h2>\n" + charts(race);
  out += "<h2>Arms</h2>\n" + arms_table(race);
  if (!race.tuning.empty()) {
    out += "<h2>Tuning</h2>\n";
    for (const auto& tuning : race.tuning)
      out += tuning_table(race, tuning);
  }
  out += "<h2>Conditions</h2>\n" + circumstances(race, around);
  out += "<h2>What these figures do not say</h2>\n" + items(caveats());
  out +=
      fmt::format("<details><summary>The base description</summary><pre>{}</pre></details>\n</body></html>\n",
                  escape_html(dump_json(race.spec.base, 2)));
  return out;
}

} // namespace triage
