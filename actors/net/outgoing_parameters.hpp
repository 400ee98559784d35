#pragma once

#include "actors/net/frame.hpp"
#include "actors/net/snapshot_board.hpp"
#include "actors/run_records.hpp"

#include <memory>
#include <vector>

namespace triage {

/// A snapshot as the frames that nodes get: its parts from front to back, each made once for all nodes, as
/// soon as it is final. The floats travel in them, or lie on the board. Its end may be known before there is
/// a snapshot: parts of that go ahead, from back to front. Lives on the network's thread.
class outgoing_parameters {
public:
  /// `layer_begins`: rising; parts end there rather than shortly before or behind, so that no layer has to
  /// wait for two where one could hold it.
  outgoing_parameters(snapshot at, float_format format, std::span<const std::size_t> layer_begins);
  /// On the board, at this place.
  outgoing_parameters(snapshot at, std::shared_ptr<const snapshot_board::place> place,
                      std::span<const std::size_t> layer_begins);

  /// More of its end is known: elements [begin, end), where `end` is the same in all calls. Before `begin`.
  void add_ahead(std::size_t begin, std::size_t end);
  /// What goes ahead of the announcement. On the board nothing does: what lies there needs no telling.
  [[nodiscard]] const std::vector<frame>& parts_ahead() const { return parts_ahead_; }
  /// What was known ahead has become this snapshot.
  void begin(const snapshot& at) { at_ = at; }

  [[nodiscard]] std::uint64_t version() const { return at_.version; }
  [[nodiscard]] const blob& parameters() const { return at_.parameters; }
  /// Says that the snapshot is on its way, so that orders may name it. `sent_ahead`: how many of the parts
  /// ahead went to that node, here and below.
  [[nodiscard]] frame announcement(std::size_t sent_ahead) const;
  /// How many parts follow the announcement to such a node, as far as they are final by now: from front to
  /// back, those that did not go ahead to it at their place.
  [[nodiscard]] std::size_t parts(std::size_t sent_ahead);
  /// One of those.
  [[nodiscard]] const frame& part(std::size_t index, std::size_t sent_ahead) const;
  /// `parts` has counted all of them.
  [[nodiscard]] bool complete() const { return at_.parameters.empty(); }
  /// Its frames hold no parameters, which the next merge then may change in place.
  [[nodiscard]] bool is_copy() const { return place_ || format_ != float_format::float32; }
  /// Null: the floats travel.
  [[nodiscard]] const std::shared_ptr<const snapshot_board::place>& place() const { return place_; }

private:
  [[nodiscard]] std::size_t end_of_part() const;
  /// Of the next one that goes ahead, not before `begin`.
  [[nodiscard]] std::size_t begin_of_part(std::size_t begin) const;
  /// Parts that went ahead to others and come at their place, if that is reached.
  [[nodiscard]] std::size_t late_parts(std::size_t sent_ahead) const {
    return framed_ < ahead_end_ ? 0 : parts_late_.size() - sent_ahead;
  }
  void lay_out(std::size_t begin, std::size_t size);
  [[nodiscard]] frame make_part(std::size_t begin, std::size_t size);

  snapshot at_; ///< without parameters when all are in frames
  float_format format_ = float_format::float32;
  std::shared_ptr<const snapshot_board::place> place_;
  std::span<const std::size_t> layer_begins_;
  std::vector<frame> parts_;    ///< of what is not known ahead
  std::size_t framed_ = 0;      ///< floats, from the front
  std::size_t front_parts_ = 0; ///< of `parts_`, those before what is known ahead
  std::vector<frame> parts_ahead_;
  std::vector<std::size_t> begins_ahead_; ///< of those
  std::vector<frame> parts_late_;         ///< the same ones, for who did not get them ahead
  /// Of what is known ahead; nothing is where both are the same.
  std::size_t ahead_begin_ = 0;
  std::size_t ahead_end_ = 0;
};

} // namespace triage
