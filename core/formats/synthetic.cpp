#include "core/formats/formats.hpp"
#include "core/formats/synthetic_kinds.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

namespace triage {

namespace {

constexpr double most_values = 4e9;

// Streams of the generator; a set's samples have one each, so that sizes of the one do not change the other.
enum class part : std::uint64_t { problem = 0, train = 1, test = 2 };

/// Class sizes that fall geometrically from the first class to the last by the factor `imbalance`
/// (long-tailed sets of Cui et al., CVPR 2019) and add up to `size`; each class gets at least one sample
/// where there are enough.
std::vector<std::int64_t> class_sizes(std::int64_t size, std::int64_t classes, double imbalance) {
  std::vector<double> weights;
  for (std::int64_t c = 0; c < classes; ++c)
    weights.push_back(std::pow(imbalance, -static_cast<double>(c) /
                                              static_cast<double>(std::max<std::int64_t>(1, classes - 1))));
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<std::int64_t> sizes;
  sizes.reserve(weights.size());
  for (const double w : weights)
    sizes.push_back(std::max<std::int64_t>(1, std::llround(w / total * static_cast<double>(size))));
  // Rounding and the minimum of one are settled at the largest classes.
  auto excess = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}) - size;
  for (std::size_t c = 0; excess != 0; c = (c + 1) % sizes.size()) {
    if (excess < 0) {
      ++sizes[c];
      ++excess;
    } else if (sizes[c] > (size >= classes ? 1 : 0)) {
      --sizes[c];
      --excess;
    }
  }
  return sizes;
}

class synthetic_format final : public dataset_format {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "kind",
             .doc = "xor: signs of two features; blobs: normal clouds; spirals: interleaved arms; "
                    "regression: a noisy "
                    "linear and sine teacher; images: small patterns of bytes",
             .choices = {"xor", "blobs", "spirals", "regression", "images"}},
            o_.kind);
    v.field({.name = "train_size", .doc = "training samples", .min = 1, .max = 1e9}, o_.train_size);
    v.field({.name = "test_size",
             .doc = "test samples; 0: test_fraction of the training samples are held out",
             .min = 0,
             .max = 1e9},
            o_.test_size);
    v.field({.name = "features", .doc = "values per sample, except for images", .min = 1, .max = 1e6},
            o_.features);
    v.field({.name = "classes", .doc = "classes of blobs, spirals and images", .min = 2, .max = 1e5},
            o_.classes);
    v.field({.name = "outputs", .doc = "targets of a regression", .min = 1, .max = 1e4}, o_.outputs);
    v.field({.name = "channels", .doc = "planes of an image", .min = 1, .max = 1024}, o_.channels);
    v.field({.name = "height", .doc = "rows of an image", .min = 1, .max = 4096}, o_.height);
    v.field({.name = "width", .doc = "columns of an image", .min = 1, .max = 4096}, o_.width);
    v.field({.name = "noise",
             .doc = "deviation of the normal noise on features; the problems have a scale of about 1",
             .min = 0,
             .max = 1e6},
            o_.noise);
    v.field(
        {.name = "label_noise",
         .doc =
             "share of training labels that are replaced by another class; of a regression: deviation of the "
             "noise on the training targets",
         .min = 0,
         .max = 1e6},
        o_.label_noise);
    v.field(
        {.name = "imbalance",
         .doc = "training samples of the first class for one of the last; those between fall geometrically",
         .min = 1,
         .max = 1e6},
        o_.imbalance);
    v.field({.name = "seed", .doc = "seed of the data; null: the seed of the run", .min = 0}, seed_);
  }

  [[nodiscard]] result<void> check() const override {
    if (o_.features < 2 && (o_.kind == "xor" || o_.kind == "spirals"))
      return configuration_error(fmt::format("{} needs at least 2 \"features\"", o_.kind));
    if (o_.label_noise > 1.0 && o_.kind != "regression")
      return configuration_error("\"label_noise\" is a share of labels, at most 1");
    const double width = o_.kind == "images"
                             ? static_cast<double>(o_.channels) * static_cast<double>(o_.height * o_.width)
                             : static_cast<double>(o_.features);
    const double fixed = static_cast<double>(o_.kind == "regression" ? o_.outputs : o_.classes) * width;
    if (std::max(static_cast<double>(std::max(o_.train_size, o_.test_size)) * width, fixed) > most_values)
      return configuration_error(
          fmt::format("more than {:g} values would be generated; reduce the sizes", most_values));
    return {};
  }

  [[nodiscard]] bool reads_files() const override { return false; }

  [[nodiscard]] result<loaded_data> load(const data_source& source) const override {
    if (auto checked = check(); !checked.ok())
      return checked.error();
    const std::uint64_t seed = seed_ ? static_cast<std::uint64_t>(*seed_) : source.seed;
    const auto stream = [&](part p) {
      return rng(seed, rng_purpose::synthetic, static_cast<std::uint64_t>(p));
    };
    // Test labels and targets are clean, and the test classes balanced: noise there would only blur the
    // measure.
    synthetic_options clean = o_;
    clean.label_noise = 0.0;
    clean.imbalance = 1.0;
    loaded_data data;
    data.train = generate(o_, o_.train_size, stream(part::problem), stream(part::train));
    if (o_.test_size > 0)
      data.test = generate(clean, o_.test_size, stream(part::problem), stream(part::test));
    return data;
  }

private:
  static dataset generate(const synthetic_options& options, std::int64_t size, rng problem_stream,
                          rng random) {
    const auto problem = make_synthetic_problem(options, problem_stream);
    dataset set;
    set.shape = problem->shape();
    set.size = static_cast<std::size_t>(size);
    set.classes = problem->classes();
    set.outputs = set.classes > 0 ? 0 : options.outputs;
    if (set.classes > 0) {
      const auto sizes = class_sizes(size, set.classes, options.imbalance);
      for (std::size_t c = 0; c < sizes.size(); ++c)
        set.labels.insert(set.labels.end(), static_cast<std::size_t>(sizes[c]), static_cast<std::int32_t>(c));
      shuffle(set.labels, random);
    }
    const auto width = static_cast<std::size_t>(set.shape.size());
    const auto outputs = static_cast<std::size_t>(set.outputs);
    set.targets.resize(set.size * outputs);
    if (options.kind == "images")
      set.bytes.resize(set.size * width);
    else
      set.floats.resize(set.size * width);
    std::vector<float> sample(width);
    for (std::size_t i = 0; i < set.size; ++i) {
      problem->draw(set.labels.empty() ? 0 : set.labels[i], random, sample,
                    std::span(set.targets).subspan(i * outputs, outputs));
      if (options.kind == "images")
        std::transform(sample.begin(), sample.end(),
                       set.bytes.begin() + static_cast<std::ptrdiff_t>(i * width), [](float x) {
                         return static_cast<std::uint8_t>(std::lround(std::clamp(x, 0.0F, 1.0F) * 255.0F));
                       });
      else
        std::copy(sample.begin(), sample.end(), set.floats.begin() + static_cast<std::ptrdiff_t>(i * width));
      if (set.classes > 0 && random.uniform() < options.label_noise)
        set.labels[i] = static_cast<std::int32_t>(
            (set.labels[i] + 1 +
             static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(set.classes) - 1))) %
            set.classes);
    }
    return set;
  }

  synthetic_options o_;
  std::optional<std::int64_t> seed_;
};

} // namespace

std::unique_ptr<dataset_format> make_synthetic_format() {
  return std::make_unique<synthetic_format>();
}

} // namespace triage
