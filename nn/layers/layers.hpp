#pragma once

#include "nn/layer.hpp"

namespace triage {

std::unique_ptr<layer> make_dense();
std::unique_ptr<layer> make_conv2d();
std::unique_ptr<layer> make_max_pool();
std::unique_ptr<layer> make_avg_pool();
std::unique_ptr<layer> make_global_avg_pool();
std::unique_ptr<layer> make_flatten();
std::unique_ptr<layer> make_relu();
std::unique_ptr<layer> make_leaky_relu();
std::unique_ptr<layer> make_gelu();
std::unique_ptr<layer> make_tanh();
std::unique_ptr<layer> make_sigmoid();
std::unique_ptr<layer> make_dropout();
std::unique_ptr<layer> make_layer_norm();
std::unique_ptr<layer> make_group_norm();
std::unique_ptr<layer> make_batch_norm();
std::unique_ptr<layer> make_residual();
std::unique_ptr<layer> make_synthetic_wait();

} // namespace triage
