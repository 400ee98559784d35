#pragma once

#include "sampling/score.hpp"

namespace triage {

std::unique_ptr<score> make_loss_score();
std::unique_ptr<score> make_gnorm_last_bound();
std::unique_ptr<score> make_gnorm_last();

} // namespace triage
