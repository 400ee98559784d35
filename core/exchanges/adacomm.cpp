#include "core/exchanges/exchanges.hpp"
#include "core/exchanges/local_sgd.hpp"

namespace triage {

namespace {

/// Local SGD whose number of local steps falls with the loss; see communication_period. Block momentum 0.3
/// with local velocities that start anew is what its authors use with momentum.
class adacomm : public local_sgd {
public:
  adacomm() : local_sgd(16) {}

  void visit(option_visitor& v) override {
    local_sgd::visit(v);
    period_.visit(v);
  }
  [[nodiscard]] std::unique_ptr<communication_period> new_period() const override {
    return std::make_unique<communication_period>(local_steps_, period_);
  }

private:
  communication_period_options period_;
};

} // namespace

std::unique_ptr<exchange_policy> make_adacomm() {
  return std::make_unique<adacomm>();
}

} // namespace triage
