#pragma once

#include "core/options.hpp"
#include "core/registry.hpp"

#include <memory>
#include <string_view>

namespace triage {

/// Makes the component that a description names, with its options read: `{"type": NAME, …options}`, or the
/// bare string NAME for all defaults. `kind` is the noun for messages ("optimizer"). Unknown names, unknown
/// options and values out of range are errors that name source, line and JSON pointer.
template <class Component>
[[nodiscard]] result<std::unique_ptr<Component>>
make_component(registry_table<std::unique_ptr<Component> (*)()> table, std::string_view kind,
               const json_value& description, const json_place& place) {
  const auto name = read_type_name(description, place, kind);
  if (!name.ok())
    return name.error();
  const auto entry = find_entry(table, kind, *name);
  if (!entry.ok())
    return json_error({place.source, description.is_object() ? place.pointer + "/type" : place.pointer},
                      description, entry.error().message);
  auto component = (*entry)->make();
  if (description.is_object())
    if (auto read =
            read_options(description, place, [&](option_visitor& v) { component->visit(v); }, {"type"});
        !read.ok())
      return read.error();
  return component;
}

} // namespace triage
