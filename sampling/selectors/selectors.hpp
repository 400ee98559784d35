#pragma once

#include "sampling/selector.hpp"

namespace triage {

std::unique_ptr<selector> make_uniform();
std::unique_ptr<selector> make_multinomial();
std::unique_ptr<selector> make_pps_epoch();

} // namespace triage
