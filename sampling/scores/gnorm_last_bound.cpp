#include "sampling/scores/scores.hpp"

#include <algorithm>

namespace triage {

namespace {

/// Up to a constant factor, an upper bound on the norm of the sample's full gradient.
class gnorm_last_bound : public score {
public:
  [[nodiscard]] signal_set needs() const override { return static_cast<signal_set>(signal::residual_norm); }
  [[nodiscard]] bool is_gradient_size() const override { return true; }
  void compute(const sample_signals& signals, std::span<const std::uint32_t>,
               std::span<float> out) const override {
    std::copy(signals.residual_norm.begin(), signals.residual_norm.end(), out.begin());
  }
};

} // namespace

std::unique_ptr<score> make_gnorm_last_bound() {
  return std::make_unique<gnorm_last_bound>();
}

} // namespace triage
