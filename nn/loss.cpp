#include "nn/loss.hpp"

#include "core/component.hpp"
#include "nn/losses/losses.hpp"

#include <array>

namespace triage {

registry_table<loss_factory> loss_functions() {
  static constexpr std::array<registry_entry<loss_factory>, 3> table = {{
      {"softmax_cross_entropy", "classification: -log of the softmax probability of the label",
       make_softmax_cross_entropy},
      {"mean_squared_error", "regression: squared difference, averaged over the outputs",
       make_mean_squared_error},
      {"binary_cross_entropy",
       "two classes with one output, or several yes/no targets in [0, 1], of which all must be right for "
       "accuracy",
       make_binary_cross_entropy},
  }};
  return table;
}

result<std::unique_ptr<loss_function>> make_loss(const json_value& description, const json_place& place) {
  return make_component<loss_function>(loss_functions(), "loss", description, place);
}

} // namespace triage
