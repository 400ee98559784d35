#include "actors/layer_recorder.hpp"

namespace triage {

namespace {
constexpr double shortest_wait = 1e-6; ///< less is asking, not waiting
}

void layer_recorder::follow(std::uint64_t version, std::size_t trained, gradient_observer* observer,
                            parameter_gate* gate) {
  version_ = version;
  final_from_ = trained;
  observer_ = observer;
  gate_ = gate;
  computing_ = false;
}

void layer_recorder::await(std::size_t end) {
  const double asked = clock_.now();
  if (computing_)
    record(lane_, {"forward", last_, asked, version_, needed_});
  if (gate_ != nullptr)
    gate_->await(end);
  last_ = clock_.now();
  if (last_ - asked > shortest_wait)
    record(lane_, {"wait", asked, last_, version_, end});
  needed_ = end;
  computing_ = true;
}

void layer_recorder::final_from(std::size_t offset) {
  const double now = clock_.now();
  record(lane_, {"backward", last_, now, version_, final_from_ - offset});
  final_from_ = offset;
  if (observer_ != nullptr)
    observer_->final_from(offset);
  last_ = clock_.now();
}

} // namespace triage
