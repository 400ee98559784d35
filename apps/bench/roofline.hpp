#pragma once

#include "nn/network.hpp"

#include <cstdint>
#include <vector>

namespace triage {

/// The matrix and convolution kernels of one training step and nothing else: for every dense and conv2d layer
/// forward, weight gradient and (except for the first) input gradient, each in the layouts that oneDNN likes
/// best, without reorders, activations or updates. What a step cannot beat.
class bare_kernels {
public:
  bare_kernels(const network& net, std::int64_t batch);
  void run();

private:
  kernel_engine engine_;
  std::vector<kernel> kernels_;
  std::vector<float_buffer> buffers_;
};

} // namespace triage
