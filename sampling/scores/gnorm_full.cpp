#include "sampling/scores/scores.hpp"

#include <algorithm>

namespace triage {

namespace {

class gnorm_full : public score {
public:
  [[nodiscard]] signal_set needs() const override { return static_cast<signal_set>(signal::gradient_norm); }
  [[nodiscard]] bool is_gradient_size() const override { return true; }
  void compute(const sample_signals& signals, std::span<const std::uint32_t>,
               std::span<float> out) const override {
    std::copy_n(signals.gradient_norm.begin(), out.size(), out.begin());
  }
};

} // namespace

std::unique_ptr<score> make_gnorm_full() {
  return std::make_unique<gnorm_full>();
}

} // namespace triage
