#pragma once

#include "sampling/score.hpp"

namespace triage {

std::unique_ptr<score> make_loss_score();
std::unique_ptr<score> make_gnorm_last_bound();
std::unique_ptr<score> make_gnorm_last();
std::unique_ptr<score> make_gnorm_full();
std::unique_ptr<score> make_projection();
std::unique_ptr<score> make_projection_last();
std::unique_ptr<score> make_rho();

} // namespace triage
