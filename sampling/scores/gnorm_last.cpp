#include "sampling/scores/scores.hpp"

#include <cmath>

namespace triage {

namespace {

class gnorm_last : public score {
public:
  [[nodiscard]] signal_set needs() const override { return signal::residual_norm | signal::last_input_norm; }
  [[nodiscard]] bool is_gradient_size() const override { return true; }
  void compute(const sample_signals& signals, std::span<const std::uint32_t>,
               std::span<float> out) const override {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const float h = signals.last_input_norm[i];
      out[i] = std::sqrt(1.0F + h * h) * signals.residual_norm[i];
    }
  }
};

} // namespace

std::unique_ptr<score> make_gnorm_last() {
  return std::make_unique<gnorm_last>();
}

} // namespace triage
