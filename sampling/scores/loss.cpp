#include "sampling/scores/scores.hpp"

#include <algorithm>

namespace triage {

namespace {

class loss_score : public score {
public:
  [[nodiscard]] signal_set needs() const override { return static_cast<signal_set>(signal::loss); }
  void compute(const sample_signals& signals, std::span<const std::uint32_t>,
               std::span<float> out) const override {
    std::copy(signals.loss.begin(), signals.loss.end(), out.begin());
  }
};

} // namespace

std::unique_ptr<score> make_loss_score() {
  return std::make_unique<loss_score>();
}

} // namespace triage
