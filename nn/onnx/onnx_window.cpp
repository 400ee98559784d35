#include "nn/onnx/onnx_window.hpp"

namespace triage {

std::vector<onnx_graph::attribute> onnx_window(std::int64_t size, std::int64_t step,
                                               const window::placement& place) {
  using list = std::vector<std::int64_t>;
  return {{"kernel_shape", list{size, size}},
          {"strides", list{step, step}},
          {"pads", list{place.top, place.left, place.bottom, place.right}}};
}

} // namespace triage
