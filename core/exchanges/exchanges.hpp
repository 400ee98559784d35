#pragma once

#include "core/exchange.hpp"

namespace triage {

std::unique_ptr<exchange_policy> make_bsp();
std::unique_ptr<exchange_policy> make_ssp();
std::unique_ptr<exchange_policy> make_asp();

} // namespace triage
