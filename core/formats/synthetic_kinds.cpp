#include "core/formats/synthetic_kinds.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace triage {

namespace {

double between(rng& random, double low, double high) {
  return low + (high - low) * random.uniform();
}

void add_noise(std::span<float> sample, double deviation, rng& random) {
  for (auto& x : sample)
    x += static_cast<float>(deviation * random.normal());
}

/// Two features decide, the class is whether their signs differ; further features carry nothing.
class xor_problem final : public synthetic_problem {
public:
  explicit xor_problem(const synthetic_options& o) : features_(o.features), noise_(o.noise) {}
  [[nodiscard]] sample_shape shape() const override { return {features_, 1, 1}; }
  [[nodiscard]] std::int64_t classes() const override { return 2; }
  void draw(std::int64_t label, rng& random, std::span<float> sample, std::span<float>) const override {
    for (auto& x : sample)
      x = static_cast<float>(between(random, -1.0, 1.0));
    if ((sample[0] < 0.0F) != (sample[1] < 0.0F) ? label == 0 : label == 1)
      sample[1] = -sample[1];
    add_noise(sample, noise_, random);
  }

private:
  std::int64_t features_;
  double noise_;
};

/// A normal cloud per class. Each centre is the farthest of 20 candidates from the ones before it, so that
/// the classes are apart even in two dimensions.
class blobs_problem final : public synthetic_problem {
public:
  blobs_problem(const synthetic_options& o, rng random)
      : features_(o.features), classes_(o.classes), noise_(o.noise) {
    const auto width = static_cast<std::size_t>(features_);
    std::vector<float> candidate(width);
    std::vector<float> best(width);
    for (std::int64_t c = 0; c < classes_; ++c) {
      double best_distance = -1.0;
      for (int attempt = 0; attempt < 20; ++attempt) {
        for (auto& x : candidate)
          x = static_cast<float>(random.normal());
        if (const double d = distance_to_centres(candidate); d > best_distance) {
          best_distance = d;
          best = candidate;
        }
      }
      centres_.insert(centres_.end(), best.begin(), best.end());
    }
  }
  [[nodiscard]] sample_shape shape() const override { return {features_, 1, 1}; }
  [[nodiscard]] std::int64_t classes() const override { return classes_; }
  void draw(std::int64_t label, rng& random, std::span<float> sample, std::span<float>) const override {
    const auto centre = centres_.begin() + static_cast<std::ptrdiff_t>(label * features_);
    std::copy(centre, centre + static_cast<std::ptrdiff_t>(features_), sample.begin());
    add_noise(sample, noise_, random);
  }

private:
  [[nodiscard]] double distance_to_centres(std::span<const float> point) const {
    double nearest = 1e300;
    for (std::size_t at = 0; at < centres_.size(); at += point.size()) {
      double sum = 0.0;
      for (std::size_t i = 0; i < point.size(); ++i)
        sum += std::pow(static_cast<double>(point[i] - centres_[at + i]), 2);
      nearest = std::min(nearest, sum);
    }
    return nearest;
  }

  std::int64_t features_;
  std::int64_t classes_;
  double noise_;
  std::vector<float> centres_;
};

/// Interleaved spiral arms in the first two features, one and a half turns within the unit circle.
class spirals_problem final : public synthetic_problem {
public:
  explicit spirals_problem(const synthetic_options& o)
      : features_(o.features), classes_(o.classes), noise_(o.noise) {}
  [[nodiscard]] sample_shape shape() const override { return {features_, 1, 1}; }
  [[nodiscard]] std::int64_t classes() const override { return classes_; }
  void draw(std::int64_t label, rng& random, std::span<float> sample, std::span<float>) const override {
    const double along = std::sqrt(random.uniform()); // even density along the arm
    const double angle =
        2.0 * std::numbers::pi * (1.5 * along + static_cast<double>(label) / static_cast<double>(classes_));
    std::fill(sample.begin(), sample.end(), 0.0F);
    sample[0] = static_cast<float>(along * std::cos(angle));
    sample[1] = static_cast<float>(along * std::sin(angle));
    add_noise(sample, noise_, random);
  }

private:
  std::int64_t features_;
  std::int64_t classes_;
  double noise_;
};

/// Normal features, and a teacher that adds a linear part and a sine of another projection.
class regression_problem final : public synthetic_problem {
public:
  regression_problem(const synthetic_options& o, rng random)
      : features_(o.features), noise_(o.noise), label_noise_(o.label_noise) {
    const double unit = 1.0 / std::sqrt(static_cast<double>(features_));
    for (auto* weights : {&linear_, &inside_})
      for (std::int64_t i = 0; i < features_ * o.outputs; ++i)
        weights->push_back(static_cast<float>(unit * random.normal()));
  }
  [[nodiscard]] sample_shape shape() const override { return {features_, 1, 1}; }
  [[nodiscard]] std::int64_t classes() const override { return 0; }
  void draw(std::int64_t, rng& random, std::span<float> sample, std::span<float> targets) const override {
    for (auto& x : sample)
      x = static_cast<float>(random.normal());
    for (std::size_t o = 0; o < targets.size(); ++o) {
      double linear = 0.0;
      double inside = 0.0;
      for (std::size_t i = 0; i < sample.size(); ++i) {
        linear += static_cast<double>(linear_[o * sample.size() + i] * sample[i]);
        inside += static_cast<double>(inside_[o * sample.size() + i] * sample[i]);
      }
      targets[o] = static_cast<float>(linear + std::sin(2.0 * inside) + label_noise_ * random.normal());
    }
    add_noise(sample, noise_, random);
  }

private:
  std::int64_t features_;
  double noise_;
  double label_noise_;
  std::vector<float> linear_;
  std::vector<float> inside_;
};

/// Every class has a pattern per channel (a grating of its own direction and wavelength under two soft
/// spots); a sample shifts it by up to a sixth of the image, around the edges, and varies its contrast.
class images_problem final : public synthetic_problem {
public:
  images_problem(const synthetic_options& o, rng random)
      : shape_{o.channels, o.height, o.width}, classes_(o.classes), noise_(o.noise) {
    for (std::int64_t c = 0; c < classes_; ++c) {
      const double direction = std::numbers::pi * (static_cast<double>(c) + 0.3 * random.uniform()) /
                               static_cast<double>(classes_);
      const double waves = between(random, 1.0, 3.0);
      for (std::int64_t channel = 0; channel < shape_.channels; ++channel)
        add_pattern(direction, waves, random);
    }
  }
  [[nodiscard]] sample_shape shape() const override { return shape_; }
  [[nodiscard]] std::int64_t classes() const override { return classes_; }
  void draw(std::int64_t label, rng& random, std::span<float> sample, std::span<float>) const override {
    const std::int64_t down = shift(shape_.height, random);
    const std::int64_t right = shift(shape_.width, random);
    const double contrast = between(random, 0.7, 1.3);
    const float* pattern = patterns_.data() + label * shape_.size();
    auto out = sample.begin();
    for (std::int64_t c = 0; c < shape_.channels; ++c, pattern += shape_.height * shape_.width)
      for (std::int64_t y = 0; y < shape_.height; ++y)
        for (std::int64_t x = 0; x < shape_.width; ++x) {
          const float v = pattern[((y + down) % shape_.height) * shape_.width + (x + right) % shape_.width];
          *out++ = static_cast<float>(0.5 + contrast * static_cast<double>(v) + noise_ * random.normal());
        }
  }

private:
  static std::int64_t shift(std::int64_t side, rng& random) {
    const std::int64_t most = side / 6;
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(2 * most + 1))) - most + side;
  }

  void add_pattern(double direction, double waves, rng& random) {
    const double phase = between(random, 0.0, 2.0 * std::numbers::pi);
    const std::array<double, 4> spots = {random.uniform(), random.uniform(), random.uniform(),
                                         random.uniform()};
    for (std::int64_t y = 0; y < shape_.height; ++y)
      for (std::int64_t x = 0; x < shape_.width; ++x) {
        const double u = static_cast<double>(x) / static_cast<double>(shape_.width);
        const double v = static_cast<double>(y) / static_cast<double>(shape_.height);
        const auto spot = [&](double a, double b) {
          return std::exp(-((u - a) * (u - a) + (v - b) * (v - b)) / 0.03);
        };
        const double along = u * std::cos(direction) + v * std::sin(direction);
        patterns_.push_back(
            static_cast<float>(0.2 * std::sin(2.0 * std::numbers::pi * waves * along + phase) +
                               0.3 * spot(spots[0], spots[1]) - 0.3 * spot(spots[2], spots[3])));
      }
  }

  sample_shape shape_;
  std::int64_t classes_;
  double noise_;
  std::vector<float> patterns_;
};

} // namespace

std::unique_ptr<synthetic_problem> make_synthetic_problem(const synthetic_options& options, rng random) {
  if (options.kind == "xor")
    return std::make_unique<xor_problem>(options);
  if (options.kind == "spirals")
    return std::make_unique<spirals_problem>(options);
  if (options.kind == "regression")
    return std::make_unique<regression_problem>(options, random);
  if (options.kind == "images")
    return std::make_unique<images_problem>(options, random);
  return std::make_unique<blobs_problem>(options, random);
}

} // namespace triage
