#pragma once

#include "node_support.hpp"

#include "actors/net/listener.hpp"
#include "actors/net/node.hpp"
#include "nn/layout_fingerprint.hpp"

#include <deque>
#include <thread>

// A node's process, whole, against a coordinator that the test plays: joining, working, coming back, leaving,
// and every reason not to take part.

namespace triage::test {

struct opened_link {
  hello_message hello;
  std::shared_ptr<triage::link> l;
  std::shared_ptr<recorder> heard = std::make_shared<recorder>();
};

/// Accepts links and gives them to the test one by one.
class played_coordinator {
public:
  explicit played_coordinator(const std::vector<std::string>& options = {}) : setup(small_run(options)) {
    door_ = net_.on_thread([&] {
      auto l = listener::bind(net_.io.context(), {"127.0.0.1", 0}, {}).take();
      l->start(
          {[this](const std::shared_ptr<triage::link>& from, const hello_message& hello, const std::string&) {
             opened_link o{hello, from};
             from->hand_over(o.heard, {.head = largest_plain_head});
             {
               const std::lock_guard guard(mutex_);
               all_.push_back(from);
               opened_.push_back(std::move(o));
             }
             changed_.notify_all();
           },
           [](const std::string&, const std::string&) {}});
      return l;
    });
  }
  ~played_coordinator() {
    for (const auto& l : all_)
      l->close("the test is over");
    net_.on_thread([&] {
      door_->stop();
      return 0;
    });
    net_.io.stop();
  }
  [[nodiscard]] net_address address() const { return {"127.0.0.1", door_->address().port}; }
  opened_link next() {
    std::unique_lock guard(mutex_);
    REQUIRE(changed_.wait_for(guard, std::chrono::seconds(15), [&] { return !opened_.empty(); }));
    auto o = std::move(opened_.front());
    opened_.pop_front();
    return o;
  }
  [[nodiscard]] welcome_message welcome() const {
    welcome_message m;
    m.name = "n";
    m.token = "token";
    m.heartbeat_seconds = 0.5;
    m.description = dump_json(setup->resolved);
    m.fingerprint = setup->data.fingerprint;
    m.layout = layout_fingerprint(setup->net->parameters());
    return m;
  }
  struct both {
    opened_link control;
    opened_link tensor;
  };
  /// Lets a node in, up to the point where its workers join.
  both let_in() {
    both b{next(), {}};
    CHECK(b.control.hello.role == peer_role::control);
    b.control.l->send(to_frame(welcome()));
    b.tensor = next();
    CHECK(b.tensor.hello.role == peer_role::tensor);
    CHECK(b.tensor.hello.token == "token");
    b.tensor.l->send(frame(frame_kind::accepted));
    return b;
  }
  /// Everybody of the node is told to go, and that the run is over.
  static void finish(const both& b, std::uint64_t final = 1) {
    b.control.l->send(frame(frame_kind::finished, pair_head(final, 0)));
  }

  std::shared_ptr<const run_setup> setup;

private:
  network_thread net_;
  std::shared_ptr<listener> door_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<opened_link> opened_;
  std::vector<std::shared_ptr<triage::link>> all_;
};

/// run_node on a thread of its own.
class running_node {
public:
  explicit running_node(const played_coordinator& c, node_options options = {}) {
    options.coordinator = c.address();
    thread_ = std::thread([this, options] { outcome_.set(run_node(options, stop_.get_token())); });
  }
  ~running_node() {
    stop_.request_stop();
    thread_.join();
  }
  void stop() { stop_.request_stop(); }
  result<node_outcome> outcome() { return outcome_.wait(); }

private:
  std::stop_source stop_;
  late_value<result<node_outcome>> outcome_;
  std::thread thread_;
};

inline void send_order(const played_coordinator::both& b, slot_number slot, std::uint64_t lease,
                       std::uint64_t version) {
  drawn_batch batch;
  batch.ids = {1, 2, 3, 4};
  batch.weights.assign(4, 1.0F);
  b.tensor.l->send(to_frame(
      slot, train_order{lease, {version, {}}, {std::make_shared<const drawn_batch>(std::move(batch))}, {}}));
}

inline void order_batch(const played_coordinator::both& b, const run_setup& setup, slot_number slot,
                        std::uint64_t lease, std::uint64_t version) {
  mutable_blob block(setup.net->parameters().size());
  setup.net->parameters().initialise(block.values(), version);
  b.tensor.l->send(
      frame(frame_kind::parameters, pair_head(version, 0), std::move(block).freeze(), float_format::float32));
  send_order(b, slot, lease, version);
}

} // namespace triage::test
