#pragma once

#include "actors/net/outgoing_parameters.hpp"
#include "actors/parameters_ahead.hpp"

#include <memory>
#include <span>

namespace triage {

/// The parameters that nodes are being sent, as frames that are made once for all of them: with the floats in
/// them, or on the board for those that see it. Lives on the network's thread.
class parameter_outbox {
public:
  /// `board`: null: there is none. `layer_begins`: see outgoing_parameters; borrowed.
  parameter_outbox(float_format format, std::shared_ptr<snapshot_board> board,
                   std::span<const std::size_t> layer_begins)
      : format_(format), board_(std::move(board)), layer_begins_(layer_begins) {}

  [[nodiscard]] const std::shared_ptr<snapshot_board>& board() const { return board_; }
  /// For a node that sees the board: its frames may lie there.
  [[nodiscard]] std::shared_ptr<outgoing_parameters> frames_of(const snapshot& at, bool sees_board);
  /// More of what comes next is known; `frames_of` goes on with it if that is what then comes.
  void foresee(const parameters_ahead& next);
  /// What is known of it; null: nothing, or no place for it on the board.
  [[nodiscard]] std::shared_ptr<outgoing_parameters> frames_ahead(bool sees_board);
  /// Somebody has got all of these. Nothing is kept for those who come later, for whom they are framed again
  /// unless others are still being sent them: a merge may change them in place when nobody holds them.
  void sent(const std::shared_ptr<outgoing_parameters>& frames);

private:
  struct way {
    std::shared_ptr<outgoing_parameters> newest;
    std::weak_ptr<outgoing_parameters> sent; ///< what was the newest, while somebody has not got all of it
    std::shared_ptr<outgoing_parameters> next;
  };
  [[nodiscard]] static std::shared_ptr<outgoing_parameters> known(const way& w, std::uint64_t version);
  /// What was foreseen, if it is this. Otherwise it is forgotten, unless it is still to come.
  [[nodiscard]] static std::shared_ptr<outgoing_parameters> begin(way& w, const snapshot& at);
  [[nodiscard]] std::shared_ptr<outgoing_parameters> on_board(const snapshot& at);

  float_format format_;
  std::shared_ptr<snapshot_board> board_;
  std::span<const std::size_t> layer_begins_;
  parameters_ahead next_; ///< without parameters: nothing is known
  way floats_;
  way places_;
};

} // namespace triage
