#include "actors/expendable_system.hpp"

#include "core/clock.hpp"

#include <caf/all.hpp>
#include <doctest/doctest.h>
#include <future>

using namespace triage;

namespace {

caf::behavior waits_for(caf::event_based_actor* self, std::shared_future<void> end) {
  self->send(self, caf::ok_atom::value);
  return {[self, end](caf::ok_atom) {
    end.wait();
    self->quit();
  }};
}

} // namespace

TEST_CASE("expendable system: it is told when all actors have ended, and that one has not") {
  std::promise<void> end;
  const auto ended = end.get_future().share();
  expendable_system s(std::make_unique<caf::actor_system_config>(), [] {});
  CHECK(s.wait_for_actors(std::chrono::milliseconds(0)));
  s.get().spawn<caf::detached>(waits_for, ended);
  CHECK_FALSE(s.wait_for_actors(std::chrono::milliseconds(30)));
  end.set_value();
  CHECK(s.wait_for_actors(std::chrono::seconds(20)));
}

TEST_CASE("expendable system: it ends at once when its actors have") {
  const double begin = steady_clock().now();
  {
    expendable_system s(std::make_unique<caf::actor_system_config>(), [] {});
    std::promise<void> end;
    end.set_value();
    s.get().spawn(waits_for, end.get_future().share());
  }
  CHECK(steady_clock().now() - begin < 20.0);
}

TEST_CASE("expendable system: one whose actors do not end is left behind, and its owner is told") {
  static std::promise<void> never; // the actor refers to it for as long as the process lives
  bool left_behind = false;
  {
    expendable_system s(std::make_unique<caf::actor_system_config>(), [&] { left_behind = true; });
    s.hurry();
    s.get().spawn<caf::detached>(waits_for, never.get_future().share());
  }
  CHECK(left_behind);
  never.set_value();
}
