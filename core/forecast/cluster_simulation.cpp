#include "core/forecast/cluster_simulation.hpp"

#include "core/forecast/queueing_model.hpp"
#include "core/forecast/simulated_node.hpp"
#include "core/protocol_sizes.hpp"
#include "core/rng.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace triage {

namespace {

/// Of an order or an answer beside its floats: ids and weights, or losses and scores.
constexpr double bytes_of_sample = 8.0;

const char* name_of(compute_op::kind kind) {
  switch (kind) {
  case compute_op::kind::gather:
    return "gather";
  case compute_op::kind::forward:
    return "forward";
  case compute_op::kind::backward:
    return "backward";
  case compute_op::kind::round:
    return "gradient";
  case compute_op::kind::rest:
    break;
  }
  return "other";
}

class cluster_play {
public:
  cluster_play(const step_profile& profile, const exchange_policy& policy, const cluster_scenario& scenario)
      : profile_(profile), policy_(policy), scenario_(scenario), random_(scenario.seed, 0) {
    std::vector<std::size_t> cores;
    if (scenario.shared_cores > 0)
      cores = {simulation_.add_resource(static_cast<double>(scenario.shared_cores))};
    cores_ = cores;
    down_cable_ = simulation_.add_resource(scenario.network.coordinator_down);
    up_cable_ = simulation_.add_resource(scenario.network.coordinator_up);
    merging_thread_.emplace(simulation_, cores);
    network_thread_.emplace(simulation_, cores);
    for (std::size_t i = 0; i < scenario.nodes; ++i)
      nodes_.push_back(
          std::make_unique<simulated_node>(simulation_, i, cores, scenario, down_cable_, up_cable_));
    newest_ = std::make_shared<versioned>(versioned{0, profile.floats});
  }

  cluster_forecast play() {
    const std::size_t warm = (scenario_.answers / 10 + 1) * scenario_.nodes;
    const std::size_t all = warm + scenario_.answers * scenario_.nodes;
    dispatch();
    while (merged_ < warm && simulation_.advance()) {
    }
    const marks begin = now();
    while (merged_ < all && simulation_.advance()) {
    }
    return summarise(begin, now());
  }

private:
  // -- the coordinator
  // --------------------------------------------------------------------------------------------

  cluster_view view(std::uint64_t oldest_round = 0) {
    views_.clear();
    for (const auto& n : nodes_)
      views_.push_back(member(*n));
    return {views_, false, oldest_round};
  }
  [[nodiscard]] static member_view member(const simulated_node& n) {
    return {n.number, n.clock, !n.outstanding.empty(), n.clock + n.outstanding.size()};
  }

  void dispatch() {
    const auto present = view();
    for (bool again = true; std::exchange(again, false);)
      for (std::size_t i = 0; i < nodes_.size(); ++i)
        if (nodes_[i]->outstanding.size() < policy_.orders_at_once() &&
            policy_.may_start(views_[i], present)) {
          grant(*nodes_[i]);
          views_[i] = member(*nodes_[i]); // a grant changes nothing of the others
          again = true;
        }
  }

  void grant(simulated_node& n) {
    auto order = std::make_shared<granted>();
    order->base = newest_;
    order->step = &profile_.steps[random_.below(profile_.steps.size())];
    order->round = n.clock + n.outstanding.size();
    const bool first = order->round == 0 && !policy_.merges_rounds();
    n.outstanding.push_back(order);
    // Who is not kept in step by rounds would else begin in step, and on a cable that is shared fairly stay
    // so.
    const double delay = first ? random_.uniform() / alone_ : 0.0;
    simulation_.after(profile_.overhead_seconds + delay, [this, &n, order] {
      // The work around the order before must be done. It goes on behind everything else, so it holds nobody
      // up but where cores are taken all the time.
      n.surroundings.run(0.0, [this, &n, order] { deliver(n, order); });
      n.surroundings.run(overhead_work_, [] {});
    });
  }

  void deliver(simulated_node& n, const std::shared_ptr<granted>& order) {
    const double bytes = bytes_of_sample * static_cast<double>(profile_.samples);
    to_node(n, bytes, [this, &n, order] {
      n.orders.push_back(order);
      if (n.orders.size() == 1)
        begin(n);
    });
    if (n.sent != order->base) {
      n.sent = order->base;
      n.floats_sent = 0;
    }
    send_parameters(n);
  }

  /// What is ready of the parameters that the node waits for and has not left, in turns with other nodes.
  void send_parameters(simulated_node& n) {
    const auto at = n.sent;
    if (n.takes_turns || !at || n.floats_sent == at->ready)
      return;
    const std::size_t size = std::min(parameter_part_floats, at->ready - n.floats_sent);
    n.floats_sent += size;
    n.takes_turns = true;
    const double bytes =
        profile_.bytes_down * static_cast<double>(size) / static_cast<double>(profile_.floats);
    to_node(
        n, bytes,
        [this, &n, at, size] {
          if (n.has_version != at->version)
            n.has_floats = 0;
          n.has_version = at->version;
          n.has_floats += size;
          go_on(n);
        },
        [this, &n] {
          n.takes_turns = false;
          send_parameters(n);
        });
  }

  void to_node(
      simulated_node& n, double bytes, fluid_simulation::call arrived, fluid_simulation::call left = [] {}) {
    network_thread_->run(
        profile_.sending.of(bytes), [this, &n, bytes, arrived = std::move(arrived), left = std::move(left)] {
          n.down.send(bytes,
                      [this, &n, bytes, arrived] { n.network.run(profile_.receiving.of(bytes), arrived); });
          left();
        });
  }

  void take_up() {
    if (merging_)
      return;
    const std::size_t some =
        policy_.merges_rounds() ? inbox_.size() : std::min(inbox_.size(), most_merged_in_turn);
    for (std::size_t i = 0; i < some; ++i) {
      simulated_node& n = *inbox_.front();
      inbox_.pop_front();
      pending_.push_back(*n.outstanding.front());
      n.outstanding.pop_front();
      ++n.clock;
    }
    std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();
    for (const auto& p : pending_)
      oldest = std::min(oldest, p.round);
    if (!pending_.empty() && policy_.merge_now(view(oldest)))
      return merge(oldest);
    dispatch();
    if (!inbox_.empty())
      take_up();
  }

  void merge(std::uint64_t oldest) {
    const auto of_later = policy_.merges_rounds()
                              ? std::stable_partition(pending_.begin(), pending_.end(),
                                                      [&](const auto& p) { return p.round == oldest; })
                              : pending_.end();
    const auto count = static_cast<std::size_t>(of_later - pending_.begin());
    const double more = policy_.merges_rounds() ? 0.0 : profile_.merge_more_seconds;
    const double seconds = pending_.front().step->merge_seconds + more * static_cast<double>(count - 1);
    pending_.erase(pending_.begin(), of_later);
    merging_ = true;
    const auto before = newest_;
    newest_ = std::make_shared<versioned>(versioned{before->version + 1, 0});
    merge_began_ = simulation_.now();
    if (profile_.merges_ahead)
      dispatch();
    for (std::size_t at = 0; at < profile_.floats; at += parameter_part_floats) {
      const std::size_t size = std::min(parameter_part_floats, profile_.floats - at);
      const double share = static_cast<double>(size) / static_cast<double>(profile_.floats);
      const bool last = at + size == profile_.floats;
      merging_thread_->run(seconds * share, [this, size, last, count] {
        newest_->ready += size;
        if (last)
          return end_merge(count);
        for (const auto& n : nodes_)
          if (n->sent == newest_)
            send_parameters(*n);
      });
    }
  }

  void end_merge(std::size_t count) {
    merging_ = false;
    merged_ += count;
    span(0, "merge", merge_began_, newest_->version);
    for (const auto& n : nodes_)
      if (n->sent == newest_)
        send_parameters(*n);
    dispatch();
    take_up();
  }

  void arrived(simulated_node& n, const std::shared_ptr<granted>& order, std::size_t floats) {
    const bool added = floats > 0 && policy_.merges_rounds() && nodes_.size() > 1;
    const double share = static_cast<double>(floats) / static_cast<double>(profile_.floats);
    merging_thread_->run(added ? profile_.add_seconds * share : 0.0, [this, &n, order] {
      if (--order->messages_out > 0 || !order->computed)
        return;
      inbox_.push_back(&n);
      take_up();
    });
  }

  // -- a node
  // -----------------------------------------------------------------------------------------------------

  void begin(simulated_node& n) {
    n.op = 0;
    go_on(n);
  }

  void go_on(simulated_node& n) {
    if (n.computing || n.orders.empty())
      return;
    const auto order = n.orders.front();
    const auto& ops = order->step->ops;
    if (n.op == ops.size()) {
      n.orders.pop_front();
      order->computed = true;
      send_answer(n, order, bytes_of_sample * static_cast<double>(profile_.samples), 0);
      if (!n.orders.empty())
        begin(n);
      return;
    }
    const compute_op& op = ops[n.op];
    if (n.has_version < order->base->version ||
        (n.has_version == order->base->version && n.has_floats < op.needs))
      return; // go_on is called again when more has arrived
    n.computing = true;
    const double began = simulation_.now();
    const auto done = [this, &n, &op, order, began] {
      n.computing = false;
      n.computed_seconds += op.seconds;
      span(n.number + 1, name_of(op.what), began, order->base->version);
      if (op.sends > 0) {
        const double bytes =
            profile_.bytes_up * static_cast<double>(op.sends) / static_cast<double>(profile_.floats);
        send_answer(n, order, bytes, op.sends);
      }
      ++n.op;
      go_on(n);
    };
    if (profile_.waits)
      simulation_.after(op.seconds, done);
    else
      n.compute.run(op.seconds, done);
  }

  void send_answer(simulated_node& n, const std::shared_ptr<granted>& order, double bytes,
                   std::size_t floats) {
    ++order->messages_out;
    n.network.run(profile_.sending.of(bytes), [this, &n, order, bytes, floats] {
      n.up.send(bytes, [this, &n, order, bytes, floats] {
        network_thread_->run(profile_.receiving.of(bytes),
                             [this, &n, order, floats] { arrived(n, order, floats); });
      });
    });
  }

  // -- figures
  // ----------------------------------------------------------------------------------------------------

  struct marks {
    double at = 0.0;
    std::size_t merged = 0;
    double computed = 0.0;
    double merging = 0.0;
    double network = 0.0;
    double cores = 0.0;
    double down = 0.0;
    double up = 0.0;
  };

  marks now() const {
    marks m;
    m.at = simulation_.now();
    m.merged = merged_;
    for (const auto& n : nodes_)
      m.computed += n->computed_seconds;
    m.merging = merging_thread_->worked();
    m.network = network_thread_->worked();
    m.cores = cores_.empty() ? 0.0 : simulation_.carried(cores_.front());
    m.down = simulation_.carried(down_cable_);
    m.up = simulation_.carried(up_cable_);
    return m;
  }

  cluster_forecast summarise(const marks& from, const marks& to) {
    const double seconds = to.at - from.at;
    cluster_forecast out;
    out.answers_per_second = static_cast<double>(to.merged - from.merged) / seconds;
    out.samples_per_second = out.answers_per_second * static_cast<double>(profile_.samples);
    out.bytes_down = to.down;
    out.bytes_up = to.up;
    out.spans = std::move(spans_);
    const auto& network = scenario_.network;
    const double nodes = static_cast<double>(nodes_.size());
    const auto bytes_per_second = [&](double all, double each) {
      return std::min(all, nodes * each) * seconds;
    };
    out.busy = {{"computing", (to.computed - from.computed) / (seconds * nodes)},
                {"merging", (to.merging - from.merging) / seconds},
                {"the coordinator's network thread", (to.network - from.network) / seconds},
                {"network to the nodes",
                 (to.down - from.down) / bytes_per_second(network.coordinator_down, network.node_down)},
                {"network from the nodes",
                 (to.up - from.up) / bytes_per_second(network.coordinator_up, network.node_up)}};
    if (!cores_.empty())
      out.busy.push_back(
          {"cores", (to.cores - from.cores) / (seconds * static_cast<double>(scenario_.shared_cores))});
    std::stable_sort(out.busy.begin(), out.busy.end(),
                     [](const auto& a, const auto& b) { return a.share > b.share; });
    return out;
  }

  void span(std::size_t lane, const char* name, double begin, std::uint64_t version) {
    if (scenario_.traced)
      spans_.push_back({lane, name, begin, simulation_.now(), version});
  }

  const step_profile& profile_;
  const exchange_policy& policy_;
  const cluster_scenario& scenario_;
  double overhead_work_ = profile_.overhead_work();                         ///< processor seconds of an order
  double alone_ = coarse_model(profile_, policy_, scenario_).throughput(1); ///< answers per second of one
  rng random_;
  fluid_simulation simulation_;
  std::vector<std::size_t> cores_; ///< the resource; none: everybody has enough
  std::size_t down_cable_ = 0;
  std::size_t up_cable_ = 0;
  std::optional<simulated_thread> merging_thread_;
  std::optional<simulated_thread> network_thread_;
  std::vector<std::unique_ptr<simulated_node>> nodes_;
  std::vector<member_view> views_;
  std::shared_ptr<versioned> newest_;
  std::deque<simulated_node*> inbox_; ///< whose answers have arrived and are not taken up
  std::deque<granted> pending_;       ///< answers that wait for their merge
  bool merging_ = false;
  double merge_began_ = 0.0;
  std::size_t merged_ = 0;
  std::vector<simulated_span> spans_;
};

} // namespace

cluster_forecast simulate_cluster(const step_profile& profile, const exchange_policy& policy,
                                  const cluster_scenario& scenario) {
  return cluster_play(profile, policy, scenario).play();
}

} // namespace triage
