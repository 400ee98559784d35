#pragma once

#include "core/result.hpp"

#include <map>
#include <optional>
#include <string>

namespace triage {

/// Holds runs that are done already against the data that there are now: figures on different data do not
/// compare. Loads the data once for each different description and seed.
class same_data {
public:
  /// `description`: the text of the run's description. An error of kind data where its data have changed
  /// since; data that cannot be loaded any more are told on stderr, and the run counts.
  [[nodiscard]] result<void> check(const std::string& run_directory, const std::string& description);

private:
  std::map<std::string, std::optional<std::string>>
      fingerprints_; ///< as they are now; empty: cannot be loaded
};

} // namespace triage
