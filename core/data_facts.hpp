#pragma once

#include "core/dataset.hpp"
#include "core/saved_state.hpp"

namespace triage {

/// What a model must know of the data that it was trained on, to be used where that data is not: shapes and
/// classes, names, standardisation, and whether samples were bytes. Part of each checkpoint.
[[nodiscard]] saved_state save_data_facts(const data_splits& data);
/// The same data without its samples: sets of size 0. An error says what is wrong with the checkpoint.
[[nodiscard]] result<data_splits> load_data_facts(const saved_state& state);

} // namespace triage
