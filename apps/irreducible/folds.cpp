#include "apps/irreducible/folds.hpp"

#include "core/rng.hpp"

#include <algorithm>
#include <numeric>

namespace triage {

std::vector<std::uint32_t> make_folds(const dataset& train, std::size_t folds, std::size_t duplication,
                                      std::uint64_t seed) {
  const std::size_t originals = train.size / std::max<std::size_t>(duplication, 1);
  std::vector<std::uint32_t> order(originals);
  std::iota(order.begin(), order.end(), 0U);
  rng random(seed, rng_purpose::split, 2);
  shuffle(order, random);
  if (train.is_classification())
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return train.labels[a] < train.labels[b]; });
  std::vector<std::uint32_t> fold_of(train.size);
  for (std::size_t k = 0; k < originals; ++k)
    for (std::size_t id = order[k]; id < train.size; id += originals)
      fold_of[id] = static_cast<std::uint32_t>(k % folds);
  return fold_of;
}

} // namespace triage
