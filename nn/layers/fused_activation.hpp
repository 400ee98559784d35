#pragma once

#include "nn/layer.hpp"

#include <optional>
#include <string>
#include <vector>

namespace triage {

/// The activations that a dense or conv2d layer can apply itself: they run inside the matrix kernel, and
/// their derivative follows from their output.
[[nodiscard]] std::vector<std::string_view> fused_activation_names();

/// The kernel attributes for a layer with that activation ("none" adds nothing).
[[nodiscard]] dnnl::primitive_attr fused_attributes(const std::string& activation);

/// The slope below zero of an activation that is a rectifier, whose derivative is `rectifier_gradient`.
[[nodiscard]] std::optional<float> rectifier_slope(const std::string& activation);

/// For the others, the kernel that multiplies the output gradient by the activation's derivative, in place;
/// empty for "none". Arguments left to bind: DNNL_ARG_DST (the output) and DNNL_ARG_DIFF_DST,
/// DNNL_ARG_DIFF_SRC (the gradient).
[[nodiscard]] kernel make_fused_backward(kernel_engine& engine, const std::string& activation,
                                         const tensor_layout& layout);

/// He initialisation for rectifiers, Glorot for the others.
[[nodiscard]] initialiser initialiser_for(const std::string& activation);

} // namespace triage
