#include "core/regimes.hpp"

#include "core/data_split.hpp"
#include "core/rng.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace triage {

namespace {

enum class part : std::uint64_t { subset = 1, imbalance = 2, noise = 3 };

rng stream(std::uint64_t seed, part p) {
  return {seed, rng_purpose::regime, static_cast<std::uint64_t>(p)};
}

/// The classes in the order of their labels get geometrically fewer points; `imbalance` is the ratio of the
/// first to the last (long-tailed sets of Cui et al., CVPR 2019). No class loses its last point.
void make_imbalanced(dataset& set, double imbalance, rng random) {
  const auto classes = static_cast<std::size_t>(set.classes);
  std::vector<std::vector<std::uint32_t>> members(classes);
  for (std::size_t i = 0; i < set.size; ++i)
    members[static_cast<std::size_t>(set.labels[i])].push_back(static_cast<std::uint32_t>(i));
  // As many points of the first class as all classes can follow.
  double largest = static_cast<double>(set.size);
  const auto share = [&](std::size_t c) {
    return std::pow(imbalance,
                    -static_cast<double>(c) / static_cast<double>(std::max<std::size_t>(1, classes - 1)));
  };
  for (std::size_t c = 0; c < classes; ++c)
    if (!members[c].empty())
      largest = std::min(largest, static_cast<double>(members[c].size()) / share(c));
  std::vector<std::uint32_t> removed;
  for (std::size_t c = 0; c < classes; ++c) {
    shuffle(members[c], random);
    const auto keep = static_cast<std::size_t>(std::max(1.0, std::round(largest * share(c))));
    for (std::size_t k = keep; k < members[c].size(); ++k)
      removed.push_back(members[c][k]);
  }
  std::sort(removed.begin(), removed.end());
  (void)take_samples(set, removed);
}

template <class T>
void repeat(std::vector<T>& values, std::int64_t times) {
  const std::size_t n = values.size();
  values.reserve(n * static_cast<std::size_t>(times));
  for (std::int64_t t = 1; t < times; ++t)
    for (std::size_t i = 0; i < n; ++i)
      values.push_back(values[i]);
}

void make_noisy(dataset& set, double share, rng random) {
  std::vector<std::uint32_t> ids(set.size);
  std::iota(ids.begin(), ids.end(), 0U);
  shuffle(ids, random);
  ids.resize(static_cast<std::size_t>(std::llround(share * static_cast<double>(set.size))));
  const auto others = static_cast<std::uint64_t>(set.classes) - 1;
  for (const auto id : ids)
    set.labels[id] = static_cast<std::int32_t>(
        (static_cast<std::uint64_t>(set.labels[id]) + 1 + random.below(others)) % (others + 1));
}

} // namespace

void regime_options::visit(option_visitor& v) {
  v.field({.name = "subset",
           .doc = "part of the training points that is kept, seeded, stratified by class",
           .min = 1e-6,
           .max = 1.0},
          subset);
  v.field({.name = "imbalance",
           .doc = "points of the first class for one of the last; those between fall geometrically",
           .min = 1.0,
           .max = 1e6},
          imbalance);
  v.field({.name = "duplication", .doc = "how often every training point occurs", .min = 1, .max = 1000},
          duplication);
  v.field({.name = "label_noise",
           .doc = "share of the training labels that are replaced by another class",
           .min = 0.0,
           .max = 1.0},
          label_noise);
  v.field({.name = "seed", .doc = "seed of these changes; null: the seed of the run", .min = 0}, fixed_seed);
}

result<void> apply_regimes(dataset& train, const regime_options& o, std::uint64_t seed) {
  if ((o.imbalance > 1.0 || o.label_noise > 0.0) && train.classes < 2)
    return configuration_error("\"imbalance\" and \"label_noise\" need data with classes");
  if (o.subset < 1.0)
    (void)take_samples(train, choose_held_out(train, 1.0 - o.subset, stream(seed, part::subset)));
  if (o.imbalance > 1.0)
    make_imbalanced(train, o.imbalance, stream(seed, part::imbalance));
  if (o.duplication > 1) {
    constexpr std::size_t most_points = 0xFFFFFFFFU;
    if (train.size > most_points / static_cast<std::size_t>(o.duplication))
      return configuration_error("\"duplication\" makes more than 2^32 points");
    repeat(train.bytes, o.duplication);
    repeat(train.floats, o.duplication);
    number_rows(train);
    repeat(train.rows, o.duplication);
    repeat(train.labels, o.duplication);
    repeat(train.targets, o.duplication);
    train.size *= static_cast<std::size_t>(o.duplication);
  }
  if (o.label_noise > 0.0)
    make_noisy(train, o.label_noise, stream(seed, part::noise));
  return {};
}

} // namespace triage
