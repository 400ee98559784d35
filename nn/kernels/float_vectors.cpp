#include "nn/kernels/float_vectors.hpp"

#include <oneapi/dnnl/dnnl.hpp>

namespace triage {

namespace {

std::size_t widest_registers() {
#if defined(__x86_64__)
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto has = [isa](dnnl::cpu_isa wanted) {
    return (isa & static_cast<unsigned>(wanted)) == static_cast<unsigned>(wanted);
  };
  if (has(dnnl::cpu_isa::avx512_core))
    return 16;
  if (has(dnnl::cpu_isa::avx2) && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
    return 8;
#endif
  return 0;
}

} // namespace

std::size_t channel_block(std::size_t channels, std::size_t other_channels) {
  static const std::size_t widest = widest_registers();
  for (const std::size_t block : {std::size_t{16}, std::size_t{8}})
    if (block <= widest && channels % block == 0 && other_channels % block == 0)
      return block;
  return 0;
}

} // namespace triage
