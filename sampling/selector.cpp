#include "sampling/selector.hpp"

#include "sampling/selectors/selectors.hpp"

#include <array>

namespace triage {

registry_table<selector_factory> selectors() {
  static constexpr std::array table = {
      registry_entry<selector_factory>{"uniform", "every point once per epoch, reshuffled", make_uniform},
      registry_entry<selector_factory>{"multinomial", "with replacement, in proportion to priority^alpha",
                                       make_multinomial},
      registry_entry<selector_factory>{
          "pps_epoch", "each pass keeps points with probability proportional to their score", make_pps_epoch},
      registry_entry<selector_factory>{
          "infobatch", "each pass drops a share of the points below the mean score (Qin et al. 2024)",
          make_infobatch},
      registry_entry<selector_factory>{"topk_shard",
                                       "the points with the largest scores, nothing else (Zhou & Gao 2021)",
                                       make_topk_shard},
      registry_entry<selector_factory>{"presample_topb",
                                       "the best of each pool of candidates (Mindermann et al. 2022)",
                                       make_presample_topb},
      registry_entry<selector_factory>{
          "cdf_beta",
          "keeps a candidate with the beta-th power of its rank among recent ones (Jiang et al. "
          "2019)",
          make_cdf_beta},
      registry_entry<selector_factory>{
          "rank_exp", "with replacement, falling exponentially with the rank (Loshchilov & Hutter 2015)",
          make_rank_exp},
      registry_entry<selector_factory>{
          "rank_inv", "with replacement, by a power of the inverse rank (Schaul et al. 2016)", make_rank_inv},
  };
  return table;
}

} // namespace triage
