#pragma once

#include "core/dataset.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace triage {

/// The target cells of one text file, still as text that somebody else owns.
struct target_cells {
  std::string path;
  std::vector<std::string> columns;    ///< how messages call the columns, one per target of a sample
  std::vector<std::string_view> cells; ///< samples * columns.size()
  std::vector<std::uint64_t> lines;    ///< the line of each sample
};

/// Declares the option `task` of the text formats.
void visit_task(option_visitor& v, std::string& task);

/// Turns cells into labels or targets of `data.train` and `data.test` (`test` is null when there is none),
/// and names the classes, unless the labels are the numbers of the classes.
/// `task` is "classification", "regression" or "auto": strings, and integers with at most 100 different
/// values that repeat at least once on average, are classes; anything else is regression. The classes are
/// the different labels of the training file in sorted order (integers by value, strings by bytes); a test
/// label that is not among them is an error.
[[nodiscard]] result<void> assign_targets(std::string_view task, const target_cells& train,
                                          const target_cells* test, loaded_data& data);

} // namespace triage
