#include "sampling/predictor.hpp"

#include "core/component.hpp"
#include "sampling/predictors/predictors.hpp"

#include <array>
#include <cmath>
#include <fmt/format.h>

namespace triage {

registry_table<predictor_factory> predictors() {
  static constexpr std::array table = {
      registry_entry<predictor_factory>{"keep", "the last measurement", make_keep},
      registry_entry<predictor_factory>{
          "exp_linear", "follows an exponential through the last measurements (Zhou & Gao 2021)",
          make_exp_linear},
      registry_entry<predictor_factory>{
          "exp_quadratic", "the same with a quadratic exponent, through the last three", make_exp_quadratic},
      registry_entry<predictor_factory>{"ema", "an exponential average of the measurements", make_ema},
  };
  return table;
}

result<std::unique_ptr<predictor>> make_predictor(const json_value& description, const json_place& place) {
  return make_component<predictor>(predictors(), "predictor", description, place);
}

double log_ratio(float before, float now) {
  return before > 0.0F && now > 0.0F ? std::log(static_cast<double>(now) / static_cast<double>(before)) : 0.0;
}

result<std::vector<float>> get_per_point(const saved_state& state, std::string_view name,
                                         std::size_t points) {
  auto values = state.get<float>(name);
  if (values.ok() && values->size() != points)
    return data_error(
        fmt::format("the saved predictor is for {} points, the data has {}", values->size(), points));
  return values;
}

} // namespace triage
