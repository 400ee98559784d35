#include "sampling/selectors/selectors.hpp"

namespace triage {

namespace {

/// Every point once per epoch, in a new random order each time.
class uniform : public selector {
public:
  [[nodiscard]] std::size_t candidates(std::size_t batch_size, std::size_t) const override {
    return batch_size;
  }
  void plan(const plan_request& request, rng&, selection_plan& out) override {
    out.ids.assign(request.candidates.begin(), request.candidates.end());
    out.weights.assign(out.ids.size(), 1.0F);
  }
  [[nodiscard]] bool uses_priorities() const override { return false; }
  [[nodiscard]] bool unbiased() const override { return true; }
};

} // namespace

std::unique_ptr<selector> make_uniform() {
  return std::make_unique<uniform>();
}

} // namespace triage
