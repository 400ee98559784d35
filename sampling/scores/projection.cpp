#include "sampling/scores/scores.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

namespace {

/// The directions that are handed out have length 1, so that measurements against different mean gradients
/// compare (ALGORITHMS 1.5, P8). Until there is a mean gradient the signal is absent, and the gradient's
/// length stands in: the largest that the projection can be.
class projection : public score {
public:
  [[nodiscard]] signal_set needs() const override { return signal::projection | signal::gradient_norm; }
  void compute(const sample_signals& signals, std::span<const std::uint32_t>,
               std::span<float> out) const override {
    const auto& from = signals.projection.empty() ? signals.gradient_norm : signals.projection;
    std::copy_n(from.begin(), out.size(), out.begin());
  }
};

class projection_last : public score {
public:
  [[nodiscard]] signal_set needs() const override {
    return signal::last_projection | signal::residual_norm | signal::last_input_norm;
  }
  void compute(const sample_signals& signals, std::span<const std::uint32_t>,
               std::span<float> out) const override {
    if (!signals.last_projection.empty()) {
      std::copy_n(signals.last_projection.begin(), out.size(), out.begin());
      return;
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      const float h = signals.last_input_norm[i];
      out[i] = std::sqrt(1.0F + h * h) * signals.residual_norm[i];
    }
  }
};

} // namespace

std::unique_ptr<score> make_projection() {
  return std::make_unique<projection>();
}
std::unique_ptr<score> make_projection_last() {
  return std::make_unique<projection_last>();
}

} // namespace triage
