#include "sampling/presets.hpp"

#include <algorithm>
#include <array>

namespace triage {

std::span<const sampling_preset> sampling_presets() {
  static constexpr std::array presets = {
      sampling_preset{
          "auto",
          "nearly unbiased, with the gate and the noise guard on: what wins in our races on test accuracy",
          R"({"type": "pps_epoch", "score": "auto", "estimator": "byproduct", "alpha": 0.5,
              "weights": {"type": "ht", "beta": 0.75}, "gate": {"mode": "gain"}, "guard": {"mode": "pass_over"}})"},
      sampling_preset{
          "auto_biased", "half biased, in steps up to half as long again: what wins on train loss",
          R"({"type": "pps_epoch", "score": "auto", "estimator": "byproduct", "step_gain_max": 1.5,
              "weights": {"type": "ht", "beta": 0.5}, "gate": {"mode": "gain"}, "guard": {"mode": "pass_over"}})"},
      sampling_preset{"auto_balanced",
                      "rare classes as often as others, whatever the scores, for balanced accuracy",
                      R"({"type": "pps_epoch", "score": "auto", "estimator": "byproduct", "alpha": 0,
              "class_balance": 1, "pi_max": 8, "weights": "none", "warm_epochs": 0.5, "tail_uniform_fraction": 0,
              "gate": {"mode": "off"}})"},
      sampling_preset{"pps", "inclusion in proportion to the score, unbiased; scores fall off while training",
                      R"({"type": "pps_epoch", "estimator": "byproduct"})"},
      sampling_preset{"random_subset", "the control: a random part of each pass, whatever the scores",
                      R"({"type": "pps_epoch", "estimator": "byproduct", "alpha": 0, "kappa": 0.3,
                          "gate": {"mode": "off"}})"},
      sampling_preset{
          "zhou_gao", "largest projections on the mean gradient (Zhou & Gao 2021)",
          R"({"type": "topk_shard", "share": 0.04, "score": "projection", "predictor": "exp_linear",
              "estimator": {"type": "renew_round_robin", "renew_ratio": 0.25, "initial_sweep": true,
                            "wait": true}})"},
      sampling_preset{
          "zhou_gao_aggressive", "the same, with the gradients of the renewed points added to each step",
          R"({"type": "topk_shard", "share": 0.04, "score": "projection", "predictor": "exp_linear",
              "renewed_gradients": "add",
              "estimator": {"type": "renew_round_robin", "renew_ratio": 0.25, "initial_sweep": true,
                            "wait": true}})"},
      sampling_preset{"alain",
                      "importance sampling by the gradient norm, scored elsewhere (Alain et al. 2015)",
                      R"({"type": "multinomial", "score": "gnorm_full", "smoothing": 1, "uniform_share": 0,
              "weights": "full", "estimator": {"type": "renew_round_robin", "renew_ratio": 1}})"},
      sampling_preset{
          "katharopoulos",
          "importance sampling in pools of candidates scored afresh (Katharopoulos & Fleuret 2018)",
          R"({"type": "multinomial", "score": "gnorm_last_bound", "candidates": 3, "uniform_share": 0,
              "weights": "full", "estimator": "presample",
              "gate": {"mode": "gain", "gain_min": 6.25, "hysteresis": 1}})"},
      sampling_preset{"selective_backprop", "the hardest of fresh candidates (Jiang et al. 2019)",
                      R"({"type": "cdf_beta", "score": "loss", "estimator": "presample"})"},
      sampling_preset{"stale_selective_backprop", "the same by losses that are up to two epochs old",
                      R"({"type": "cdf_beta", "score": "loss",
              "estimator": {"type": "oldest_first", "refresh_after_epochs": 2}})"},
      sampling_preset{"loshchilov",
                      "online batch selection by the rank of the loss (Loshchilov & Hutter 2015)",
                      R"({"type": "rank_exp", "score": "loss", "pressure": 100, "pressure_end": 1,
                          "estimator": {"type": "exact_sweep", "every_epochs": 0.5, "wait": true}})"},
      sampling_preset{"rho_loss", "the largest reducible losses of fresh candidates (Mindermann et al. 2022)",
                      R"({"type": "presample_topb", "score": "rho", "candidates": 10,
                          "estimator": "presample"})"},
      sampling_preset{"infobatch", "unbiased random pruning below the mean loss (Qin et al. 2024)",
                      R"({"type": "infobatch", "score": "loss", "estimator": "byproduct"})"},
      sampling_preset{"schaul", "prioritized replay, proportional (Schaul et al. 2016)",
                      R"({"type": "multinomial", "score": "loss", "alpha": 0.6, "uniform_share": 0,
                          "weights": {"type": "beta_maxnorm", "beta": 0.4}, "estimator": "byproduct"})"},
  };
  return presets;
}

namespace {

/// What is given overrides the preset option by option. An object that names its "type" is another component,
/// and takes the place of the preset's.
void override_option(json_value& preset, const std::string& name, const json_value& given) {
  const json_value* present = preset.find(name);
  if (present == nullptr || !present->is_object() || !given.is_object() || given.find("type") != nullptr)
    return preset.set(name, given);
  json_value merged = *present;
  for (const auto& [inner, value] : given.as_object())
    override_option(merged, inner, value);
  preset.set(name, merged);
}

} // namespace

json_value expand_preset(const json_value& description) {
  const json_value* type = description.is_object() ? description.find("type") : &description;
  if (type == nullptr || !type->is_string())
    return description;
  const auto presets = sampling_presets();
  const auto at = std::find_if(presets.begin(), presets.end(),
                               [&](const auto& p) { return p.name == type->as_string(); });
  if (at == presets.end())
    return description;
  auto expanded = parse_json(at->description, std::string(at->name));
  if (!expanded.ok())
    return description; // a preset that does not parse: the tests would not pass
  json_value out = expanded.take();
  out.set_line_everywhere(0);
  if (description.is_object())
    for (const auto& [name, value] : description.as_object())
      if (name != "type")
        override_option(out, name, value);
  return out;
}

} // namespace triage
