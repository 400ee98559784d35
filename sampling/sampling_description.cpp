#include "sampling/sampling_description.hpp"

#include "sampling/presets.hpp"

namespace triage {

namespace {

std::vector<std::string_view> known_types() {
  auto names = names_of(selectors());
  for (const auto& preset : sampling_presets())
    if (std::find(names.begin(), names.end(), preset.name) == names.end())
      names.push_back(preset.name);
  return names;
}

json_value values_of(sampling_options options) {
  return write_options([&](option_visitor& v) { options.visit(v); });
}

/// Where no scores are used, nothing may be asked of them: every option but the guard must be what it is when
/// nothing is said. Runs keep descriptions with that written out.
result<void> check_unused(const sampling_options& options, const selector& used, const json_place& place) {
  const auto text = [](const json_value& v) { // a component may be named, or described
    const json_value* type = v.is_object() && v.as_object().size() == 1 ? v.find("type") : nullptr;
    return dump_json(type != nullptr ? *type : v);
  };
  sampling_options usual;
  usual.gate.disable();
  usual.warm_epochs = used.default_warm_epochs();
  usual.tail_uniform_fraction = used.default_tail_fraction();
  for (const char* meant_by_auto : {"gnorm_last", "gnorm_last_bound"})
    if (text(options.score) == dump_json(json_value(meant_by_auto)))
      usual.score = options.score;
  const auto usual_values = values_of(usual);
  const auto values = values_of(options);
  for (const auto& [name, value] : values.as_object())
    if (name != "guard" && text(value) != text(*usual_values.find(name)))
      return json_error({place.source, place.pointer + "/" + name}, value,
                        "has no effect on an order that is uniform; leave it out, or use another \"type\"");
  return {};
}

/// Parts that cannot work together.
result<void> check_together(const sampling_description& d, const json_place& place) {
  const auto refuse = [&](const char* option, const std::string& why) {
    return json_error({place.source, place.pointer + option}, json_value(), why);
  };
  if (d.refresh->pools_ahead() && d.selector->candidates(1, 1000) == 0)
    return refuse("/estimator", "\"presample\" measures candidates, and this selector has none: give "
                                "\"candidates\" (multinomial), or use presample_topb, cdf_beta or pps_epoch");
  constexpr signal_set on_mean_gradient = signal::projection | signal::last_projection;
  if (d.score && (d.score->needs() & on_mean_gradient) != 0 && !d.refresh->uses_estimators())
    return refuse("/estimator",
                  "projections are taken on a mean gradient, which estimators measure: use "
                  "\"renew_round_robin\" or another estimator that measures, and let it measure");
  if (d.options.renewed_gradients == "add" && (!d.score || (d.score->needs() & on_mean_gradient) == 0))
    return refuse("/renewed_gradients", "only scores that are projections come with gradients: use the score "
                                        "\"projection\" or \"projection_last\"");
  if (d.options.gate.enabled() && !d.selector->unbiased() && !d.selector->gated_by_default())
    return refuse("/gate", "a gate needs a selector whose weights make it unbiased, so that its gain can be "
                           "stated; use {\"mode\": \"off\"}");
  if (d.options.guard.may_pass_over() && d.selector->candidates(1, 1000) == 0)
    return refuse("/guard/mode", "this selector chooses among all points, of which none can be passed over; "
                                 "use \"close\", or a selector that has candidates, like pps_epoch");
  return {};
}

} // namespace

void sampling_options::visit(option_visitor& v) {
  v.field({.name = "score",
           .doc =
               "how much a point matters; see Scores. \"auto\": gnorm_last where the model ends in a dense "
               "layer, else gnorm_last_bound"},
          score);
  v.field({.name = "estimator", .doc = "what estimators measure anew, and when; see Estimators"}, estimator);
  v.field({.name = "predictor", .doc = "what a score is between measurements; see Predictors"}, predictor);
  v.field({.name = "warm_epochs",
           .doc = "epochs of uniform order at the start, which collect scores; null: what suits the selector",
           .min = 0.0},
          warm_epochs);
  v.field({.name = "tail_uniform_fraction",
           .doc = "share of the run at its end that is uniform; null: what suits the selector",
           .min = 0.0,
           .max = 1.0},
          tail_uniform_fraction);
  v.field({.name = "anneal_fraction",
           .doc = "share of the run, before the uniform tail, over which prioritised plans give way to "
                  "uniform ones",
           .min = 0.0,
           .max = 1.0},
          anneal_fraction);
  v.field({.name = "floor", .doc = "smallest priority", .min = 1e-30, .max = 1.0}, floor);
  v.field({.name = "mean_gradient",
           .doc = "how the direction of projections is averaged; fab_compat: as in the first program of "
                  "Zhou & Gao",
           .choices = {"mean", "fab_compat"}},
          mean_gradient_rule);
  v.field({.name = "renewed_gradients",
           .doc = "what becomes of the gradients of the points that estimators renew for projections; add: "
                  "their mean between two plans is added to each step of the second, which grows by it (Zhou "
                  "& Gao's aggressive variant)",
           .choices = {"measure", "add"}},
          renewed_gradients);
  v.group({.name = "gate", .doc = "whether prioritising pays, decided while the run goes on"},
          [this](option_visitor& g) { gate.visit(g); });
  v.group({.name = "guard", .doc = "whether labels are noisy, and what follows from that"},
          [this](option_visitor& g) { guard.visit(g); });
}

std::string sampling_description::parts() const {
  std::string out;
  for (const char* part : {"type", "score", "estimator", "predictor"}) {
    const json_value& given = *resolved.find(part);
    const json_value& name = given.is_object() ? *given.find("type") : given;
    out += (out.empty() ? "" : ", ") + name.as_string();
  }
  return out;
}

result<sampling_description> make_sampling(const json_value& given, const json_place& place,
                                           score_table extra) {
  const auto named = read_type_name(given, place, "sampling");
  if (!named.ok())
    return named.error();
  const json_value description = expand_preset(given);
  const auto type = read_type_name(description, place, "sampling");
  if (!type.ok())
    return type.error();
  const auto entry = find_entry(selectors(), "sampling", *type);
  if (!entry.ok())
    return json_error({place.source, place.pointer + "/type"}, given,
                      unknown_name_error("sampling", *named, known_types()).message);
  sampling_description out;
  out.selector = (*entry)->make();
  if (!out.selector->gated_by_default())
    out.options.gate.disable();
  const auto visit = [&](option_visitor& v) {
    out.options.visit(v);
    out.selector->visit(v);
  };
  if (description.is_object())
    if (auto read = read_options(description, place, visit, {"type"}); !read.ok())
      return read.error();
  const auto below = [&](const char* name) { return json_place{place.source, place.pointer + name}; };
  if (auto prepared = out.selector->prepare(place); !prepared.ok())
    return prepared.error();
  if (auto prepared = out.options.guard.prepare(below("/guard")); !prepared.ok())
    return prepared.error();
  if (out.options.score.is_string() && out.options.score.as_string() == "auto")
    out.options.score = json_value("gnorm_last_bound");
  auto score = make_score(out.options.score, below("/score"), extra);
  if (!score.ok())
    return score.error();
  auto refresh = make_refresh_policy(out.options.estimator, below("/estimator"));
  if (!refresh.ok())
    return refresh.error();
  auto history = make_predictor(out.options.predictor, below("/predictor"));
  if (!history.ok())
    return history.error();
  out.refresh = refresh.take();
  out.history = history.take();
  out.options.warm_epochs = out.options.warm_epochs.value_or(out.selector->default_warm_epochs());
  out.options.tail_uniform_fraction =
      out.options.tail_uniform_fraction.value_or(out.selector->default_tail_fraction());
  if (out.selector->uses_priorities())
    out.score = score.take();
  else if (auto unused = check_unused(out.options, *out.selector, place); !unused.ok())
    return unused.error();
  if (auto fits = check_together(out, place); !fits.ok())
    return fits.error();
  out.resolved.set("type", json_value(*type));
  const auto values = write_options(visit);
  for (const auto& [name, value] : values.as_object())
    out.resolved.set(name, value);
  return out;
}

} // namespace triage
