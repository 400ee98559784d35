#include "core/exchanges/exchanges.hpp"

#include <algorithm>

namespace triage {

namespace {

/// Overlap Local-SGD (Wang, Liang and Joshi, ICASSP 2020): a worker never waits for the answer to what it
/// sends. After its local steps it sends its parameters and goes on with the next round at once, from its own
/// parameters pulled towards the anchor, which is the mean of the round before the last. Order k + 1 goes out
/// when the results of round k - 1 are merged, while round k is computed; so a merge, and the way to and from
/// it, may take as long as a round.
class overlap_local_sgd : public exchange_policy {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "local_steps",
             .doc = "optimizer steps that a worker takes alone before it sends its parameters",
             .min = 1,
             .max = 100000},
            local_steps_);
    v.field({.name = "pull",
             .doc =
                 "share of the way to the anchor that a worker is pulled when a round begins; the learning "
                 "rate is in effect (1 - pull) times what is given",
             .min = 0.01,
             .max = 0.99},
            pull_);
    v.field(
        {.name = "anchor_momentum", .doc = "momentum of the anchor, over rounds", .min = 0.0, .max = 0.99},
        anchor_momentum_);
  }

  [[nodiscard]] bool may_start(const member_view& member, const cluster_view& view) const override {
    return member.ordered <= view.smallest_clock() + 1;
  }
  [[nodiscard]] bool merge_now(const cluster_view& view) const override {
    return view.smallest_clock() > view.oldest_round || (view.draining && !view.any_computing());
  }
  [[nodiscard]] bool at_boundary(const cluster_view& view) const override {
    return std::all_of(view.members.begin(), view.members.end(),
                       [&](const auto& m) { return m.ordered == view.members.front().ordered; });
  }
  [[nodiscard]] bool merges_rounds() const override { return true; }
  [[nodiscard]] std::size_t orders_at_once() const override { return 2; }
  [[nodiscard]] std::uint64_t lag_bound() const override { return 2; }
  [[nodiscard]] std::optional<local_round> local() const override {
    return local_round{
        .steps = local_steps_, .pull = pull_, .momentum = anchor_momentum_, .sends_position = true};
  }

private:
  std::int64_t local_steps_ = 8;
  double pull_ = 0.6;
  double anchor_momentum_ = 0.7;
};

} // namespace

std::unique_ptr<exchange_policy> make_overlap_local_sgd() {
  return std::make_unique<overlap_local_sgd>();
}

} // namespace triage
