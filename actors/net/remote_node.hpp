#pragma once

#include "actors/interfaces.hpp"
#include "actors/net/link.hpp"
#include "actors/net/parameter_outbox.hpp"
#include "actors/net/turns.hpp"
#include "actors/net/wire_messages.hpp"
#include "actors/run_context.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace triage {

/// A remote worker or estimator is gone, and why.
struct remote_gone {
  std::string reason;
};
/// The node of a remote worker or estimator wants to leave when the present order is done.
struct remote_leaving {};

/// What a remote worker's order has led to, where much is left to do with it. Elements [finite_from, trained
/// size) of its gradient are known to be finite.
struct remote_result {
  train_result result;
  std::size_t finite_from = 0;
  /// A node's word that its gradient is finite is not enough: one NaN would spoil the parameters.
  [[nodiscard]] bool is_finite(std::size_t trained_size) const;
};
inline constexpr const char* left_as_asked = "its node was told to leave";

/// What a run offers to the nodes that join it. Shared by all of them.
struct cluster_run {
  caf::actor_system& system;
  shared_context context;
  coordinator_actor coordinator;
  sampler_actor sampler;
  monitor_actor monitor;
  parameter_outbox outbox; ///< its board is for the nodes of this machine
  turns sending;           ///< of parameters
};

/// A node as the coordinator's process sees it: two links, and an actor for each of the node's workers and
/// estimators, to which coordinator and sampler talk as if it were here. Checks everything that the node
/// sends. When a link closes, so does the other, and all of its actors end with the reason.
///
/// Threading: lives on the network's thread; the `send_…` functions may be called from any.
class remote_node : public std::enable_shared_from_this<remote_node> {
public:
  remote_node(std::shared_ptr<cluster_run> run, boost::asio::io_context& context, std::string name,
              std::uint64_t instance, std::shared_ptr<link> control, std::size_t most_slots);

  /// Called on the network's thread, each once at most, `ended` last.
  struct events {
    /// The node has loaded what the run needs and found it to be the same.
    std::function<void()> takes_part;
    /// Also with why the node does not take part, where that is what it said.
    std::function<void(const std::string& reason)> ended;
  };
  /// Listens to the control link.
  void begin(events e);
  /// `sees_board`: the node says so.
  void attach_tensor_link(std::shared_ptr<link> tensor, bool sees_board);
  void close(const std::string& reason);
  /// Says that the run is over; the node closes. `final`: it will not be resumed.
  void finish(bool final);

  void send_train_order(slot_number number, const train_order& order);
  void send_score_order(slot_number number, const score_order& order);
  /// What became final of the parameters that an order was sent with. On the network's thread.
  void send_arrived_parameters();
  /// What is known of the next parameters, if it computes what they wait for. On the network's thread.
  void send_parameters_ahead();
  void send_joined(slot_number number, std::uint64_t member);
  /// Its actor here is told that it is gone when all orders are done that were sent before.
  void let_go_when_idle(slot_number number);
  /// Its actor here has ended: the one over there shall too.
  void send_dismissed(slot_number number);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint64_t instance() const { return instance_; }
  [[nodiscard]] std::shared_ptr<link> control() const { return control_; }
  [[nodiscard]] bool takes_part() const { return takes_part_; }
  [[nodiscard]] bool has_tensor_link() const { return tensor_ != nullptr; }
  struct figures {
    std::string name;
    std::string address;
    std::size_t workers = 0;
    std::size_t estimators = 0;
    link_figures control;
    std::optional<link_figures> tensor;
  };
  [[nodiscard]] figures describe() const;

private:
  struct control_handler;
  struct tensor_handler;
  struct pending_order {
    std::size_t points = 0;
    std::uint64_t version = 0;
    std::uint64_t lease = 0;                                      ///< not of scores
    std::shared_ptr<const snapshot_board::place> place = nullptr; ///< that it reads
  };
  struct slot {
    slot_role role = slot_role::worker;
    caf::actor actor;
    std::deque<pending_order> orders = {}; ///< that are out; they are answered in this order
    mutable_blob gradient = {};            ///< of the oldest, as far as it has arrived
    std::size_t final_from = 0;            ///< its first element that has arrived
    std::size_t finite_from = 0;           ///< the same of those that were looked at and are finite
    std::uint64_t member = 0;              ///< of a worker that was welcomed
    bool leaves = false;                   ///< when it is idle
    bool by_actor = false;                 ///< its results pass its actor
    [[nodiscard]] bool expects(std::uint64_t lease) const {
      return !orders.empty() && orders.front().lease == lease;
    }
  };

  void announce(const snapshot& at);
  /// Whether another one is ready, and may be sent.
  bool send_a_part_ahead();
  /// Whether another one is ready.
  bool send_a_part();
  /// Calls a function that sends a part, in turns with others, until it says that there is no more to send.
  /// `taken`: whether it is called already.
  void take_turns(bool& taken, bool (remote_node::*send)());
  /// Unless it is empty, or the one in `sent` already, which it becomes.
  void send_block(frame_kind kind, const blob& block, blob& sent);
  [[nodiscard]] result<std::span<float>> place(const frame_header& header,
                                               std::span<const std::uint8_t> head);
  [[nodiscard]] result<std::span<float>> place_gradient(const frame_header& header,
                                                        std::span<const std::uint8_t> head);
  [[nodiscard]] result<std::span<float>> place_nowhere(std::size_t floats);
  [[nodiscard]] result<void> control_frame(const frame_header& header, std::span<const std::uint8_t> head);
  [[nodiscard]] result<void> tensor_frame(const frame_header& header, std::span<const std::uint8_t> head);
  [[nodiscard]] result<void> take_join(std::span<const std::uint8_t> head);
  [[nodiscard]] result<void> take_part(const frame_header& header, std::span<const std::uint8_t> head);
  [[nodiscard]] result<void> take_result(const frame_header& header, std::span<const std::uint8_t> head);
  void pass_on(slot& from, remote_result r);
  [[nodiscard]] result<void> take_scores(bool has_gradient, std::span<const std::uint8_t> head);
  [[nodiscard]] result<slot*> find(slot_number number, slot_role role);
  void begin_part();
  void link_closed(const std::string& reason);
  void tensor_closed(const std::string& reason);

  std::shared_ptr<cluster_run> run_;
  boost::asio::io_context& context_;
  std::string name_;
  std::uint64_t instance_;
  std::shared_ptr<link> control_;
  std::size_t most_slots_; ///< workers and estimators that it announced
  std::size_t joined_ = 0; ///< of them, so far
  bool leaving_ = false;
  std::size_t report_bytes_ = 0;
  std::size_t lane_bytes_ = 0;
  std::shared_ptr<link> tensor_;
  events events_;
  bool takes_part_ = false;
  std::string objection_; ///< why it will not take part
  bool over_ = false;
  bool finishing_ = false; ///< it was told that the run is over
  std::map<slot_number, slot> slots_;
  std::size_t trained_size_;
  blob_pool pool_;
  mutable_blob incoming_; ///< what belongs to no slot's gradient
  std::optional<std::uint64_t> sent_version_;
  std::shared_ptr<outgoing_parameters> outgoing_; ///< null: all of that version was sent
  std::size_t sent_parts_ = 0;                    ///< of `outgoing_`
  std::size_t sent_before_ = 0;                   ///< of `outgoing_`, before it was announced
  std::shared_ptr<outgoing_parameters> ahead_;    ///< what it was sent parts of before they were announced
  std::size_t sent_ahead_ = 0;                    ///< of `ahead_`
  bool sees_board_ = false;
  /// Of `sent_version_`, where it is on the board: more orders may refer to it.
  std::shared_ptr<const snapshot_board::place> sent_place_;
  bool sends_parts_ = false; ///< in turns
  bool sends_ahead_ = false; ///< in turns
  blob sent_direction_;
  blob sent_added_gradient_;
};

/// The actors that stand for a node's worker and estimator.
[[nodiscard]] caf::actor spawn_remote_worker(const cluster_run& run, std::shared_ptr<remote_node> node,
                                             slot_number slot, const std::string& name);
[[nodiscard]] caf::actor spawn_remote_estimator(const cluster_run& run, std::shared_ptr<remote_node> node,
                                                slot_number slot, const std::string& name);

} // namespace triage
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::remote_gone)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::remote_leaving)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::remote_result)
