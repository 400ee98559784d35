#include "sampling/selector.hpp"

#include "sampling/selectors/selectors.hpp"

#include <array>

namespace triage {

registry_table<selector_factory> selectors() {
  static constexpr std::array table = {
      registry_entry<selector_factory>{"uniform", "every point once per epoch, reshuffled", make_uniform},
      registry_entry<selector_factory>{"multinomial", "with replacement, in proportion to priority^alpha",
                                       make_multinomial},
      registry_entry<selector_factory>{
          "pps_epoch", "each pass keeps points with probability proportional to their score", make_pps_epoch},
  };
  return table;
}

} // namespace triage
