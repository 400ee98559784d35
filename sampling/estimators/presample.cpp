#include "sampling/estimators/estimators.hpp"

namespace triage {

namespace {

/// Every pool of candidates is measured before its plan is made, while the batches of earlier plans are
/// trained.
class presample : public refresh_policy {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "pools_ahead",
             .doc = "pools measured before they are needed; 0: training waits while its candidates are "
                    "measured",
             .min = 0,
             .max = 1024},
            ahead_);
  }
  [[nodiscard]] std::optional<std::size_t> pools_ahead() const override {
    return static_cast<std::size_t>(ahead_);
  }

private:
  std::int64_t ahead_ = 2;
};

} // namespace

std::unique_ptr<refresh_policy> make_presample() {
  return std::make_unique<presample>();
}

} // namespace triage
