#include "actors/net/shared_memory_stream.hpp"

#include "actors/net/shared_rings.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>

namespace triage {

namespace {

using boost::system::error_code;
namespace errors = boost::asio::error;

// The first byte of who connects: what follows is as for any stream, or it waits for an answer.
constexpr std::uint8_t offer = 0xA5; ///< with a descriptor, where there is memory
// The answer, with the descriptor of a board, where there is one.
constexpr std::uint8_t accepted = 1;
constexpr std::uint8_t declined = 0;

error_code last_error() {
  return {errno, boost::system::system_category()};
}

/// What the peer wrote into the memory about its own progress.
error_code senseless() {
  return boost::system::errc::make_error_code(boost::system::errc::bad_message);
}

bool send_byte(int socket, std::uint8_t byte, int descriptor) {
  iovec data{&byte, 1};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  if (descriptor >= 0) {
    message.msg_control = room.data();
    message.msg_controllen = room.size();
    cmsghdr* const about = CMSG_FIRSTHDR(&message);
    about->cmsg_level = SOL_SOCKET;
    about->cmsg_type = SCM_RIGHTS;
    about->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(about), &descriptor, sizeof descriptor);
  }
  return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

/// A byte, and the descriptor that came with it, or -1; or why there is none.
struct received {
  error_code failed;
  std::uint8_t byte = 0;
  int descriptor = -1;
};

/// Where there are several descriptors, all are closed.
received receive_byte(int socket) {
  std::uint8_t byte = 0;
  iovec data{&byte, 1};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  const auto got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got != 1)
    return {got == 0 ? error_code(errors::eof) : last_error()};
  const cmsghdr* const about = CMSG_FIRSTHDR(&message); // of more the kernel closes what finds no room
  if (about == nullptr || about->cmsg_level != SOL_SOCKET || about->cmsg_type != SCM_RIGHTS)
    return {{}, byte};
  std::vector<int> descriptors((about->cmsg_len - CMSG_LEN(0)) / sizeof(int)); // alignment makes room for two
  std::memcpy(descriptors.data(), CMSG_DATA(about), descriptors.size() * sizeof(int));
  if (descriptors.size() == 1)
    return {{}, byte, descriptors.front()};
  for (const int d : descriptors)
    ::close(d);
  return {{}, byte};
}

/// Held by whatever is under way, which may outlast the stream.
class shared_memory_connection : public std::enable_shared_from_this<shared_memory_connection> {
public:
  using handler = byte_stream::handler;
  shared_memory_connection(local_protocol::socket socket, bool shares_memory,
                           std::shared_ptr<const shared_memory> board)
      : socket_(std::move(socket)), shares_memory_(shares_memory), board_(std::move(board)) {
    error_code ignored;
    socket_.native_non_blocking(true, ignored);
  }

  void handshake(bool as_server, handler done) {
    if (as_server)
      return wait([self = shared_from_this(), done = std::move(done)](const error_code& ec) {
        done(ec ? ec : self->take_offer(), 0);
      });
    if (const auto failed = make_offer())
      return finish(std::move(done), failed, 0);
    wait([self = shared_from_this(), done = std::move(done)](const error_code& ec) {
      done(ec ? ec : self->take_answer(), 0);
    });
  }

  void read_some(boost::asio::mutable_buffer to, handler done) {
    if (!rings_)
      return socket_.async_read_some(to, std::move(done));
    read_to_ = {static_cast<std::uint8_t*>(to.data()), to.size()};
    if (const auto end = read_from_ring())
      return finish(std::move(done), end->first, end->second);
    if (const auto w = waiting_.lock())
      w->reads = std::move(done);
  }

  void write(std::vector<boost::asio::const_buffer> from, handler done) {
    if (!rings_)
      return boost::asio::async_write(socket_, from, all_at_once, std::move(done));
    write_from_ = std::move(from);
    written_ = 0;
    if (const auto end = write_to_ring())
      return finish(std::move(done), end->first, end->second);
    if (const auto w = waiting_.lock())
      w->writes = std::move(done);
  }

  [[nodiscard]] const std::shared_ptr<const shared_memory>& board() const { return board_; }

  void close() {
    gone_ = errors::operation_aborted;
    error_code ignored;
    socket_.shutdown(local_protocol::socket::shutdown_both, ignored);
    socket_.close(ignored); // the wait for a knock ends, and with it what waits here
  }

private:
  /// How an operation ended; nothing: it has not.
  using outcome = std::optional<std::pair<error_code, std::size_t>>;

  /// Who is told when there is news. Belongs to the wait for a knock, as handlers belong to what they wait
  /// for: they hold the stream, and would keep it for ever if it held them when their network has stopped.
  struct waiting {
    handler reads;  ///< null: nobody reads
    handler writes; ///< null: nobody writes
  };

  template <class Next>
  void wait(Next next) {
    socket_.async_wait(local_protocol::socket::wait_read, std::move(next));
  }
  /// Not before the caller has returned.
  void finish(handler done, const error_code& ec, std::size_t bytes) {
    boost::asio::post(socket_.get_executor(), [done = std::move(done), ec, bytes] { done(ec, bytes); });
  }

  // -- agreeing ---------------------------------------------------------------------------------------------

  error_code make_offer() {
    if (shares_memory_)
      if (auto made = shared_rings::create(); made.ok())
        offered_.emplace(made.take());
    const bool sent = send_byte(socket_.native_handle(), offer, offered_ ? offered_->descriptor() : -1);
    if (offered_)
      offered_->close_descriptor();
    return sent ? error_code() : last_error();
  }

  error_code take_answer() {
    const auto answer = receive_byte(socket_.native_handle());
    if (answer.failed)
      return answer.failed;
    if (answer.descriptor >= 0)
      if (auto memory = shared_memory::adopt(answer.descriptor, shared_memory::others::read); memory.ok())
        board_ = std::make_shared<const shared_memory>(memory.take());
    if (answer.byte == accepted && !offered_)
      return errors::no_protocol_option;
    if (answer.byte == accepted)
      use(std::move(*offered_), true);
    offered_.reset();
    return {};
  }

  error_code take_offer() {
    std::uint8_t first = 0;
    const auto got = recv(socket_.native_handle(), &first, 1, MSG_DONTWAIT | MSG_PEEK);
    if (got <= 0)
      return got == 0 ? error_code(errors::eof) : last_error();
    if (first != offer) {
      board_ = nullptr;
      return {}; // whatever it is, it is for who reads
    }
    const auto offered = receive_byte(socket_.native_handle());
    if (offered.failed)
      return offered.failed;
    std::optional<shared_rings> taken;
    if (offered.descriptor >= 0)
      if (auto memory = shared_rings::adopt(offered.descriptor); memory.ok() && shares_memory_)
        taken.emplace(memory.take());
    if (!taken)
      board_ = nullptr;
    if (!send_byte(socket_.native_handle(), taken ? accepted : declined, board_ ? board_->descriptor() : -1))
      return last_error();
    if (taken)
      use(std::move(*taken), false);
    return {};
  }

  void use(shared_rings rings, bool creator) {
    in_ = rings.incoming(creator);
    out_ = rings.outgoing(creator);
    rings_.emplace(std::move(rings));
    auto nobody = std::make_shared<waiting>();
    waiting_ = nobody;
    listen(std::move(nobody));
  }

  // -- moving bytes -----------------------------------------------------------------------------------------

  /// Knocks say only that something has changed. Always under way, until the connection ends.
  void listen(std::shared_ptr<waiting> who) {
    socket_.async_read_some(boost::asio::buffer(knocks_), [self = shared_from_this(), who = std::move(who)](
                                                              const error_code& ec, std::size_t) mutable {
      if (ec && !self->gone_)
        self->gone_ = ec;
      self->go_on(*who);
      if (!ec)
        self->listen(std::move(who));
    });
  }
  void knock() {
    // A peer that has not taken thousands of them is awake or dead.
    (void)send_byte(socket_.native_handle(), 0, -1);
  }
  void go_on(waiting& who) {
    if (who.reads)
      if (const auto end = read_from_ring())
        std::exchange(who.reads, nullptr)(end->first, end->second);
    if (who.writes)
      if (const auto end = write_to_ring())
        std::exchange(who.writes, nullptr)(end->first, end->second);
  }

  /// What the peer has written before it went is read before its end is told.
  outcome read_from_ring() {
    if (gone_ == errors::operation_aborted)
      return {{gone_, 0}};
    for (const bool announced : {false, true}) {
      if (announced)
        in_.waits(true);
      const auto got = in_.read(read_to_);
      if (!got)
        return {{senseless(), 0}};
      if (*got > 0) {
        if (announced)
          in_.waits(false);
        if (in_.writer_waited())
          knock();
        return {{error_code(), *got}};
      }
    }
    return gone_ ? outcome({gone_, 0}) : std::nullopt;
  }

  /// One knock for all of it, or for a full ring: being woken costs the reader more than it could do
  /// meanwhile.
  outcome write_to_ring() {
    if (gone_)
      return {{gone_ == errors::eof ? error_code(errors::broken_pipe) : gone_, 0}};
    const auto end = fill_ring();
    if (out_.reader_waited())
      knock();
    return end;
  }

  outcome fill_ring() {
    bool waits = false;
    while (const auto next = rest_of_write()) {
      const auto done = out_.write(*next);
      if (!done)
        return {{senseless(), 0}};
      written_ += *done;
      const bool full = *done == 0;
      if (full && waits)
        return std::nullopt;
      if (full != waits)
        out_.waits(full);
      waits = full;
    }
    return {{error_code(), written_}};
  }

  std::optional<std::span<const std::uint8_t>> rest_of_write() const {
    std::size_t before = written_;
    for (const auto& b : write_from_) {
      if (before < b.size())
        return std::span(static_cast<const std::uint8_t*>(b.data()), b.size()).subspan(before);
      before -= b.size();
    }
    return std::nullopt;
  }

  local_protocol::socket socket_;
  bool shares_memory_;
  std::shared_ptr<const shared_memory> board_; ///< null: none, or the other end has not got it
  std::optional<shared_rings> offered_;        ///< and not answered
  std::optional<shared_rings> rings_;          ///< null: the bytes go through the socket
  ring_reader in_;
  ring_writer out_;
  std::array<std::uint8_t, 256> knocks_{};
  error_code gone_; ///< the other end, or this one

  std::span<std::uint8_t> read_to_;
  std::vector<boost::asio::const_buffer> write_from_;
  std::size_t written_ = 0;
  std::weak_ptr<waiting> waiting_;
};

class shared_memory_stream final : public byte_stream {
public:
  shared_memory_stream(local_protocol::socket socket, bool shares_memory,
                       std::shared_ptr<const shared_memory> board)
      : connection_(
            std::make_shared<shared_memory_connection>(std::move(socket), shares_memory, std::move(board))) {}
  shared_memory_stream(const shared_memory_stream&) = delete;
  shared_memory_stream& operator=(const shared_memory_stream&) = delete;
  ~shared_memory_stream() override { connection_->close(); }

  void handshake(bool as_server, handler done) override {
    connection_->handshake(as_server, std::move(done));
  }
  void read_some(boost::asio::mutable_buffer to, handler done) override {
    connection_->read_some(to, std::move(done));
  }
  void write(std::vector<boost::asio::const_buffer> from, handler done) override {
    connection_->write(std::move(from), std::move(done));
  }
  void close() override { connection_->close(); }
  std::string peer_name() override { return {}; }
  std::shared_ptr<const shared_memory> board() override { return connection_->board(); }

private:
  std::shared_ptr<shared_memory_connection> connection_;
};

} // namespace

std::unique_ptr<byte_stream> make_shared_memory_stream(local_protocol::socket socket, bool shares_memory,
                                                       std::shared_ptr<const shared_memory> board) {
  return std::make_unique<shared_memory_stream>(std::move(socket), shares_memory, std::move(board));
}

} // namespace triage
