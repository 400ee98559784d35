#include "sampling/epoch_order.hpp"
#include "sampling/selectors/selectors.hpp"

#include <algorithm>

namespace triage {

namespace {

/// Every point once per epoch, in a new random order each time.
class uniform : public selector {
public:
  void start(std::size_t points) override { order_.start(points); }

  void draw(std::size_t count, const priority_table&, const sampling_progress&, rng& random,
            drawn_batch& out) override {
    order_.begin_pass_if_needed(random);
    const auto ids = order_.take(std::min(count, order_.left()));
    out.ids.assign(ids.begin(), ids.end());
    out.weights.assign(ids.size(), 1.0F);
  }
  [[nodiscard]] bool uses_priorities() const override { return false; }
  [[nodiscard]] bool unbiased() const override { return true; }
  [[nodiscard]] selector_figures figures() const override { return {std::nullopt, std::nullopt, "uniform"}; }
  [[nodiscard]] saved_state save() const override { return order_.save(); }
  result<void> load(const saved_state& state) override { return order_.load(state); }

private:
  epoch_order order_;
};

} // namespace

std::unique_ptr<selector> make_uniform() {
  return std::make_unique<uniform>();
}

} // namespace triage
