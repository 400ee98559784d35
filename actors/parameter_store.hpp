#pragma once

#include "actors/parameter_arrival.hpp"
#include "actors/parameters_ahead.hpp"
#include "core/blob.hpp"
#include "core/fork_join.hpp"
#include "core/saved_state.hpp"
#include "nn/optimizer.hpp"
#include "nn/parameters.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace triage {

/// A gradient and the number of samples it is the mean over.
struct contribution {
  blob gradient;
  double samples = 0.0;
};

/// The shares that contributions have in their mean, by samples.
void weigh(std::span<const contribution> contributions, std::vector<weighted_gradient>& out);

/// The mean of a merge's contributions, as far as it is known: from an element to the end of the trained
/// prefix.
struct summed_ahead {
  std::span<const float> mean; ///< as long as the trained prefix; empty: nothing is known
  std::size_t from = 0;
  std::uint64_t round = 0; ///< tells what was foreseen from what was foreseen before
};

/// Who follows a merge, on the store's thread.
class merge_observer {
public:
  virtual ~merge_observer() = default;
  /// The store's version and parameters are the new ones, of which nothing is final yet but what was merged
  /// ahead.
  virtual void began() = 0;
  /// More is final from the front of the block: `arriving` says how much. At the last call all is.
  virtual void advanced() = 0;
};

/// Owns the parameters, the optimizer's moments and the version, which counts merges. Snapshots handed out
/// stay valid and unchanged: a merge writes a new block, and only where nobody holds the present one any more
/// it changes that in place, which moves a third less memory. Owned by one thread.
class parameter_store {
public:
  /// Borrows layout and rule, which must outlive it. `threads`: those that share a merge of several
  /// contributions, slice by slice, while the workers who sent them rest; null: only the caller's. The result
  /// does not depend on it.
  parameter_store(const parameter_layout& layout, const optimizer& rule, std::optional<double> clipping,
                  std::shared_ptr<fork_join> threads = nullptr);

  void initialise(std::uint64_t seed);
  /// Puts other parameters in place of the present ones; moments and version stay.
  void place(std::span<const float> parameters);
  /// parameters <- (1 - share) parameters + share anchor.
  void pull(std::span<const float> anchor, double share);
  /// The next step is the first of a pass over the data.
  void begin_epoch() { epoch_began_ = version_; }
  /// As if no step had been taken: moments are zero, and the version as well.
  void forget_steps();

  [[nodiscard]] const blob& current() const { return current_; }
  /// During a merge that is observed: how much of `current` is final. Otherwise null: all is.
  /// A merge was broken off half way: whoever waits for the parameters is told, and nothing is done with
  /// them.
  void break_off(const std::string& reason);
  [[nodiscard]] const std::shared_ptr<parameter_arrival>& arriving() const { return arriving_; }
  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] double last_gradient_norm() const { return last_norm_; }

  /// One optimizer step with the mean of the contributions, weighted by samples. Statistics (batch_norm) move
  /// towards the observed values. Precondition: at least one contribution, all finite.
  void merge(std::span<const contribution> contributions, double learning_rate,
             const summed_ahead& ahead = {}, merge_observer* observer = nullptr);

  /// Does what the next `merge` would do at that learning rate, as far as its mean is known, in memory of its
  /// own: nothing changes for anybody, and should the merge differ from what was foreseen, what was done here
  /// is forgotten. Returns whether `ahead` has more to say than before. Not with clipping, which needs to
  /// know the whole gradient first.
  [[nodiscard]] bool merge_ahead(const summed_ahead& known, double learning_rate);
  /// Precondition: `merge_ahead` has returned true since the last merge.
  [[nodiscard]] parameters_ahead ahead() const;

  /// The same where each contribution is where a worker is, or how far it has moved back from these, and the
  /// gradient is scale * (parameters - mean), or scale * mean. Statistics become the workers' mean.
  struct local_merge {
    bool positions = false;
    double scale = 1.0;
    double learning_rate = 1.0;
  };
  void merge(std::span<const contribution> contributions, const local_merge& how,
             const summed_ahead& ahead = {}, merge_observer* observer = nullptr);

  /// One optimizer step with each contribution alone, at its own learning rate, in their order: the same as
  /// so many merges, in one pass over memory. Versions in between are never seen.
  void merge_in_turn(std::span<const contribution> contributions, std::span<const double> learning_rates,
                     merge_observer* observer = nullptr);

  /// Moments and version; the parameters themselves are saved by the layout.
  [[nodiscard]] saved_state save_moments() const;
  /// Moments of a rule that has others mean nothing here: then these begin at zero, as before the first step.
  /// Returns whether they do.
  [[nodiscard]] result<bool> load(std::span<const float> parameters, const saved_state& moments);

private:
  struct update_figures {
    std::span<const float> parameters = {};
    std::span<float> next = {};
    bool local = false;     ///< contributions come of local steps
    bool positions = false; ///< see local_merge
    float scale = 1.0F;
    double learning_rate = 0.0;
    std::uint64_t step = 0;
    bool moves_moments = false; ///< their new values go to `next_moments_`
  };
  /// The parameters before and after a merge.
  struct transition {
    blob before;
    mutable_blob next;
    [[nodiscard]] update_figures figures() {
      return {.parameters = before.empty() ? next.view() : before.view(), .next = next.values()};
    }
  };
  void merge_mean(std::span<const contribution> contributions, update_figures how, const summed_ahead& ahead,
                  merge_observer* observer);
  /// The present parameters, to be written by nobody else: in place where that is possible.
  mutable_blob own_block();
  /// Counts so many steps, and makes what comes after them the current parameters: the block that was merged
  /// ahead, if that counts.
  transition begin_merge(std::uint64_t steps, merge_observer* observer, bool from_ahead = false);
  /// Whether the end of this merge was done ahead.
  [[nodiscard]] bool goes_on(const update_figures& how, const summed_ahead& ahead) const;
  void end_merge(merge_observer* observer);
  /// The factor that clips a gradient of the trained prefix; remembers its norm.
  float clipping_factor(std::span<const float> gradient);
  /// What a thread needs for its slices.
  struct lane {
    std::vector<float> mean;
    std::vector<std::span<float>> moments;
  };
  /// A slice of the mean gradient; valid until the lane's next one.
  std::span<const float> mean_slice(lane& l, std::size_t begin, std::size_t size) const;
  /// The same as a gradient.
  std::span<const float> gradient_slice(lane& l, std::size_t begin, std::size_t size,
                                        const update_figures& figures) const;
  void find_mean(std::size_t begin, std::span<float> out) const;
  /// The means of the statistics, which are not in what was summed ahead.
  void move_statistics(const update_figures& figures);
  void apply(lane& l, std::size_t begin, std::span<const float> gradient, const update_figures& figures);
  /// Calls work(lane, begin, size) for slices of what is not merged ahead of the trained prefix, on all lanes
  /// when that is wanted and worth it; front to back where it is observed. `written`: where they write, which
  /// other cores may have read.
  using slice_work = std::function<void(lane&, std::size_t, std::size_t)>;
  void each_slice(const slice_work& work, std::span<const float> written, bool on_all_lanes,
                  merge_observer* observer);
  /// [0, end) is final, which the observer is told when it is worth it.
  void advance(std::size_t end, merge_observer& observer);

  const parameter_layout& layout_;
  const optimizer& rule_;
  std::optional<double> clipping_;
  blob_pool pool_;
  blob current_;
  std::uint64_t version_ = 0;
  std::uint64_t epoch_began_ = 0;   ///< the version
  std::uint64_t moments_began_ = 0; ///< the version at which they were zero
  double last_norm_ = 0.0;
  std::vector<mutable_blob> moments_;
  /// The end of the next merge.
  struct end_merged_ahead {
    std::uint64_t round = 0;
    double learning_rate = 0.0;
    mutable_blob next;
    std::size_t from = 0; ///< merged are the elements from here to the end of the trained prefix
  };
  std::optional<end_merged_ahead> merged_ahead_;
  std::vector<mutable_blob> next_moments_; ///< that it makes; none before the first merge ahead
  std::vector<parameter_layout::decay_range> decay_ranges_;
  std::vector<weighted_gradient> weighted_;
  std::vector<update_figures> turns_; ///< of merge_in_turn
  summed_ahead ahead_;                ///< of the present merge
  std::vector<float> mean_;           ///< of the whole, when several gradients are clipped
  std::vector<lane> lanes_;
  std::vector<std::atomic<bool>> pieces_done_;
  std::shared_ptr<fork_join> threads_;
  std::shared_ptr<parameter_arrival> arriving_;
};

} // namespace triage
