#include "apps/race/html.hpp"

namespace triage {

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text)
    switch (c) {
    case '&':
      out += "&amp;";
      break;
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    case '"':
      out += "&quot;";
      break;
    case '\'':
      out += "&#39;";
      break;
    default:
      out += c;
    }
  return out;
}

std::string_view report_style() {
  // The colours of the arms are Okabe and Ito's, which colour-blind readers can tell apart, lightened for
  // the dark scheme.
  return R"(
:root { color-scheme: light dark; --ink: #1c2128; --soft: #5b6470; --line: #d5dae0; --paper: #fff; --panel: #f5f7f9;
  --good: #0b6b4f; --bad: #a33a00;
  --arm-0: #5b6470; --arm-1: #0072b2; --arm-2: #d55e00; --arm-3: #009e73; --arm-4: #cc79a7; --arm-5: #b98500;
  --arm-6: #56b4e9; --arm-7: #882255; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --soft: #9aa4af; --line: #39424c; --paper: #14181d;
  --panel: #1d2329; --good: #3fd0a4; --bad: #ff9a5c;
  --arm-0: #a9b2bc; --arm-1: #4db2f0; --arm-2: #ff8a4c; --arm-3: #2fcb9b; --arm-4: #e69ac6; --arm-5: #f2b53a;
  --arm-6: #9ad4f5; --arm-7: #d96c9b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; } h2 { font-size: 1.2rem; margin: 2.4rem 0 .7rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; } p { margin: .4rem 0; } .soft { color: var(--soft); }
ul { margin: .4rem 0; padding-left: 1.2rem; } li { margin: .25rem 0; }
ul.summary { list-style: none; padding: 1rem 1.2rem; background: var(--panel); border-radius: 8px; font-size: 1.06rem; }
ul.summary li { padding: .2rem 0 .2rem .8rem; border-left: 4px solid var(--line); margin: .4rem 0; }
ul.summary li.good { border-color: var(--good); } ul.summary li.bad { border-color: var(--bad); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .38rem .7rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; color: var(--soft); font-size: .86rem; } th:first-child, td:first-child { text-align: left; }
td small { color: var(--soft); } tr.chosen td { font-weight: 600; } td.text { text-align: left; white-space: normal; }
.swatch { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .45em; }
.legend span { margin-right: 1.3rem; white-space: nowrap; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 1.2rem; }
figure { margin: 0; } figcaption { font-size: .9rem; color: var(--soft); margin-bottom: .2rem; }
figure > svg, h3 + svg { width: 100%; height: auto; display: block; } h3 + svg { max-width: 740px; } svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
svg .grid { stroke: var(--line); stroke-width: 1; } svg .goal { stroke: var(--ink); stroke-dasharray: 4 4; opacity: .55; }
svg .median { fill: none; stroke-width: 2.2; stroke-linejoin: round; } svg .band { opacity: .17; }
svg text.label { font-weight: 600; } code { font-size: .92em; background: var(--panel); padding: .05em .3em; border-radius: 3px; }
pre { background: var(--panel); padding: .8rem 1rem; border-radius: 8px; overflow-x: auto; font-size: .82rem; }
)";
}

} // namespace triage
