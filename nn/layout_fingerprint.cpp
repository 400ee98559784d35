#include "nn/layout_fingerprint.hpp"

#include "core/hash.hpp"

#include <fmt/format.h>
#include <numeric>

namespace triage {

std::string layout_fingerprint(const parameter_layout& layout) {
  sha256 hash;
  for (const auto& p : layout.tensors()) {
    hash.add(fmt::format("{} {} {} {};", p.name, p.offset, p.size, p.trained));
    for (const auto extent : p.shape)
      hash.add(fmt::format("{},", extent));
    if (!p.packing)
      continue;
    // Where each plain value goes: indices are exact in a float up to 2^24, and repeat harmlessly beyond.
    std::vector<float> plain(p.size);
    std::iota(plain.begin(), plain.end(), 0.0F);
    std::vector<float> packed(p.size);
    p.packing->pack(plain, packed);
    hash.add(std::string_view(reinterpret_cast<const char*>(packed.data()), packed.size() * sizeof(float)));
  }
  return hash.hex();
}

} // namespace triage
