#pragma once

#include "core/json.hpp"
#include "core/result.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace triage {

/// Changes of single members of a run description, as by --set. Whoever names another component (by its
/// `type`, the `policy` of an exchange or the `format` of data) puts it in the place of the present one: what
/// the description says of that is dropped, and what these changes say stays, whichever comes first. Nothing
/// is taken over, since options of two components may have one name and mean different things, and the
/// description of a run has those of a preset written out. An option may be set of a component that is named
/// by a string alone, or left out where it has a default.
class description_changes {
public:
  /// Borrows the document.
  explicit description_changes(json_value& document) : document_(document) {}

  /// Fails where `set_json_path` does.
  [[nodiscard]] result<void> set(const std::string& path, json_value value);

  /// What was dropped: a sentence for each component that was replaced.
  [[nodiscard]] std::vector<std::string> remarks() const;

private:
  struct replacement {
    std::string at;  ///< the path of the component
    std::string key; ///< that names it
    std::string before;
    std::string after;
    std::vector<std::string> options; ///< of the old one
  };
  /// Makes objects of the components that the path leads through.
  [[nodiscard]] result<void> open_components(const std::string& path);
  [[nodiscard]] result<void> replace_component(json_value& old, const std::string& at, const std::string& key,
                                               const json_value& name);

  json_value& document_;
  std::vector<std::pair<std::string, json_value>> changes_;
  std::vector<replacement> replacements_;
};

/// Parses "path=value" overrides and puts them into the document; the value is JSON, and a string where it is
/// not valid JSON. Returns the remarks.
[[nodiscard]] result<std::vector<std::string>> apply_overrides(json_value& document,
                                                               const std::vector<std::string>& overrides);

} // namespace triage
