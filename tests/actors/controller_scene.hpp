#pragma once

#include "run_support.hpp"

#include "actors/run_controller.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace triage::test {

/// Records what the controller asks for, and plays sampler, workers and services by hand.
class fake_world : public run_effects {
public:
  void send_order(std::uint64_t member, const train_order& order) override {
    if (orders.count(member) == 0) {
      orders[member] = order;
    } else {
      later[member].push_back(order);
      CHECK_MESSAGE(later[member].size() < orders_at_once, "a member has too many orders at once");
    }
    most_orders = std::max(most_orders, orders.size());
  }
  /// The order that a member answers first; it has the next one then.
  train_order take(std::uint64_t member) {
    train_order order = orders.at(member);
    auto& rest = later[member];
    if (rest.empty()) {
      orders.erase(member);
    } else {
      orders[member] = rest.front();
      rest.pop_front();
    }
    return order;
  }
  void dismiss(std::uint64_t member) override { dismissed.push_back(member); }
  void draw(std::size_t batches, double, const snapshot&) override {
    asked += batches;
    most_asked = std::max(most_asked, asked);
  }
  void record_byproducts(shared_batch, std::vector<float>, std::vector<float>, std::uint64_t) override {
    ++scores;
  }
  void pause_scoring(bool p) override { paused = p; }
  void evaluate(const snapshot&) override { ++evaluations; }
  void collect_sampler_state() override { ++collections; }
  void save_checkpoint(const snapshot&, saved_state, bool best) override {
    ++checkpoints;
    best_checkpoints += best ? 1 : 0;
  }
  void report(const progress_report&) override { ++reports; }
  void report_evaluation(const progress_report&, const evaluation_figures&) override {}
  void warn(const std::string& text) override { warnings.push_back(text); }
  void finished(const run_summary& s) override { summary = s; }

  std::map<std::uint64_t, train_order> orders; ///< the oldest of each member
  std::map<std::uint64_t, std::deque<train_order>> later;
  std::size_t orders_at_once = 1;
  std::size_t most_orders = 0;
  std::vector<std::uint64_t> dismissed;
  std::size_t asked = 0;
  std::size_t most_asked = 0;
  int scores = 0;
  int evaluations = 0;
  int collections = 0;
  int checkpoints = 0;
  int best_checkpoints = 0;
  int reports = 0;
  bool paused = true; ///< as the sampler begins
  std::vector<std::string> warnings;
  std::optional<run_summary> summary;
};

/// Keeps what a checkpoint would hold.
struct saving_world : fake_world {
  void save_checkpoint(const snapshot& at, saved_state state, bool best) override {
    fake_world::save_checkpoint(at, state, best);
    last = at;
    saved = std::move(state);
  }
  snapshot last;
  saved_state saved;
};

/// A controller and its world.
template <class World>
struct basic_scene {
  /// `open`: nodes may join.
  explicit basic_scene(const std::vector<std::string>& options, bool open = false)
      : setup(small_run(options)), controller(setup, time, world), gradient(setup->net->parameters().size()) {
    world.orders_at_once = setup->exchange->orders_at_once();
    std::fill(gradient.values().begin(), gradient.values().end(), 0.001F);
    shared = std::move(gradient).freeze();
    if (open)
      controller.open_to_nodes();
    controller.start();
  }
  /// The sampler answers, the checkpointer writes, the evaluator measures: whatever is pending.
  void serve() {
    for (int i = 0; i < 8; ++i) {
      if (world.asked > 0) {
        std::vector<shared_batch> batches;
        for (; world.asked > 0; --world.asked) {
          drawn_batch b;
          for (std::uint32_t k = 0; k < 16; ++k)
            b.ids.push_back((next_point++) % 512);
          b.weights.assign(16, 1.0F);
          batches.push_back(std::make_shared<const drawn_batch>(std::move(b)));
        }
        controller.batches_arrived(batches);
      }
      if (world.collections > answered_collections) {
        ++answered_collections;
        controller.sampler_state_arrived({});
      }
      if (world.checkpoints > answered_checkpoints) {
        ++answered_checkpoints;
        controller.checkpoint_done("step", "");
      }
      if (world.evaluations > answered_evaluations) {
        ++answered_evaluations;
        controller.evaluation_arrived({});
      }
    }
  }
  void answer(std::uint64_t member, bool finite = true) {
    const train_order order = world.take(member);
    train_result r;
    r.member = member;
    r.lease = order.lease;
    r.base_version = order.base.version;
    r.gradient = shared;
    r.finite = finite;
    time.advance(0.01);
    controller.results_arrived({&r, 1});
    serve();
  }

  manual_clock time;
  World world;
  std::shared_ptr<const run_setup> setup;
  run_controller controller;
  mutable_blob gradient;
  blob shared;
  std::uint32_t next_point = 0;
  int answered_collections = 0;
  int answered_checkpoints = 0;
  int answered_evaluations = 0;
};

using scene = basic_scene<fake_world>;

} // namespace triage::test
