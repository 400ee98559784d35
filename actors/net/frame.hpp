#pragma once

#include "core/blob.hpp"
#include "core/result.hpp"
#include "core/short_floats.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace triage {

/// What a frame says. The numbers are the wire format: never reuse one.
enum class frame_kind : std::uint16_t {
  // Both links; the link answers these itself.
  ping = 1,
  pong = 2,
  // The first frame of every connection, and its answers.
  hello = 10,
  welcome = 11,
  refusal = 12,
  accepted = 13,
  // Control link.
  report = 20,   ///< node -> coordinator: a warning or remark for the log
  lane = 21,     ///< node -> coordinator: what an actor did, when tracing
  ready = 22,    ///< node -> coordinator: it has what the run needs, and takes part
  leaving = 23,  ///< node -> coordinator: finish what is out, then let it go
  finished = 24, ///< coordinator -> node: the run is over
  status = 25,   ///< coordinator -> whoever asked: where the run stands, as JSON
  // Tensor link.
  join = 40,       ///< a worker or estimator of the node wants orders
  joined = 41,     ///< its number
  failure = 42,    ///< it gives up, with the reason
  dismissed = 43,  ///< it is not wanted any more
  parameters = 44, ///< a part, the next from the front, of the snapshot that following orders start from
  direction = 45,  ///< what following projections are measured on
  train_order = 46,
  train_result = 47,
  score_order = 48,
  scores = 49,
  parameters_change = 51, ///< the next snapshot as a compressed change of the last one
  gradient_part = 50,     ///< what is final of the gradient of a train_result that will follow
  board = 52,             ///< as `parameters`, where the node reads them from the coordinator's memory
  parameters_ahead = 53,  ///< a part, the next from the back, of the end of a snapshot that may be announced
  added_gradient = 54,    ///< what following train orders add to their gradients
};

/// What lies before every frame on the wire.
struct frame_header {
  static constexpr std::uint32_t magic = 0x31475254; ///< "TRG1"
  static constexpr std::size_t size = 16;

  frame_kind kind{};
  float_format format = float_format::float32; ///< of the floats on the wire
  std::uint32_t head_bytes = 0;                ///< plain values, see wire_writer
  std::uint32_t bulk_floats = 0;               ///< behind them

  [[nodiscard]] std::size_t bulk_bytes() const { return bulk_floats * bytes_of(format); }
  [[nodiscard]] std::array<std::uint8_t, size> encode() const;
  /// Refuses whatever does not begin like a frame.
  [[nodiscard]] static result<frame_header> decode(std::span<const std::uint8_t> bytes);
};

/// A message ready to be written: header and plain values in one piece, floats where they are. Copies share
/// the floats.
class frame {
public:
  explicit frame(frame_kind kind, std::vector<std::uint8_t> head = {});
  /// With the floats `begin` .. `begin + size` of a block, which is shared and must not change any more.
  /// Short formats are rounded here, on the caller's thread.
  frame(frame_kind kind, std::vector<std::uint8_t> head, blob bulk, float_format format);
  frame(frame_kind kind, std::vector<std::uint8_t> head, blob bulk, std::size_t begin, std::size_t size,
        float_format format);

  /// The same floats under another head.
  [[nodiscard]] frame as(frame_kind kind, std::span<const std::uint8_t> head) const;

  [[nodiscard]] std::span<const std::uint8_t> front() const { return front_; }
  [[nodiscard]] std::span<const std::uint8_t> bulk() const;
  [[nodiscard]] std::size_t bytes() const { return front_.size() + bulk().size(); }
  /// Heartbeats do not wait behind payload.
  [[nodiscard]] bool overtakes() const { return overtakes_; }

private:
  void set_front(frame_kind kind, frame_header header, std::span<const std::uint8_t> head);

  std::vector<std::uint8_t> front_;
  blob floats_;
  std::size_t begin_ = 0;
  std::size_t size_ = 0;
  bool overtakes_ = false;
  std::shared_ptr<const std::uint16_t[]> shorts_; ///< null: floats as they are
};

} // namespace triage
