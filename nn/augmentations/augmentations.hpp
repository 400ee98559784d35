#pragma once

#include "nn/augmentation.hpp"

namespace triage {

// One factory per augmentation; the table in nn/augmentation.cpp gives them their names.

[[nodiscard]] std::unique_ptr<augmentation> make_shift();
[[nodiscard]] std::unique_ptr<augmentation> make_horizontal_flip();

} // namespace triage
