#pragma once

#include "nn/schedule.hpp"

namespace triage {

// One factory per schedule; the table in nn/schedule.cpp gives them their names.

[[nodiscard]] std::unique_ptr<schedule> make_constant_schedule();
[[nodiscard]] std::unique_ptr<schedule> make_step_schedule();
[[nodiscard]] std::unique_ptr<schedule> make_exponential_schedule();
[[nodiscard]] std::unique_ptr<schedule> make_cosine_schedule();
[[nodiscard]] std::unique_ptr<schedule> make_one_cycle_schedule();

} // namespace triage
