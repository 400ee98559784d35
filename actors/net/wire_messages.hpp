#pragma once

#include "actors/messages.hpp"
#include "actors/net/frame.hpp"

#include <optional>

// The messages of workers and estimators as frames. Blocks of floats travel behind the plain values or, where
// many orders share one, in a frame of their own. What is read comes from a peer and is checked: against the
// number of points, the number of parameters, and being finite where that is expected.

namespace triage {

/// Who of a node a frame is about; numbered by the node, from 0.
using slot_number = std::uint32_t;

enum class slot_role : std::uint8_t { worker = 1, estimator = 2 };

struct join_frame {
  slot_number slot = 0;
  slot_role role = slot_role::worker;
  std::string name;
};
[[nodiscard]] frame to_frame(const join_frame& m);
[[nodiscard]] result<join_frame> read_join(std::span<const std::uint8_t> head);

struct failure_frame {
  slot_number slot = 0;
  std::string reason;
};
[[nodiscard]] frame to_frame(const failure_frame& m);
[[nodiscard]] result<failure_frame> read_failure(std::span<const std::uint8_t> head);

/// Frames that say nothing but numbers: joined (slot, member), dismissed (slot, 0), parameters and
/// parameters_ahead (version, and where in the block the floats behind belong; `parameters` without floats
/// announces the version, and from where on it consists of what went ahead, 0: nothing did).
[[nodiscard]] std::vector<std::uint8_t> pair_head(std::uint64_t first, std::uint64_t second);
[[nodiscard]] result<std::pair<std::uint64_t, std::uint64_t>> read_pair(std::span<const std::uint8_t> head);

/// Of the parameters of a version so many are at a place of the board, from the first on.
struct board_frame {
  std::uint64_t version = 0;
  std::uint64_t place = 0;
  std::uint64_t end = 0;
};
[[nodiscard]] frame to_frame(const board_frame& m);
[[nodiscard]] result<board_frame> read_board_frame(std::span<const std::uint8_t> head);

/// The order without its snapshot, direction and added gradient, which went before it.
[[nodiscard]] frame to_frame(slot_number slot, const train_order& order);
struct received_train_order {
  slot_number slot = 0;
  std::uint64_t lease = 0;
  std::uint64_t version = 0;
  bool directed = false;      ///< there is a direction
  bool adds_gradient = false; ///< there is an added gradient
  std::vector<drawn_batch> batches;
  std::vector<double> learning_rates;
};
[[nodiscard]] result<received_train_order> read_train_order(std::span<const std::uint8_t> head,
                                                            std::size_t points);

/// Where in the block its floats, which travel behind, belong.
[[nodiscard]] frame to_frame(slot_number slot, const gradient_part& part, float_format format);
/// What both of the frames that carry a gradient begin with.
[[nodiscard]] result<std::pair<slot_number, std::uint64_t>>
read_slot_and_lease(std::span<const std::uint8_t> head);
struct received_gradient_part {
  slot_number slot = 0;
  std::uint64_t lease = 0;
  std::uint64_t begin = 0;
};
[[nodiscard]] result<received_gradient_part> read_gradient_part(std::span<const std::uint8_t> head);

/// A snapshot that has a change, as that.
[[nodiscard]] frame change_frame(const snapshot& at);
struct received_change {
  std::uint64_t version = 0;
  parameter_change change;
};
[[nodiscard]] result<received_change> read_change(std::span<const std::uint8_t> head);

/// The result with its gradient behind it, from element `begin` on: what lies before that went ahead in
/// parts; or with the bytes that it was encoded to and no floats.
[[nodiscard]] frame to_frame(slot_number slot, const train_result& r, float_format format,
                             std::size_t begin = 0);
struct received_train_result {
  slot_number slot = 0;
  train_result result; ///< without the gradient
};
[[nodiscard]] result<received_train_result> read_train_result(std::span<const std::uint8_t> head,
                                                              std::size_t points);

[[nodiscard]] frame to_frame(slot_number slot, const score_order& order);
struct received_score_order {
  slot_number slot = 0;
  std::uint64_t version = 0;
  bool directed = false;
  std::vector<std::uint32_t> ids;
};
[[nodiscard]] result<received_score_order> read_score_order(std::span<const std::uint8_t> head,
                                                            std::size_t points);

/// The mean gradient, where there is one, travels as floats behind.
[[nodiscard]] frame to_frame(slot_number slot, const measured_scores& m, float_format format);
struct received_scores {
  slot_number slot = 0;
  measured_scores scores; ///< without the gradient
};
[[nodiscard]] result<received_scores> read_scores(std::span<const std::uint8_t> head);

/// A line for the log, or a lane of the trace with its times on the coordinator's clock.
[[nodiscard]] frame to_report_frame(bool warning, const std::string& source, const std::string& text);
struct received_report {
  bool warning = false;
  std::string source;
  std::string text;
};
[[nodiscard]] result<received_report> read_report(std::span<const std::uint8_t> head);
[[nodiscard]] frame to_frame(const trace_lane& lane, double clock_offset);
[[nodiscard]] result<trace_lane> read_lane(std::span<const std::uint8_t> head);

} // namespace triage
