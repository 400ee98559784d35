#pragma once

#include "apps/ledger/account.hpp"

#include <string>

namespace triage {

/// One line for each training point: index, label, trained, scored, priority, last_loss, mean_loss,
/// lowest_loss, doubt. `priorities` may be empty.
[[nodiscard]] std::string ledger_csv(const data_splits& data, const point_ledger& ledger,
                                     const ledger_account& account, std::span<const float> priorities);
/// One line for each suspect, the most doubtful first.
[[nodiscard]] std::string suspects_csv(const data_splits& data, const point_ledger& ledger,
                                       const ledger_account& account);
/// A page that needs no other file; pictures of at most `pictures` suspects and of as many points that were
/// never learned.
[[nodiscard]] std::string ledger_html(const run_setup& setup, const point_ledger& ledger,
                                      const ledger_account& account, std::size_t pictures);

} // namespace triage
