#pragma once

#include "core/saved_state.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace triage {

/// Stretches of the shuffled order that wait, in their order, for fresh scores before they are planned. One
/// order for estimators never reaches over two pools. Owned by one thread.
class candidate_pools {
public:
  struct pool {
    std::vector<std::uint32_t> ids;
    bool ends_pass = false; ///< the pass over the data ends with it
    std::uint64_t serial = 0;
    std::size_t handed_out = 0;
    std::size_t awaited = 0; ///< handed out and not yet measured

    [[nodiscard]] bool ready() const { return handed_out == ids.size() && awaited == 0; }
  };

  void add(std::span<const std::uint32_t> ids, bool ends_pass);
  [[nodiscard]] std::size_t size() const { return pools_.size(); }
  [[nodiscard]] bool front_ready() const { return !pools_.empty() && pools_.front().ready(); }
  /// Precondition: size() > 0.
  pool take_front();

  /// Appends up to `count` candidates of one pool that nobody measures yet; returns the pool's serial.
  std::optional<std::uint64_t> next(std::size_t count, std::vector<std::uint32_t>& out);
  /// `count` candidates of a pool were measured, or are past waiting for.
  void arrived(std::uint64_t serial, std::size_t count);
  /// From the front: nothing more is waited for. For a run whose estimators are gone.
  void give_up_waiting();

  [[nodiscard]] saved_state save() const;
  /// Everything is measured again after a load. `points`: numbers must be below.
  [[nodiscard]] result<void> load(const saved_state& state, std::size_t points);

private:
  std::deque<pool> pools_;
  std::uint64_t next_serial_ = 1;
};

} // namespace triage
