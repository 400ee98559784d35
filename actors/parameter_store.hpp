#pragma once

#include "core/blob.hpp"
#include "core/saved_state.hpp"
#include "nn/optimizer.hpp"
#include "nn/parameters.hpp"

#include <optional>
#include <span>
#include <vector>

namespace triage {

/// A gradient and the number of samples it is the mean over.
struct contribution {
  blob gradient;
  double samples = 0.0;
};

/// Owns the parameters, the optimizer's moments and the version, which counts merges. Each merge writes a new
/// block, so snapshots handed out before stay valid and unchanged. Owned by one thread.
class parameter_store {
public:
  /// Borrows layout and rule, which must outlive it.
  parameter_store(const parameter_layout& layout, const optimizer& rule, std::optional<double> clipping);

  void initialise(std::uint64_t seed);

  [[nodiscard]] const blob& current() const { return current_; }
  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] double last_gradient_norm() const { return last_norm_; }

  /// One optimizer step with the mean of the contributions, weighted by samples. Statistics (batch_norm) move
  /// towards the observed values. Precondition: at least one contribution, all finite.
  void merge(std::span<const contribution> contributions, double learning_rate);

  /// Moments and version; the parameters themselves are saved by the layout.
  [[nodiscard]] saved_state save_moments() const;
  [[nodiscard]] result<void> load(std::span<const float> parameters, const saved_state& moments);

private:
  std::span<const float> mean_gradient(std::span<const contribution> contributions);

  const parameter_layout& layout_;
  const optimizer& rule_;
  std::optional<double> clipping_;
  blob_pool pool_;
  blob current_;
  std::uint64_t version_ = 0;
  double last_norm_ = 0.0;
  std::vector<mutable_blob> moments_;
  std::vector<std::span<float>> moment_spans_;
  std::vector<float> decay_mask_;
  std::vector<float> mean_;
};

} // namespace triage
