#pragma once

#include "actors/net/io_thread.hpp"
#include "actors/net/link.hpp"
#include "core/clock.hpp"
#include "wire_support.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <condition_variable>
#include <future>
#include <mutex>
#include <sys/socket.h>

namespace triage::test {

using boost::asio::ip::tcp;

inline double seconds_now() {
  return steady_clock().now();
}

struct received_frame {
  frame_kind kind{};
  bytes head;
  std::vector<float> floats;
  double at = 0.0;
  std::size_t announced_floats = 0;
};

/// Remembers what a link tells, and lets another thread wait for it.
class recorder final : public link_handler {
public:
  /// Where floats go; by default to a vector of their own.
  std::function<result<std::span<float>>(const frame_header&)> placing;
  std::function<result<void>(const frame_header&)> arriving;
  bool keeps_floats = true;

  result<std::span<float>> place(const frame_header& header, std::span<const std::uint8_t>) override {
    ++places;
    if (placing) {
      auto where = placing(header);
      if (where.ok())
        present_ = *where;
      return where;
    }
    own_.assign(header.bulk_floats, -7.0F);
    present_ = own_;
    return present_;
  }
  result<void> arrived(const frame_header& header, std::span<const std::uint8_t> head) override {
    {
      const std::lock_guard guard(mutex_);
      frames_.push_back({header.kind, {head.begin(), head.end()}, {}, seconds_now(), header.bulk_floats});
      if (header.bulk_floats > 0 && keeps_floats)
        frames_.back().floats.assign(present_.begin(), present_.end());
    }
    changed_.notify_all();
    return arriving ? arriving(header) : result<void>();
  }
  void closed(const std::string& reason) override {
    {
      const std::lock_guard guard(mutex_);
      ++closes_;
      reason_ = reason;
    }
    changed_.notify_all();
  }

  bool wait_for_frames(std::size_t count) {
    std::unique_lock guard(mutex_);
    return changed_.wait_for(guard, std::chrono::seconds(5), [&] { return frames_.size() >= count; });
  }
  /// The reason; a complaint when it does not close in time.
  std::string wait_until_closed() {
    std::unique_lock guard(mutex_);
    return changed_.wait_for(guard, std::chrono::seconds(5), [&] { return closes_ > 0; }) ? reason_
                                                                                          : "STILL OPEN";
  }
  /// The `count`th frame of a kind; nothing when it closes before, or does not come in time.
  std::optional<received_frame> wait_for(frame_kind kind, std::size_t count = 1) {
    std::optional<received_frame> found;
    const auto is_there = [&] {
      std::size_t seen = 0;
      for (const auto& f : frames_)
        if (f.kind == kind && ++seen == count)
          found = f;
      return found || closes_ > 0;
    };
    std::unique_lock guard(mutex_);
    changed_.wait_for(guard, std::chrono::seconds(10), is_there);
    return found;
  }
  std::vector<received_frame> frames() {
    const std::lock_guard guard(mutex_);
    return frames_;
  }
  int closes() {
    const std::lock_guard guard(mutex_);
    return closes_;
  }
  std::atomic<int> places{0};

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<received_frame> frames_;
  int closes_ = 0;
  std::string reason_;
  std::vector<float> own_;
  std::span<float> present_;
};

/// The network's thread and a port to meet at.
struct network_thread {
  io_thread io;
  tcp::acceptor acceptor{io.context(), tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)};

  template <class Function>
  auto on_thread(Function f) {
    std::packaged_task<decltype(f())()> task(std::move(f));
    auto future = task.get_future();
    boost::asio::post(io.context(), [&] { task(); });
    return future.get();
  }
  /// Two ends of one connection. `small`: with buffers that hold little, so that who does not read is
  /// noticed.
  std::pair<tcp::socket, tcp::socket> connection(bool small = false) {
    if (small)
      acceptor.set_option(boost::asio::socket_base::receive_buffer_size(4096));
    tcp::socket a(io.context());
    a.open(tcp::v4());
    if (small)
      a.set_option(boost::asio::socket_base::receive_buffer_size(4096));
    a.connect(acceptor.local_endpoint());
    return {std::move(a), acceptor.accept()};
  }
  std::shared_ptr<link> make(tcp::socket socket, const std::shared_ptr<link_handler>& handler,
                             const link_options& options = {}) {
    return on_thread([&] {
      auto l = link::make(io.context(), make_byte_stream(std::move(socket), nullptr), options);
      l->start(handler);
      return l;
    });
  }
};

/// A link whose other end is a mere socket that does what the test says.
struct exposed_link {
  network_thread net;
  tcp::socket raw{net.io.context()};
  std::shared_ptr<recorder> told = std::make_shared<recorder>();
  std::shared_ptr<link> l;

  explicit exposed_link(const link_options& options = {}, bool small = false) {
    auto [a, b] = net.connection(small);
    raw = std::move(b);
    l = net.make(std::move(a), told, options);
  }
  ~exposed_link() {
    l->close("the test is over");
    told->wait_until_closed();
    net.io.stop();
  }
  void write(std::span<const std::uint8_t> what) {
    boost::system::error_code closed;
    boost::asio::write(raw, boost::asio::buffer(what.data(), what.size()), closed);
  }
  /// Everything up to the end of the connection, as frames.
  std::vector<received_frame> read_all() {
    bytes all(std::size_t{64} << 20U);
    boost::system::error_code closed;
    all.resize(boost::asio::read(raw, boost::asio::buffer(all), closed));
    std::vector<received_frame> out;
    for (std::span<const std::uint8_t> rest(all); rest.size() >= frame_header::size;) {
      const auto h = frame_header::decode(rest.first(frame_header::size));
      if (!h.ok() || rest.size() < frame_header::size + h->head_bytes + h->bulk_bytes())
        break;
      const auto head = rest.subspan(frame_header::size, h->head_bytes);
      out.push_back({h->kind, {head.begin(), head.end()}, {}, 0.0, h->bulk_floats});
      out.back().floats.resize(h->bulk_floats);
      rest = rest.subspan(frame_header::size + h->head_bytes + h->bulk_bytes());
    }
    return out;
  }
};

/// Two links that talk to each other.
struct link_pair {
  network_thread net;
  std::shared_ptr<recorder> told_a = std::make_shared<recorder>(), told_b = std::make_shared<recorder>();
  std::shared_ptr<link> a, b;

  explicit link_pair(const link_options& options = {}) {
    auto [x, y] = net.connection();
    a = net.make(std::move(x), told_a, options);
    b = net.make(std::move(y), told_b, options);
  }
  ~link_pair() {
    a->close("the test is over");
    b->close("the test is over");
    told_a->wait_until_closed();
    told_b->wait_until_closed();
    net.io.stop();
  }
};

inline std::vector<float> numbered(std::size_t size, float first = 0.0F) {
  std::vector<float> out(size);
  for (std::size_t i = 0; i < size; ++i)
    out[i] = first + static_cast<float>(i % 1021) * 0.25F;
  return out;
}

inline frame floats_frame(std::size_t size, std::uint8_t mark = 0) {
  return frame(frame_kind::parameters, {mark}, blob::copy_of(std::vector<float>(size, 1.5F)),
               float_format::float32);
}

} // namespace triage::test
