#pragma once

#include "nn/loss.hpp"

namespace triage {

// One factory per loss; the table in nn/loss.cpp gives them their names.

[[nodiscard]] std::unique_ptr<loss_function> make_softmax_cross_entropy();
[[nodiscard]] std::unique_ptr<loss_function> make_mean_squared_error();
[[nodiscard]] std::unique_ptr<loss_function> make_binary_cross_entropy();

} // namespace triage
