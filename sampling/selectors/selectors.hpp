#pragma once

#include "sampling/selector.hpp"

namespace triage {

std::unique_ptr<selector> make_uniform();
std::unique_ptr<selector> make_multinomial();
std::unique_ptr<selector> make_pps_epoch();
std::unique_ptr<selector> make_infobatch();
std::unique_ptr<selector> make_topk_shard();
std::unique_ptr<selector> make_presample_topb();
std::unique_ptr<selector> make_cdf_beta();
std::unique_ptr<selector> make_rank_exp();
std::unique_ptr<selector> make_rank_inv();

} // namespace triage
