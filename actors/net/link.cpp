#include "actors/net/link.hpp"

#include "core/clock.hpp"
#include "core/wire.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <cstring>
#include <fmt/format.h>

namespace triage {

namespace {

/// Who writes to a connection that its peer has closed learns it in another way than who reads.
std::string why_it_ended(const boost::system::error_code& ec) {
  // Connections are closed without TLS's farewell.
  return ec == boost::asio::error::eof || ec == boost::asio::error::broken_pipe ||
                 ec == boost::asio::ssl::error::stream_truncated
             ? "it closed the connection"
             : fmt::format("the connection broke ({})", ec.message());
}

/// For heads: what comes behind one is copied once more, on its way to where floats belong.
constexpr std::size_t read_buffer_bytes = 8U << 10U;
constexpr std::size_t bytes_at_once = 256U << 10U;
constexpr std::size_t frames_at_once = 16;
constexpr std::chrono::seconds longest_last_words{1};
constexpr double beats_until_silence = 4.0;
constexpr double longest_silence = 30.0;
/// A peer that has just connected may be busy with what the connection starts.
constexpr double first_silence_factor = 2.5;
/// The offset of the clocks is taken from the fastest of so many round trips.
constexpr int pongs_of_an_estimate = 32;
/// So many are made at once in the beginning: a run may be over before the next heartbeat.
constexpr int first_pongs = 8;
/// More are dropped: a peer that sends heartbeats and reads no answers would fill the memory with them.
constexpr std::size_t most_waiting_heartbeats = 1024;

double now() {
  return steady_clock().now();
}

std::chrono::steady_clock::duration duration_of(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(seconds));
}

} // namespace

std::shared_ptr<link> link::make(boost::asio::io_context& context, std::unique_ptr<byte_stream> stream,
                                 link_options options) {
  return std::shared_ptr<link>(new link(context, std::move(stream), options));
}

link::link(boost::asio::io_context& context, std::unique_ptr<byte_stream> stream, link_options options)
    : context_(context), stream_(std::move(stream)), options_(options), peer_(stream_->peer_name()),
      board_(stream_->board()), travel_(context), in_(read_buffer_bytes), heartbeat_(context),
      silence_({.shortest = beats_until_silence * options.heartbeat_seconds,
                .longest = std::max(longest_silence, beats_until_silence * options.heartbeat_seconds),
                .medians = beats_until_silence,
                .deviations = 8.0,
                .unmeasured = first_silence_factor}) {
  if (options_.network.active())
    emulator_.emplace(options_.network, options_.seed, options_.number);
  deadline_ = silence_.seconds();
}

void link::start(std::shared_ptr<link_handler> handler) {
  handler_ = std::move(handler);
  last_heard_ = now();
  next_beat_ = now();
  beat();
  read();
}

void link::hand_over(std::shared_ptr<link_handler> handler, const link_limits& limits) {
  handler_ = std::move(handler);
  allow(limits);
}

void link::allow(const link_limits& limits) {
  options_.limits = limits;
}

link_figures link::figures() const {
  return {bytes_sent_, bytes_received_, round_trip_, clock_offset_, now() - last_heard_, deadline_};
}

// -- sending ------------------------------------------------------------------------------------------------

void link::send(frame f) {
  // An answer to what is just being delivered leaves before this thread looks for more to read.
  if (context_.get_executor().running_in_this_thread() && delivering_)
    return send_here(std::move(f));
  boost::asio::post(
      context_, [self = shared_from_this(), f = std::move(f)]() mutable { self->send_here(std::move(f)); });
}

void link::send_here(frame f) {
  if (!open_ || close_reason_)
    return;
  if (f.overtakes() && heartbeats_.size() + travelling_.size() >= most_waiting_heartbeats)
    return;
  if (!emulator_)
    return depart(std::move(f));
  const double arrival = emulator_->arrival(now(), f.bytes());
  queued_bytes_ += f.bytes();
  travelling_.push_back({arrival, std::move(f)});
  if (travelling_.size() == 1)
    wait_for_arrival();
}

void link::wait_for_arrival() {
  travel_.expires_after(duration_of(travelling_.front().arrival - now()));
  travel_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
    if (ec || self->travelling_.empty())
      return;
    frame arrived = std::move(self->travelling_.front().what);
    self->travelling_.pop_front();
    self->queued_bytes_ -= arrived.bytes();
    if (!self->travelling_.empty())
      self->wait_for_arrival();
    self->depart(std::move(arrived));
  });
}

void link::depart(frame f) {
  queued_bytes_ += f.bytes();
  if (queued_bytes_ > options_.limits.queue)
    return shut(fmt::format("{} MB wait to be sent to it", queued_bytes_ >> 20U));
  (f.overtakes() ? heartbeats_ : frames_).push_back(std::move(f));
  pump();
}

void link::pump() {
  if (!open_ || mute_ || delivering_ || !writing_.empty())
    return;
  std::size_t bytes = 0;
  const auto load = [&](std::deque<frame>& from) {
    while (!from.empty() && writing_.size() < frames_at_once && bytes < bytes_at_once) {
      bytes += from.front().bytes();
      writing_.push_back(std::move(from.front()));
      from.pop_front();
    }
  };
  load(heartbeats_);
  load(frames_);
  if (writing_.empty()) {
    if (close_reason_ && travelling_.empty())
      shut(*close_reason_);
    return;
  }
  std::vector<boost::asio::const_buffer> buffers;
  buffers.reserve(2 * writing_.size());
  for (const auto& f : writing_) {
    buffers.emplace_back(f.front().data(), f.front().size());
    if (!f.bulk().empty())
      buffers.emplace_back(f.bulk().data(), f.bulk().size());
  }
  stream_->write(std::move(buffers), [self = shared_from_this()](const auto& ec, std::size_t sent) {
    self->bytes_sent_ += sent;
    for (const auto& f : self->writing_)
      self->queued_bytes_ -= f.bytes();
    self->writing_.clear();
    if (ec)
      return self->hear_last_words(why_it_ended(ec));
    self->pump();
    if (const auto handler = self->handler_; self->open_ && handler && self->queued_bytes_ == 0)
      handler->drained();
  });
}

// -- receiving ----------------------------------------------------------------------------------------------

void link::read() {
  if (!open_)
    return;
  const auto to = bulk_.empty() ? boost::asio::mutable_buffer(in_.data() + end_, in_.size() - end_)
                                : boost::asio::mutable_buffer(bulk_.data(), bulk_.size());
  // The handler owns the memory that floats are read into, and a stream may write there when this link has
  // closed and dropped it: TLS decrypts what has arrived when its turn comes, not when it arrived.
  stream_->read_some(to, [self = shared_from_this(), owner = handler_](const auto& ec, std::size_t bytes) {
    if (!self->open_)
      return;
    if (ec)
      return self->shut(why_it_ended(ec));
    self->last_heard_ = now();
    self->bytes_received_ += bytes;
    try {
      self->take(bytes);
    } catch (const std::exception& e) { // memory, for the most part: that of one peer, not of the process
      self->delivering_ = false;
      self->shut(fmt::format("what it sent could not be taken in ({})", e.what()));
    }
    self->read();
  });
}

void link::take(std::size_t bytes) {
  if (!bulk_.empty())
    bulk_ = bulk_.subspan(bytes);
  else
    end_ += bytes;
  while (open_) {
    if (!header_ && !take_header())
      break;
    if (!has_head_ && !take_head())
      break;
    if (!finish_bulk())
      break;
    deliver();
  }
  if (begin_ == 0)
    return;
  std::memmove(in_.data(), in_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
}

bool link::take_header() {
  if (end_ - begin_ < frame_header::size)
    return false;
  const auto decoded = frame_header::decode(std::span(in_).subspan(begin_, frame_header::size));
  if (!decoded.ok()) {
    shut(decoded.error().message);
    return false;
  }
  if (decoded->head_bytes > options_.limits.head) {
    shut(fmt::format("it announced a frame with a head of {} bytes, where {} are allowed",
                     decoded->head_bytes, options_.limits.head));
    return false;
  }
  header_ = *decoded;
  begin_ += frame_header::size;
  return true;
}

bool link::take_head() {
  const std::size_t wanted = header_->head_bytes;
  if (end_ - begin_ < wanted) {
    // Memory for what has arrived, not for what was announced; at most options_.limits.head.
    if (end_ == in_.size() && begin_ + wanted > in_.size())
      in_.resize(std::min(begin_ + wanted, 2 * in_.size()));
    return false;
  }
  head_.assign(in_.begin() + static_cast<std::ptrdiff_t>(begin_),
               in_.begin() + static_cast<std::ptrdiff_t>(begin_ + wanted));
  begin_ += wanted;
  has_head_ = true;
  if (header_->bulk_floats == 0)
    return true;
  const auto place = handler_->place(*header_, head_);
  if (!place.ok()) {
    shut(place.error().message);
    return false;
  }
  floats_ = *place;
  if (header_->format == float_format::float32) {
    bulk_ = {reinterpret_cast<std::uint8_t*>(floats_.data()), floats_.size_bytes()};
  } else {
    shorts_.resize(floats_.size());
    bulk_ = {reinterpret_cast<std::uint8_t*>(shorts_.data()), shorts_.size() * sizeof(std::uint16_t)};
  }
  const std::size_t here = std::min(bulk_.size(), end_ - begin_);
  std::memcpy(bulk_.data(), in_.data() + begin_, here);
  bulk_ = bulk_.subspan(here);
  begin_ += here;
  return true;
}

bool link::finish_bulk() {
  if (!bulk_.empty())
    return false;
  if (!floats_.empty() && header_->format != float_format::float32)
    from_short(header_->format, shorts_, floats_);
  return true;
}

void link::deliver() {
  const frame_header header = *std::exchange(header_, std::nullopt);
  has_head_ = false;
  floats_ = {};
  const auto handler = handler_; // it may hand the link over
  delivering_ = true;            // what it answers leaves together
  const auto taken =
      header.kind == frame_kind::ping || header.kind == frame_kind::pong
          ? (header.bulk_floats == 0 ? answer(head_) : run_error("it sent a strange heartbeat"))
          : handler->arrived(header, head_);
  delivering_ = false;
  if (!taken.ok())
    return shut(taken.error().message);
  pump();
}

// -- staying alive ------------------------------------------------------------------------------------------

/// ping: when it was sent. pong: that, and the peer's clock.
result<void> link::answer(std::span<const std::uint8_t> head) {
  wire_reader in(head);
  const auto sent = in.number<double>();
  const double time = now();
  if (in.complete()) {
    // Those that come together, first ones or after a stall, say nothing about the peer's rhythm.
    if (last_ping_ > 0.0 && time - last_ping_ > 0.5 * options_.heartbeat_seconds)
      silence_.add(time - last_ping_);
    last_ping_ = time;
    deadline_ = silence_.seconds();
    send_here(frame(frame_kind::pong, wire_writer().number(sent).number(time).take()));
    return {};
  }
  const auto theirs = in.number<double>();
  if (!in.complete())
    return run_error("it sent a strange heartbeat");
  const double round_trip = time - sent;
  round_trip_ = round_trip;
  if (pongs_++ % pongs_of_an_estimate == 0 || round_trip < best_round_trip_) {
    best_round_trip_ = round_trip;
    clock_offset_ = theirs - (sent + 0.5 * round_trip);
  }
  if (pongs_ < first_pongs)
    ping();
  return {};
}

void link::ping() {
  send_here(frame(frame_kind::ping, wire_writer().number(now()).take()));
}

void link::beat() {
  if (!open_ || close_reason_) // the timer is the farewell's then
    return;
  const double time = now();
  // When this process itself was stopped or starved, the silence is not the peer's.
  if (const double late = time - next_beat_; late > options_.heartbeat_seconds)
    last_heard_ = std::min(time, last_heard_ + late); // it may have been heard since
  if (const double silent = time - last_heard_; silent > silence_.seconds())
    return shut(fmt::format("it was silent for {:.1f} s", silent));
  ping();
  next_beat_ = time + options_.heartbeat_seconds;
  heartbeat_.expires_after(duration_of(options_.heartbeat_seconds));
  heartbeat_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    if (const auto self = weak.lock(); self && !ec)
      self->beat();
  });
}

// -- the end ------------------------------------------------------------------------------------------------

void link::close(std::string reason) {
  boost::asio::post(context_,
                    [self = shared_from_this(), reason = std::move(reason)] { self->shut(reason); });
}

void link::close_when_sent(std::string reason, double seconds) {
  boost::asio::post(context_, [self = shared_from_this(), reason = std::move(reason), seconds] {
    if (!self->open_)
      return;
    self->close_reason_ = reason;
    self->heartbeat_.expires_after(duration_of(seconds));
    self->heartbeat_.async_wait([self](const boost::system::error_code& ec) {
      if (!ec)
        self->shut(*self->close_reason_);
    });
    self->pump();
  });
}

/// Whoever takes nothing any more may have said why before it closed: a refusal, that the run is over. The
/// present read gets that, and then the end.
void link::hear_last_words(const std::string& reason) {
  if (!open_)
    return;
  mute_ = true;
  heartbeats_.clear();
  frames_.clear();
  if (!close_reason_)
    close_reason_ = reason;
  heartbeat_.expires_after(longest_last_words);
  heartbeat_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
    if (!ec)
      self->shut(*self->close_reason_);
  });
}

void link::shut(const std::string& reason) {
  if (!std::exchange(open_, false))
    return;
  stream_->close();
  heartbeat_.cancel();
  travel_.cancel();
  heartbeats_.clear();
  frames_.clear();
  travelling_.clear();
  if (const auto handler = std::exchange(handler_, nullptr))
    handler->closed(reason);
}

} // namespace triage
