#pragma once

#include "core/json.hpp"

#include <doctest/doctest.h>
#include <string_view>

namespace triage {

/// The JSON value of a text that is written in the test itself.
inline json_value json_text(std::string_view text) {
  auto parsed = parse_json(text, "test.json");
  REQUIRE_MESSAGE(parsed.ok(), (parsed.ok() ? "" : parsed.error().message));
  return parsed.take();
}

} // namespace triage
