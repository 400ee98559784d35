#pragma once

#include "actors/net/byte_stream.hpp"
#include "actors/net/frame.hpp"
#include "actors/net/link_emulator.hpp"
#include "actors/net/link_limits.hpp"
#include "core/adaptive_deadline.hpp"

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace triage {

/// Whom a link tells. Called on the link's thread.
class link_handler {
public:
  virtual ~link_handler() = default;
  /// Where the floats of a frame go: exactly header.bulk_floats of them, which must stay until `arrived`.
  /// Asked before anything is read or allocated for them; an error closes the link.
  [[nodiscard]] virtual result<std::span<float>> place(const frame_header& header,
                                                       std::span<const std::uint8_t> head) = 0;
  /// A whole frame; its floats are where `place` said. An error closes the link.
  [[nodiscard]] virtual result<void> arrived(const frame_header& header,
                                             std::span<const std::uint8_t> head) = 0;
  /// Everything that was sent has left.
  virtual void drained() {}
  /// The last call. `reason` is a sentence's end: "it was silent for 2.1 s".
  virtual void closed(const std::string& reason) = 0;
};

struct link_options {
  link_limits limits = {};
  double heartbeat_seconds = 0.5;
  emulated_network network = {};
  std::uint64_t seed = 0; ///< of the emulated network
  /// Tells its links apart: each has delays of its own, the same ones whenever the run is repeated.
  std::uint64_t number = 0;
};

/// Figures of a link; read by any thread.
struct link_figures {
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  double round_trip_seconds = 0.0;
  double clock_offset_seconds = 0.0; ///< the peer's clock minus ours
  double silent_seconds = 0.0;       ///< since anything was heard
  double deadline_seconds = 0.0;     ///< of silence
};

/// One connection that carries frames: sends without copying, receives floats where the handler wants them,
/// keeps itself alive by heartbeats and closes when the peer is silent for longer than a deadline that
/// follows the heartbeats measured. Anything heard counts as a sign of life, so a long payload is none of
/// silence. Heartbeats overtake waiting frames; those keep their order. What a handler sends from `arrived`
/// is taken at once, so also before what other threads have handed in and this one has not seen yet.
///
/// Threading: `send`, `close` and `close_when_sent` from any thread; the rest on the thread of its
/// io_context.
class link : public std::enable_shared_from_this<link> {
public:
  [[nodiscard]] static std::shared_ptr<link> make(boost::asio::io_context& context,
                                                  std::unique_ptr<byte_stream> stream, link_options options);

  /// Begins to read. The stream's handshake is over.
  void start(std::shared_ptr<link_handler> handler);
  /// Somebody else is told from now on, e.g. after the first frame said who the peer is.
  void hand_over(std::shared_ptr<link_handler> handler, const link_limits& limits);
  void allow(const link_limits& limits);

  void send(frame f);
  /// On the link's thread: taken at once, before what waits there. May close the link, and say so, before it
  /// returns.
  void send_here(frame f);
  /// On the link's thread: what `frames` sends leaves together.
  template <class Sending>
  void send_together(const Sending& frames) {
    const bool held = std::exchange(delivering_, true);
    frames();
    delivering_ = held;
    pump();
  }
  /// `reason` as in link_handler::closed. Harmless when repeated.
  void close(std::string reason);
  /// Closes when everything sent so far has left, or after `seconds`.
  void close_when_sent(std::string reason, double seconds);

  /// On the link's thread: of frames that have not left.
  [[nodiscard]] std::size_t queued_bytes() const { return queued_bytes_; }
  [[nodiscard]] const std::string& peer() const { return peer_; } ///< its certificate's name, or empty
  /// What both ends see beside the frames; null: nothing.
  [[nodiscard]] const std::shared_ptr<const shared_memory>& board() const { return board_; }
  [[nodiscard]] link_figures figures() const;

private:
  link(boost::asio::io_context& context, std::unique_ptr<byte_stream> stream, link_options options);

  void wait_for_arrival();
  void depart(frame f);
  void pump();
  void read();
  void take(std::size_t bytes);
  bool take_header();
  bool take_head();
  [[nodiscard]] bool finish_bulk();
  void deliver();
  [[nodiscard]] result<void> answer(std::span<const std::uint8_t> head);
  void ping();
  void beat();
  void hear_last_words(const std::string& reason);
  void shut(const std::string& reason);

  boost::asio::io_context& context_;
  std::unique_ptr<byte_stream> stream_;
  link_options options_;
  std::string peer_;
  std::shared_ptr<const shared_memory> board_;
  std::shared_ptr<link_handler> handler_;
  bool delivering_ = false;
  bool open_ = true;
  bool mute_ = false; ///< the peer takes nothing any more

  // Sending.
  std::deque<frame> heartbeats_;
  std::deque<frame> frames_;
  std::vector<frame> writing_;
  std::size_t queued_bytes_ = 0;
  std::optional<std::string> close_reason_; ///< when everything has left
  std::optional<link_emulator> emulator_;
  struct delayed {
    double arrival = 0.0;
    frame what;
  };
  std::deque<delayed> travelling_;
  boost::asio::steady_timer travel_;

  // Receiving.
  std::vector<std::uint8_t> in_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::optional<frame_header> header_;
  std::vector<std::uint8_t> head_;
  bool has_head_ = false;
  std::span<float> floats_;           ///< of the present frame
  std::vector<std::uint16_t> shorts_; ///< of the present frame, in a short format
  std::span<std::uint8_t> bulk_;      ///< what is still to be read of it

  // Staying alive.
  boost::asio::steady_timer heartbeat_;
  adaptive_deadline silence_;
  double next_beat_ = 0.0;
  double last_ping_ = 0.0;
  double best_round_trip_ = 0.0;
  int pongs_ = 0;

  std::atomic<std::uint64_t> bytes_sent_{0};
  std::atomic<std::uint64_t> bytes_received_{0};
  std::atomic<double> round_trip_{0.0};
  std::atomic<double> clock_offset_{0.0};
  std::atomic<double> last_heard_{0.0};
  std::atomic<double> deadline_{0.0};
};

} // namespace triage
