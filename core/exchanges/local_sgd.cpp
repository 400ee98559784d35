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
  v.group({.name = "compression", .doc = "of messages, with error compensation; see Compressors"},
          [this](option_visitor& group) {
            group.field({.name = "up", .doc = "of what workers send"}, up_description_);
            group.field({.name = "down", .doc = "of what they are sent"}, down_description_);
          });
}

result<void> local_sgd::prepare(const json_place& place) {
  const auto make = [&](json_value& description, const char* way, std::unique_ptr<compressor>& out) {
    const json_place here{place.source, place.pointer + "/compression/" + way};
    auto made = make_compressor(description, here);
    if (!made.ok())
      return result<void>(made.error());
    description = describe_component(description, "type", **made);
    if (description.find("type")->as_string() != "none")
      out = made.take();
    return result<void>();
  };
  if (auto up = make(up_description_, "up", up_); !up.ok())
    return up;
  return make(down_description_, "down", down_);
}

std::optional<local_round> local_sgd::local() const {
  return local_round{
      .steps = local_steps_, .momentum = block_momentum_, .keeps_moments = local_momentum_ == "keep"};
}

std::unique_ptr<exchange_policy> make_local_sgd() {
  return std::unique_ptr<exchange_policy>(new local_sgd(8));
}

} // namespace triage
