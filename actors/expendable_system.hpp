#pragma once

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <chrono>
#include <functional>
#include <memory>

namespace triage {

/// An actor system that is left behind when not all of its actors end: one that never got its thread, or
/// whose computation hangs, never does, and CAF's destructor waits for it without limit. Whatever it holds is
/// lost to the process then, and `left_behind` is called, which must see to it that what its actors refer to
/// stays as well. Ends with its owner, on the owner's thread.
class expendable_system {
public:
  expendable_system(std::unique_ptr<caf::actor_system_config> config, std::function<void()> left_behind);
  expendable_system(const expendable_system&) = delete;
  expendable_system& operator=(const expendable_system&) = delete;
  ~expendable_system();

  /// For a run that has failed: what hangs then will not end by waiting for it.
  void hurry();
  [[nodiscard]] caf::actor_system& get() { return *system_; }
  /// Waits until no actor is left; false: some were after that time. What holds actors alive, as the owner's
  /// own scoped ones, must be gone.
  [[nodiscard]] bool wait_for_actors(std::chrono::milliseconds patience) const;

private:
  std::unique_ptr<caf::actor_system_config> config_;
  std::unique_ptr<caf::actor_system> system_;
  std::function<void()> left_behind_;
  std::chrono::seconds patience_;
};

} // namespace triage
