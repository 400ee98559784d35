#include "actors/expendable_system.hpp"

#include <caf/actor_registry.hpp>
#include <thread>

namespace triage {

namespace {
/// Longer than any step, evaluation or write of a checkpoint that may still be under way.
constexpr std::chrono::seconds longest_ending{60};
constexpr std::chrono::seconds longest_ending_in_a_hurry{3};
/// CAF's own way of waiting has no limit, and a thread that waited for it would need the room that may be
/// what was missing.
constexpr std::chrono::milliseconds between_looks{2};
} // namespace

expendable_system::expendable_system(std::unique_ptr<caf::actor_system_config> config,
                                     std::function<void()> left_behind)
    : config_(std::move(config)), system_(std::make_unique<caf::actor_system>(*config_)),
      left_behind_(std::move(left_behind)), patience_(longest_ending) {}

void expendable_system::hurry() {
  patience_ = longest_ending_in_a_hurry;
}

bool expendable_system::wait_for_actors(std::chrono::milliseconds patience) const {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (system_->registry().running() > 0) {
    if (std::chrono::steady_clock::now() > until)
      return false;
    std::this_thread::sleep_for(between_looks);
  }
  return true;
}

expendable_system::~expendable_system() {
  if (wait_for_actors(patience_))
    return;
  left_behind_();
  // Threads of it still run and use both.
  static_cast<void>(system_.release());
  static_cast<void>(config_.release());
}

} // namespace triage
