#include "sampling/estimators/estimators.hpp"

namespace triage {

namespace {

class byproduct : public refresh_policy {
public:
  [[nodiscard]] bool uses_estimators() const override { return false; }
};

} // namespace

std::unique_ptr<refresh_policy> make_byproduct() {
  return std::make_unique<byproduct>();
}

} // namespace triage
