#pragma once

#include "nn/optimizer.hpp"

namespace triage {

// One factory per update rule; the table in nn/optimizer.cpp gives them their names.

[[nodiscard]] std::unique_ptr<optimizer> make_sgd();
[[nodiscard]] std::unique_ptr<optimizer> make_adam();
[[nodiscard]] std::unique_ptr<optimizer> make_adamw();
[[nodiscard]] std::unique_ptr<optimizer> make_rmsprop();
[[nodiscard]] std::unique_ptr<optimizer> make_trsgd();
[[nodiscard]] std::unique_ptr<optimizer> make_tradam();

} // namespace triage
