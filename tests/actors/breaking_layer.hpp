#pragma once

#include "pass_through_layer.hpp"

#include <array>
#include <atomic>
#include <limits>
#include <stdexcept>

namespace triage::test {

/// What the layer `breaking` does in the passes that follow.
enum class breakage { none, throws, spoils };
inline std::atomic<breakage> present_breakage{breakage::none};

inline void break_as_told(const pass&, float& value) {
  if (present_breakage == breakage::throws)
    throw std::runtime_error("the layer broke");
  if (present_breakage == breakage::spoils)
    value = std::numeric_limits<float>::quiet_NaN();
}

inline constexpr std::array breaking_table = {
    registry_entry<layer_factory>{"breaking", "breaks when told to", []() -> std::unique_ptr<layer> {
                                    return std::make_unique<pass_through_layer<break_as_told>>("breaking");
                                  }}};

/// The override that puts it into the model of small_run.
inline constexpr const char* breaking_model =
    R"(model=[{"type":"dense","units":16,"activation":"relu"},{"type":"breaking"},{"type":"dense","units":4}])";

/// Breaks while it lives.
struct broken_for_now {
  explicit broken_for_now(breakage how) { present_breakage = how; }
  ~broken_for_now() { present_breakage = breakage::none; }
  broken_for_now(const broken_for_now&) = delete;
  broken_for_now& operator=(const broken_for_now&) = delete;
};

} // namespace triage::test
