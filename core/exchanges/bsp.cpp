#include "core/exchanges/exchanges.hpp"
#include "core/exchanges/synchronous_rounds.hpp"

namespace triage {

std::unique_ptr<exchange_policy> make_bsp() {
  return std::make_unique<synchronous_rounds>();
}

} // namespace triage
