#pragma once

#include "actors/net/shared_memory.hpp"
#include "core/blob.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace triage {

/// Where a coordinator lays out parameters for the nodes of its machine to read: written once for all of
/// them, where each would otherwise be sent 2 MB of the same, through memory that is copied in and out. Nodes
/// can read it and nothing else.
///
/// Nobody says when he has read: a place is free when no order refers to it that is out, and none can any
/// more that will be sent. Whoever sends orders holds the place meanwhile.
///
/// Lives on the network's thread.
class snapshot_board {
public:
  /// Room for one snapshot.
  struct place {
    std::uint64_t number = 0;
    std::span<float> values = {};
  };

  [[nodiscard]] static result<std::shared_ptr<snapshot_board>> create(std::size_t floats);
  /// A place that nobody holds; null where there is none, or no memory for one.
  [[nodiscard]] std::shared_ptr<const place> acquire();
  /// To be handed to nodes.
  [[nodiscard]] std::shared_ptr<const shared_memory> memory() const { return memory_; }

private:
  snapshot_board(std::size_t floats, std::shared_ptr<shared_memory> memory);

  std::size_t floats_;
  std::shared_ptr<shared_memory> memory_;
  std::vector<std::shared_ptr<const place>> places_;
};

/// What lies at a place of the board that a coordinator has handed over, without a copy. An error where the
/// board has no such place for so many floats.
[[nodiscard]] result<blob> read_board(const std::shared_ptr<const shared_memory>& board, std::uint64_t place,
                                      std::size_t floats);

} // namespace triage
