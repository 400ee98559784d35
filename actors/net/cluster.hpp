#pragma once

#include "actors/net/cluster_options.hpp"
#include "actors/net/lateness.hpp"
#include "actors/net/listener.hpp"
#include "actors/net/remote_node.hpp"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace triage {

/// The coordinator's side of the network: lets nodes in, hands each its run and a one-time token for its
/// second link, knows who is there, and tells them when it is over. A node that comes back replaces what is
/// left of its former connection; one that was banned stays out.
///
/// Threading: functions may be called from any thread.
class cluster : public std::enable_shared_from_this<cluster> {
public:
  /// Listens at once, so that an address in use shows early; nodes wait until `open`. Without certificates
  /// only addresses of this machine are allowed, unless insecure.
  /// Borrows the network's context, which must outlive it.
  [[nodiscard]] static result<std::shared_ptr<cluster>>
  listen(boost::asio::io_context& io, const cluster_options& options, std::shared_ptr<const run_setup> setup);

  [[nodiscard]] net_address address() const { return listener_->address(); }
  /// From now on nodes are let in.
  void open(caf::actor_system& system, const shared_context& context, const coordinator_actor& coordinator,
            const sampler_actor& sampler, const monitor_actor& monitor);
  /// More is final of parameters that orders were sent with: it goes to their nodes.
  void parameters_advanced();
  /// What is known of the next ones: it goes to those whose orders are out.
  void parameters_merged_ahead(const parameters_ahead& next);
  /// The node of that member ("node/worker-0") is thrown out and not let in again.
  void ban(const std::string& member, const std::string& reason);
  /// The node of that member took too long for an order. A node to which that happens again is kept out for a
  /// while when it comes back, each time for longer: a round would wait for it every time.
  void was_late(const std::string& member);
  /// Tells everybody that the run is over; `final`: it will not be resumed. `done` is called when all have
  /// left, or after a few seconds.
  void finish(bool final, std::function<void()> done);
  /// Closes what is left; nothing is accepted or called afterwards. Before the actor system ends.
  void shut_down();

  [[nodiscard]] std::vector<remote_node::figures> nodes();

private:
  cluster(boost::asio::io_context& io, std::shared_ptr<listener> l, std::shared_ptr<snapshot_board> board,
          std::shared_ptr<const run_setup> setup);
  void greet(const std::shared_ptr<link>& l, const hello_message& hello, const std::string& address);
  void welcome_node(const std::shared_ptr<link>& l, const hello_message& hello, const std::string& address);
  void attach(const std::shared_ptr<link>& l, const hello_message& hello, const std::string& address);
  void tell_status(const std::shared_ptr<link>& l);
  void refuse(const std::shared_ptr<link>& l, const std::string& address, const refusal_message& m);
  void forget_half_joined();
  [[nodiscard]] std::shared_ptr<remote_node> node_of(const std::string& member) const;
  void node_ended(const std::shared_ptr<remote_node>& node, const std::string& address,
                  const std::string& reason);
  void remark(const std::string& text);
  void warn(const std::string& text);
  /// About a node that did not take part, and may try again and again.
  void complain_once(const std::string& text);
  void say_done();
  [[nodiscard]] std::string free_name(std::string wanted, const std::string& address) const;

  boost::asio::io_context& io_;
  std::shared_ptr<listener> listener_;
  std::shared_ptr<snapshot_board> board_; ///< null: there is none
  std::shared_ptr<const run_setup> setup_;
  std::shared_ptr<cluster_run> run_;
  std::string description_;
  std::string layout_;
  std::vector<std::shared_ptr<remote_node>> nodes_;
  struct invitation {
    std::shared_ptr<remote_node> node;
    double until = 0.0;
  };
  std::map<std::string, invitation> tokens_;
  std::map<std::uint64_t, std::string> banned_; ///< instances, and why
  std::map<std::uint64_t, lateness> late_;      ///< instances
  std::set<std::string> complaints_;
  bool over_ = false;
  std::function<void()> done_;
  boost::asio::steady_timer patience_;
};

} // namespace triage
