#pragma once

#include "process.hpp"

#include "../actors/net/link_support.hpp"
#include "../actors/run_support.hpp"
#include "actors/net/credentials.hpp"
#include "actors/net/handshake.hpp"
#include "actors/net/tls.hpp"
#include "actors/net/wire_messages.hpp"
#include "core/files.hpp"

#include <sys/resource.h>
#include <thread>

namespace triage::test {

inline double environment_number(const char* name, double otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atof(text);
}
/// How long attacks last; tests/attack.sh runs the long form of these tests.
inline double attack_seconds() {
  return environment_number("TRIAGE_ATTACK_SECONDS", 3.0);
}
inline int attack_connections() {
  return static_cast<int>(environment_number("TRIAGE_ATTACK_CONNECTIONS", 500.0));
}
/// What the coordinator's memory may grow by under attack.
#ifdef __SANITIZE_ADDRESS__
constexpr double allowed_growth_mb = 350.0; // most of it has been freed and is kept to find late uses of it
#else
constexpr double allowed_growth_mb = 50.0;
#endif

inline std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++count;
  return count;
}

/// Of this process and those that it starts; by default as many as the system permits.
inline void limit_descriptors(rlim_t most = RLIM_INFINITY) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min(most, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// A coordinator that trains and listens, as a process of its own.
class coordinator_process {
public:
  coordinator_process(const std::string& run, std::vector<std::string> arguments)
      : log_file_(run + ".txt"), process_(complete(run, std::move(arguments)), log_file_) {
    watch_ = std::jthread([this, pid = process_.pid()](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        read_peak(pid);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
    const std::string words = "listening for nodes on 127.0.0.1:";
    for (const double begin = seconds_now(); port_ == 0 && seconds_now() < begin + 20.0;) {
      const auto text = log();
      if (const auto at = text.find(words);
          at != std::string::npos && text.find('\n', at) != std::string::npos)
        port_ = static_cast<std::uint16_t>(std::stoi(text.substr(at + words.size())));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    REQUIRE_MESSAGE(port_ != 0, log());
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] bool running() const { return process_.running(); }
  [[nodiscard]] std::string log() const { return file_text(log_file_); }
  [[nodiscard]] double peak_mb() const { return peak_mb_; }
  /// Lets it finish its step, save and end.
  void stop() const { process_.signal(SIGTERM); }
  int wait() {
    const int code = process_.wait();
    watch_.request_stop();
    watch_.join();
    return code;
  }
  /// While it was there.
  [[nodiscard]] double seconds() const { return last_seen_ - begin_; }

private:
  static std::vector<std::string> complete(const std::string& run, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "train");
    for (const char* more : {"--set", "runtime.workers=1", "--listen", "127.0.0.1:0", "--run-dir"})
      arguments.emplace_back(more);
    arguments.push_back(run);
    return arguments;
  }
  void read_peak(pid_t pid) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(in, line);)
      if (line.rfind("VmHWM:", 0) == 0) { // a process that has ended has none
        peak_mb_ = std::stod(line.substr(6)) / 1024.0;
        last_seen_ = seconds_now();
      }
  }
  std::string log_file_;
  process process_;
  std::uint16_t port_ = 0;
  std::atomic<double> peak_mb_{0.0};
  std::atomic<double> last_seen_{0.0};
  double begin_ = seconds_now();
  std::jthread watch_;
};

/// What is attacked, for about as long as attacks last: an epoch takes one to two seconds.
inline std::vector<std::string> attacked_description() {
  const int epochs = static_cast<int>(attack_seconds() / 1.75) + 1;
  return {"examples/fashion_mlp.json", "--set", "duration.epochs=" + std::to_string(epochs)};
}

struct undisturbed_run {
  std::string model;
  double peak_mb = 0.0;
  double seconds = 0.0;
};

inline std::string model_of(const std::string& run) {
  return file_text(run + "/model/model.safetensors");
}

/// The same run without anybody who attacks it; once for all tests.
inline const undisturbed_run& undisturbed() {
  static const undisturbed_run figures = [] {
    const temporary_folder folder;
    coordinator_process p(folder.path("calm"), attacked_description());
    REQUIRE(p.wait() == 0);
    return undisturbed_run{model_of(folder.path("calm")), p.peak_mb(), p.seconds()};
  }();
  REQUIRE(!figures.model.empty());
  return figures;
}

/// Somebody who connects to a coordinator and says what the test wants, by frames.
class scripted_peer {
public:
  scripted_peer(network_thread& net, std::uint16_t port,
                const std::shared_ptr<boost::asio::ssl::context>& tls = nullptr) {
    told->keeps_floats = false;
    tcp::socket socket(net.io.context());
    boost::system::error_code failed;
    socket.connect({boost::asio::ip::address_v4::loopback(), port}, failed);
    if (failed)
      return;
    std::promise<bool> done;
    std::unique_ptr<byte_stream> stream;
    net.on_thread([&] {
      stream = make_byte_stream(std::move(socket), tls);
      stream->handshake(false, [&](const auto& ec, std::size_t) { done.set_value(!ec); });
      return 0;
    });
    auto shook_hands = done.get_future();
    if (shook_hands.wait_for(std::chrono::seconds(8)) != std::future_status::ready)
      net.on_thread([&] {
        stream->close();
        return 0;
      });
    if (!shook_hands.get())
      return;
    link_options options;
    options.limits.head = std::size_t{16} << 20U;
    link_ = net.on_thread([&] {
      auto made = triage::link::make(net.io.context(), std::move(stream), options);
      made->start(told);
      return made;
    });
  }
  scripted_peer(scripted_peer&&) = default;
  ~scripted_peer() { close(); }

  [[nodiscard]] bool connected() const { return link_ != nullptr; }
  void send(const frame& f) const {
    if (link_)
      link_->send(f);
  }
  void close() const {
    if (link_)
      link_->close("the test closes it");
  }

  std::shared_ptr<recorder> told = std::make_shared<recorder>();

private:
  std::shared_ptr<triage::link> link_;
};

/// A socket without manners.
class raw_socket {
public:
  explicit raw_socket(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval limit{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    open_ = fd_ >= 0 && ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  raw_socket(raw_socket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), open_(std::exchange(other.open_, false)) {}
  raw_socket& operator=(raw_socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(open_, other.open_);
    return *this;
  }
  ~raw_socket() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  /// Whether the other end still took it.
  bool send(std::span<const std::uint8_t> what) {
    while (open_ && !what.empty()) {
      const auto sent = ::send(fd_, what.data(), what.size(), MSG_NOSIGNAL);
      open_ = sent > 0;
      if (open_)
        what = what.subspan(static_cast<std::size_t>(sent));
    }
    return open_;
  }
  /// Looks without waiting whether the other end has closed; throws away what it has sent.
  bool still_open() {
    std::array<char, 4096> any;
    while (open_) {
      const auto got = ::recv(fd_, any.data(), any.size(), MSG_DONTWAIT);
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        break;
      open_ = got > 0;
    }
    return open_;
  }

private:
  int fd_;
  bool open_ = false;
};

inline bytes bytes_of_frame(const frame& f) {
  return {f.front().begin(), f.front().end()};
}

/// The beginning of a frame that announces more than anybody should allocate.
inline bytes announcement(frame_kind kind, std::uint32_t head, std::uint32_t floats) {
  frame_header h;
  h.kind = kind;
  h.head_bytes = head;
  h.bulk_floats = floats;
  const auto b = h.encode();
  return {b.begin(), b.end()};
}

inline bytes joined(bytes a, const bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline frame hello_frame(peer_role role, std::uint64_t instance = 1, const std::string& token = {}) {
  return to_frame(hello_message{role, TRIAGE_VERSION, "fake", instance, 1, 1, token});
}

} // namespace triage::test
