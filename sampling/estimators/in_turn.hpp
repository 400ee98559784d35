#pragma once

#include "sampling/refresh_policy.hpp"

namespace triage {

/// What policies share that go round all points in the order of their numbers.
class in_turn : public refresh_policy {
public:
  void start(std::size_t points) override { points_ = points; }
  void next(std::size_t count, const refresh_request& r, std::vector<std::uint32_t>& out) override;
  [[nodiscard]] bool holds_back(const refresh_request& r) const override;
  [[nodiscard]] saved_state save() const override;
  [[nodiscard]] result<void> load(const saved_state& state) override;

protected:
  /// How many measurements there should have been by now, in all.
  [[nodiscard]] virtual std::uint64_t owed(const refresh_request& r) const = 0;
  /// How many of them a plan waits for.
  [[nodiscard]] virtual std::uint64_t awaited(const refresh_request& r) const = 0;
  /// Fewer are not worth an order.
  [[nodiscard]] virtual std::uint64_t smallest_order() const { return 1; }
  [[nodiscard]] std::uint64_t points() const { return points_; }

private:
  std::uint64_t points_ = 0;
  std::uint64_t handed_out_ = 0; ///< the position of the round is this modulo the points
};

} // namespace triage
