#pragma once

#include "core/exchange.hpp"

namespace triage {

std::unique_ptr<exchange_policy> make_bsp();
std::unique_ptr<exchange_policy> make_ssp();
std::unique_ptr<exchange_policy> make_asp();
std::unique_ptr<exchange_policy> make_local_sgd();
std::unique_ptr<exchange_policy> make_adacomm();
std::unique_ptr<exchange_policy> make_overlap_local_sgd();

} // namespace triage
