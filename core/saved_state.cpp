#include "core/saved_state.hpp"

#include <fmt/format.h>

namespace triage {

void saved_state::put(std::string_view name, values data) {
  for (auto& e : entries_)
    if (e.name == name) {
      e.data = std::move(data);
      return;
    }
  entries_.push_back({std::string(name), std::move(data)});
}

void saved_state::put_text(std::string_view name, std::string_view text) {
  put(name, std::vector<std::uint8_t>(text.begin(), text.end()));
}

void saved_state::put_all(std::string_view prefix, saved_state other) {
  for (auto& e : other.entries_)
    put(fmt::format("{}/{}", prefix, e.name), std::move(e.data));
}

const saved_state::values* saved_state::find(std::string_view name) const {
  for (const auto& e : entries_)
    if (e.name == name)
      return &e.data;
  return nullptr;
}

result<std::string> saved_state::get_text(std::string_view name) const {
  auto bytes = get<std::uint8_t>(name);
  if (!bytes.ok())
    return bytes.error();
  return std::string(bytes->begin(), bytes->end());
}

saved_state saved_state::below(std::string_view prefix) const {
  saved_state out;
  const std::string start = fmt::format("{}/", prefix);
  for (const auto& e : entries_)
    if (e.name.starts_with(start))
      out.entries_.push_back({e.name.substr(start.size()), e.data});
  return out;
}

error saved_state::missing(std::string_view name) {
  return data_error(
      fmt::format("the saved state has no entry \"{}\"; it was written by another version", name));
}

error saved_state::wrong_type(std::string_view name) {
  return data_error(fmt::format("the saved entry \"{}\" has an unexpected type or length", name));
}

} // namespace triage
