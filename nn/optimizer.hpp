#pragma once

#include "core/options.hpp"
#include "core/registry.hpp"
#include "nn/parameters.hpp"

#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace triage {

/// One parameter update. All spans are parallel slices of the flat block: an update may be cut into slices
/// and run on several threads (but see `gradient_scale` and clipping, which are computed once for all).
struct parameter_update {
  std::span<const float> parameters; ///< before
  std::span<float> next;             ///< after; may alias `parameters`
  std::span<const float> gradient;   ///< mean over the contributions
  float gradient_scale = 1.0F;       ///< multiplies the gradient first (clipping)
  std::span<const std::span<float>> moments;
  bool decays =
      false; ///< whether weight decay applies, to all of the slice; see parameter_layout::decay_ranges
  double learning_rate = 0.0;
  std::int64_t step = 0;        ///< 1 for the first update: for bias correction
  std::int64_t epoch_began = 0; ///< updates before the present pass over the data
};

/// A rule that turns gradients into parameter changes, element by element, in one pass over memory.
/// Stateless: moments belong to the caller. Weight decay is an option of each rule.
class optimizer : public configurable {
public:
  /// Names of the moment arrays, each as long as the trained prefix; zero before the first step.
  [[nodiscard]] virtual std::vector<std::string_view> moments() const = 0;
  virtual void apply(const parameter_update& update) const = 0;
  /// The base learning rate of the description; schedules multiply it.
  [[nodiscard]] virtual double learning_rate() const = 0;
  /// Why these options do not go together, or success; `make_optimizer` asks.
  [[nodiscard]] virtual result<void> check() const { return {}; }
};

using optimizer_factory = std::unique_ptr<optimizer> (*)();
/// sgd (momentum, nesterov), adam, adamw, rmsprop: each equal to PyTorch's rule of that name; trsgd, tradam.
[[nodiscard]] registry_table<optimizer_factory> optimizers();
[[nodiscard]] result<std::unique_ptr<optimizer>> make_optimizer(const json_value& description,
                                                                const json_place& place);

/// ||gradient||_2, accumulated in double; not finite when any element is not.
[[nodiscard]] double gradient_norm(std::span<const float> gradient);

/// A gradient and its share of the mean.
struct weighted_gradient {
  const float* values = nullptr;
  float share = 1.0F;
};
/// out[i] = sum over the contributions of share * values[begin + i], in their order. One pass over memory;
/// none gives zeros, and a share of 1 is exact.
void add_up(std::span<const weighted_gradient> contributions, std::size_t begin, std::span<float> out);
/// The same, one contribution at a time: the same bits when they come in the same order. `first`: what is in
/// `out` does not count.
void add_up_next(const weighted_gradient& contribution, std::size_t begin, bool first, std::span<float> out);

} // namespace triage
