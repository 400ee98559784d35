#pragma once

#include "sampling/refresh_policy.hpp"

namespace triage {

std::unique_ptr<refresh_policy> make_byproduct();
std::unique_ptr<refresh_policy> make_oldest_first();
std::unique_ptr<refresh_policy> make_renew_round_robin();
std::unique_ptr<refresh_policy> make_exact_sweep();
std::unique_ptr<refresh_policy> make_presample();

} // namespace triage
