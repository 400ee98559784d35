#include "core/exchanges/local_sgd.hpp"

#include "core/exchanges/exchanges.hpp"

namespace triage {

void local_sgd::visit(option_visitor& v) {
  v.field({.name = "local_steps",
           .doc = "optimizer steps that a worker takes alone before it sends what it has moved",
           .min = 1,
           .max = 100000},
          local_steps_);
  v.field({.name = "block_momentum",
           .doc = "momentum of the merges, over rounds; 0: the parameters become the workers' mean",
           .min = 0.0,
           .max = 0.99},
          block_momentum_);
  v.field({.name = "local_momentum",
           .doc = "what becomes of a worker's velocities and other moments when a round begins",
           .choices = {"keep", "reset"}},
          local_momentum_);
}

std::optional<local_round> local_sgd::local() const {
  return local_round{
      .steps = local_steps_, .momentum = block_momentum_, .keeps_moments = local_momentum_ == "keep"};
}

std::unique_ptr<exchange_policy> make_local_sgd() {
  return std::unique_ptr<exchange_policy>(new local_sgd(8));
}

} // namespace triage
