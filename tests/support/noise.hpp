#pragma once

#include "core/rng.hpp"

#include <cstddef>
#include <vector>

namespace triage::test {

/// Numbers between -1 and 1.
inline std::vector<float> noise(rng& random, std::size_t n) {
  std::vector<float> v(n);
  for (float& x : v)
    x = 2.0F * random.uniform_float() - 1.0F;
  return v;
}

} // namespace triage::test
