#pragma once

#include "core/dataset.hpp"
#include "core/rng.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace triage {

/// What a synthetic problem looks like; see the options of the format for the meaning.
struct synthetic_options {
  std::string kind = "blobs";
  std::int64_t train_size = 2000;
  std::int64_t test_size = 500;
  std::int64_t features = 2;
  std::int64_t classes = 3;
  std::int64_t outputs = 1;
  std::int64_t channels = 1;
  std::int64_t height = 12;
  std::int64_t width = 12;
  double noise = 0.2;
  double label_noise = 0.0;
  double imbalance = 1.0;
};

/// A problem that samples can be drawn from. Its fixed parts (centres, patterns, teacher weights) come from
/// the stream given when it was made; a sample comes from the stream given with it, so that training and
/// test samples are different draws of the same problem.
class synthetic_problem {
public:
  virtual ~synthetic_problem() = default;
  [[nodiscard]] virtual sample_shape shape() const = 0;
  /// Number of classes; 0 for a regression.
  [[nodiscard]] virtual std::int64_t classes() const = 0;
  /// Writes a sample of that class, with feature noise; images have values around 0 to 1.
  /// A regression ignores `label` and writes its targets before it adds the noise.
  virtual void draw(std::int64_t label, rng& random, std::span<float> sample,
                    std::span<float> targets) const = 0;
};

[[nodiscard]] std::unique_ptr<synthetic_problem> make_synthetic_problem(const synthetic_options& options,
                                                                        rng random);

} // namespace triage
