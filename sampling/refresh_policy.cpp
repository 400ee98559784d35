#include "sampling/refresh_policy.hpp"

#include "core/component.hpp"
#include "sampling/estimators/estimators.hpp"

#include <array>

namespace triage {

registry_table<refresh_factory> refresh_policies() {
  static constexpr std::array table = {
      registry_entry<refresh_factory>{"byproduct", "nothing: scores fall off while training", make_byproduct},
      registry_entry<refresh_factory>{"oldest_first", "the points whose score is stale, oldest first",
                                      make_oldest_first},
      registry_entry<refresh_factory>{"renew_round_robin",
                                      "all points in turn, so many for each point trained (Zhou & Gao 2021)",
                                      make_renew_round_robin},
      registry_entry<refresh_factory>{"exact_sweep", "all points at intervals", make_exact_sweep},
      registry_entry<refresh_factory>{
          "presample", "the candidates of a plan, just before it is made (Katharopoulos & Fleuret 2018)",
          make_presample},
  };
  return table;
}

result<std::unique_ptr<refresh_policy>> make_refresh_policy(const json_value& description,
                                                            const json_place& place) {
  return make_component<refresh_policy>(refresh_policies(), "estimator", description, place);
}

} // namespace triage
