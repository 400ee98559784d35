#pragma once

#include "actors/run_records.hpp"
#include "actors/run_setup.hpp"
#include "actors/trace.hpp"
#include "core/clock.hpp"
#include "core/fork_join.hpp"

#include <caf/spawn_options.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace triage {

/// What every actor of a run is given. Immutable and shared.
struct run_context {
  std::shared_ptr<const run_setup> setup;
  std::shared_ptr<const clock> time;
  bool tracing = false;
  /// Actors that compute or block, except workers, own a thread each. Tests pass false: then the
  /// deterministic scheduler runs everything.
  bool detach = true;
  /// Workers hand over what is final of a gradient while they compute the rest: worth its messages where the
  /// gradient travels, and where whoever merges has time meanwhile.
  bool gradient_parts = false;
  /// Where they go instead of to the coordinator, on the worker's thread: on a node each would otherwise wake
  /// another thread on its way to the network's.
  std::function<void(gradient_part)> gradient_part_sink;
  /// Workers take a step that counts for nothing before they join: others would wait for a newcomer's first.
  bool warm_up = false;
  /// More workers than cores: the coordinator owns a thread, so that its parameters stay with one core.
  bool crowded = false;
  /// Workers help with the merge of a round when they have handed in their results, so that no other thread
  /// must be woken for it; null: the coordinator has threads of its own.
  std::shared_ptr<fork_join> merge_threads;
  std::string checkpoint_directory;     ///< empty: checkpoints are not written (tests)
  std::string best_directory;           ///< where the best one is kept
  std::shared_ptr<class cluster> nodes; ///< null: nobody may join
};

using shared_context = std::shared_ptr<const run_context>;

/// Spawns an actor that computes or blocks on files: on a thread of its own, unless the context says no.
template <class Spawner, class Behaviour, class... Args>
auto spawn_compute(Spawner& spawner, const shared_context& context, Behaviour behaviour, Args&&... args) {
  return context->detach
             ? spawner.template spawn<caf::detached>(behaviour, context, std::forward<Args>(args)...)
             : spawner.template spawn<caf::no_spawn_options>(behaviour, context, std::forward<Args>(args)...);
}

} // namespace triage
