#include "core/exchange.hpp"

#include "core/exchanges/exchanges.hpp"

#include <algorithm>
#include <array>

namespace triage {

std::uint64_t cluster_view::smallest_clock() const {
  const auto slowest = std::min_element(members.begin(), members.end(),
                                        [](const auto& a, const auto& b) { return a.clock < b.clock; });
  return slowest == members.end() ? 0 : slowest->clock;
}

bool cluster_view::any_computing() const {
  return std::any_of(members.begin(), members.end(), [](const auto& m) { return m.computing; });
}

registry_table<exchange_factory> exchange_policies() {
  static constexpr std::array<registry_entry<exchange_factory>, 6> table = {{
      {"bsp", "bulk synchronous: one update per round, the mean over all workers", make_bsp},
      {"ssp", "stale synchronous: updates on arrival, a bounded lead over the slowest", make_ssp},
      {"asp", "asynchronous: updates on arrival, nobody waits", make_asp},
      {"local_sgd", "each worker takes steps of its own, then all take the mean of where they are",
       make_local_sgd},
      {"adacomm", "local_sgd with ever fewer local steps as the loss falls", make_adacomm},
      {"overlap_local_sgd", "each worker takes steps of its own and never waits for the mean of the others",
       make_overlap_local_sgd},
  }};
  return table;
}

result<std::unique_ptr<exchange_policy>> make_exchange(const json_value& description,
                                                       const json_place& place) {
  if (description.is_string()) // a name alone, as for all components
    return make_exchange(json_value(json_value::object{{"policy", description}}), place);
  const json_value* name = description.find("policy");
  if (name == nullptr || !name->is_string())
    return json_error(place, description, "needs a \"policy\" that names the exchange policy");
  const auto entry = find_entry(exchange_policies(), "exchange policy", name->as_string());
  if (!entry.ok())
    return json_error({place.source, place.pointer + "/policy"}, *name, entry.error().message);
  auto policy = (*entry)->make();
  if (auto read = read_options(description, place, [&](option_visitor& v) { policy->visit(v); }, {"policy"});
      !read.ok())
    return read.error();
  if (auto prepared = policy->prepare(place); !prepared.ok())
    return prepared.error();
  return policy;
}

} // namespace triage
