#pragma once

#include "core/result.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace triage {

/// The known name closest to `name`, or empty when none is near enough to be a slip of the finger.
[[nodiscard]] std::string_view closest_name(std::string_view name, std::span<const std::string_view> known);

/// "a, b, c". (fmt::join does not compile at -O3: GCC 12 warns falsely inside fmt 9.)
template <class Names>
[[nodiscard]] std::string join_names(const Names& names, std::string_view separator = ", ") {
  std::string out;
  for (const auto& name : names) {
    if (!out.empty())
      out += separator;
    out += name;
  }
  return out;
}

/// "unknown optimizer "sdg": did you mean "sgd"? Known: …"
[[nodiscard]] error unknown_name_error(std::string_view kind, std::string_view name,
                                       std::span<const std::string_view> known);

/// One line of a table of interchangeable components. Tables are plain constant arrays in the .cpp of their
/// interface: nothing registers itself, so the linker cannot drop an entry.
template <class Factory>
struct registry_entry {
  std::string_view name;
  std::string_view summary; ///< one sentence for the reference documentation
  Factory make;
};

template <class Factory>
using registry_table = std::span<const registry_entry<Factory>>;

/// The names of a table, in its order.
template <class Factory>
[[nodiscard]] std::vector<std::string_view> names_of(registry_table<Factory> table) {
  std::vector<std::string_view> names;
  for (const auto& entry : table)
    names.push_back(entry.name);
  return names;
}

/// The entry of that name, or an error that lists the known ones; `kind` is the noun for the message.
template <class Factory>
[[nodiscard]] result<const registry_entry<Factory>*>
find_entry(registry_table<Factory> table, std::string_view kind, std::string_view name) {
  for (const auto& entry : table)
    if (entry.name == name)
      return &entry;
  const auto names = names_of(table);
  return unknown_name_error(kind, name, names);
}

} // namespace triage
