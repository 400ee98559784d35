#include "sampling/estimators/estimators.hpp"

#include <algorithm>

namespace triage {

namespace {

constexpr double sweeps_per_epoch = 50.0; ///< at most so many searches for stale priorities

/// Amortised constant time a point: the stale ones are found and sorted in sweeps over the table. The present
/// sweep is not saved: a new one starts after a load.
class oldest_first : public refresh_policy {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "refresh_after_epochs", .doc = "a score is stale when it is this old", .min = 0.0},
            refresh_after_);
  }

  void next(std::size_t count, const refresh_request& r, std::vector<std::uint32_t>& out) override {
    const double stale_age = refresh_after_ * r.versions_per_epoch;
    const auto age = [&](std::uint32_t id) {
      const auto now = static_cast<double>(r.version);
      return r.priorities.seen(id) ? now - static_cast<double>(r.priorities.version(id)) : now + 1.0;
    };
    if (next_due_ == due_.size()) {
      if (r.version < next_sweep_)
        return;
      next_sweep_ = r.version + 1 + static_cast<std::uint64_t>(r.versions_per_epoch / sweeps_per_epoch);
      due_.clear();
      next_due_ = 0;
      for (std::uint32_t id = 0; id < r.priorities.size(); ++id)
        if (age(id) > stale_age)
          due_.push_back(id);
      std::stable_sort(due_.begin(), due_.end(), [&](auto a, auto b) { return age(a) > age(b); });
    }
    // What was measured in the meantime, as a by-product, needs no second look.
    while (next_due_ < due_.size() && out.size() < count)
      if (const auto id = due_[next_due_++]; age(id) > stale_age)
        out.push_back(id);
  }

private:
  double refresh_after_ = 1.0;
  std::vector<std::uint32_t> due_;
  std::size_t next_due_ = 0;
  std::uint64_t next_sweep_ = 0; ///< no sweep before this version
};

} // namespace

std::unique_ptr<refresh_policy> make_oldest_first() {
  return std::make_unique<oldest_first>();
}

} // namespace triage
