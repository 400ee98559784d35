#pragma once

#include "actors/interfaces.hpp"
#include "actors/net/handshake.hpp"
#include "actors/net/incoming_parameters.hpp"
#include "actors/net/link.hpp"
#include "actors/net/net_address.hpp"
#include "actors/net/wire_messages.hpp"
#include "actors/run_setup.hpp"

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace triage {

/// How a node introduces itself, and to whom.
struct session_options {
  net_address coordinator;
  std::shared_ptr<boost::asio::ssl::context> tls; ///< null: plain
  hello_message hello;                            ///< without role and token
};

/// How a node's part in a run ended.
struct session_end {
  enum class kind {
    finished,  ///< the run is over
    suspended, ///< the run was interrupted and may be resumed
    left,      ///< all workers and estimators here have ended
    lost,      ///< the connection, for whatever reason
    refused,   ///< the coordinator does not want this node, now or ever
  };
  kind what = kind::lost;
  std::string reason;
  bool again = true; ///< whether another attempt makes sense
};

/// A coordinator as a node's process sees it: two links, and the workers and estimators here that take
/// orders from them. The counterpart of remote_node; checks what the coordinator sends.
///
/// Threading: lives on the network's thread; functions may be called from any.
class coordinator_session : public std::enable_shared_from_this<coordinator_session> {
public:
  struct events {
    std::function<void(const welcome_message&)> welcomed; ///< both links are open
    std::function<void(const session_end&)> ended;        ///< how
    std::function<void()> closed;                         ///< the last one: both links are closed
  };
  coordinator_session(boost::asio::io_context& context, session_options options)
      : context_(context), options_(std::move(options)), patience_(context) {}

  void open(events e);
  /// The run that orders are about. Before anybody joins.
  void begin(std::shared_ptr<const run_setup> setup);
  /// The node wants to go: orders that are out are finished first.
  void leave();
  void close(const session_end& end);
  /// Closes when everything sent has left.
  void close_when_sent();

  void join(slot_number number, const std::string& name, const worker_actor& worker);
  void join(slot_number number, const std::string& name, const estimator_actor& estimator);
  /// What is final of the gradient of a worker here, known by its member.
  void send_part(gradient_part part);
  /// Without what parts of it have brought.
  void send_result(slot_number number, train_result result);
  /// A worker or estimator here has failed and takes no more orders; without a number: could not even start.
  void give_up(std::optional<slot_number> number, const std::string& reason);
  /// On the tensor link, and on the control link.
  void send(frame f);
  void send_control(frame f);
  /// The coordinator's clock minus ours.
  [[nodiscard]] double clock_offset() const;

private:
  struct control_handler;
  struct tensor_handler;
  struct slot {
    worker_actor worker;
    estimator_actor estimator;
    std::optional<std::uint64_t> member; ///< that the worker is to the coordinator
    bool parts_sent = false;             ///< of the present order's gradient
  };

  void connect(peer_role role);
  [[nodiscard]] result<void> control_frame(const frame_header& header, std::span<const std::uint8_t> head);
  [[nodiscard]] result<void> tensor_frame(const frame_header& header, std::span<const std::uint8_t> head);
  [[nodiscard]] result<std::span<float>> place(const frame_header& header,
                                               std::span<const std::uint8_t> head);
  [[nodiscard]] bool has_parameters_of(std::uint64_t version, bool directed) const;
  [[nodiscard]] result<void> take_refusal(std::span<const std::uint8_t> head);
  [[nodiscard]] result<void> take_train_order(std::span<const std::uint8_t> head);
  [[nodiscard]] result<void> take_score_order(std::span<const std::uint8_t> head);
  void dismiss(slot_number number);
  void after_a_loss(const std::string& why_nobody);
  void shut(const session_end& end);

  boost::asio::io_context& context_;
  session_options options_;
  events events_;
  boost::asio::steady_timer patience_;
  std::shared_ptr<link> control_;
  std::shared_ptr<link> tensor_;
  welcome_message welcome_;
  bool over_ = false;
  bool leaving_ = false;
  std::optional<session_end> farewell_;

  std::shared_ptr<const run_setup> setup_;
  float_format format_ = float_format::float32; ///< of gradients on the wire
  std::map<slot_number, slot> slots_;
  std::unique_ptr<incoming_parameters> parameters_;
  std::unique_ptr<blob_pool> blocks_; ///< for directions and added gradients
  mutable_blob incoming_block_;
  blob direction_;
  blob added_gradient_;
};

} // namespace triage
