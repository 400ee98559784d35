#pragma once

#include "controller_scene.hpp"

#include <limits>
#include <set>
#include <vector>

namespace triage::test {

/// A controller in a world that answers late, partly, twice, wrongly or not at all, as a random stream says;
/// and a book of what must come out whatever the order. Everything that touches the shape of results is in
/// `result_of`.
class random_scene {
public:
  random_scene(const std::vector<std::string>& options, std::uint64_t seed, std::size_t members,
               bool nodes = false)
      : random(seed, 5), setup(small_run(options)), controller(setup, time, world) {
    world.orders_at_once = setup->exchange->orders_at_once();
    mutable_blob block(setup->net->parameters().size());
    std::fill(block.values().begin(), block.values().end(), 1e-4F);
    gradient_ = std::move(block).freeze();
    if (nodes)
      controller.open_to_nodes();
    controller.start();
    for (std::size_t i = 0; i < members; ++i)
      join();
    look();
  }

  void join() { alive.push_back(controller.member_joined("w" + std::to_string(joined++))); }

  /// A random member that is at work; nothing when there is none.
  [[nodiscard]] std::optional<std::uint64_t> someone_at_work() {
    if (world.orders.empty())
      return std::nullopt;
    auto at = world.orders.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random.below(world.orders.size())));
    return at->first;
  }
  void answer(std::uint64_t member, bool finite = true) {
    const train_order order = world.take(member);
    time.advance(0.001 * static_cast<double>(1 + random.below(50)));
    auto& book = finite ? trained : dropped;
    book.insert(book.end(), order.batches.begin(), order.batches.end());
    dropped_results += finite ? 0 : 1;
    const auto result = result_of(member, order, finite);
    controller.results_arrived({&result, 1});
    stale.push_back({member, order});
    look();
  }
  /// A result that was given already, or whose lease was lost: must change nothing.
  void repeat_old() {
    if (stale.empty())
      return;
    const auto& [member, order] = stale[random.below(stale.size())];
    const auto version = controller.current().version;
    const auto result = result_of(member, order, true);
    controller.results_arrived({&result, 1});
    CHECK(controller.current().version == version);
    look();
  }
  void lose(std::uint64_t member) {
    take_all(member);
    std::erase(alive, member);
    controller.member_lost(member, "lost by the test");
    look();
  }
  /// Some of what sampler and services owe.
  void serve(bool everything = false) {
    if (world.asked > 0) {
      std::vector<shared_batch> batches;
      for (auto n = everything ? world.asked : 1 + random.below(world.asked); n > 0; --n) {
        drawn_batch b;
        for (std::uint32_t k = 0; k < 16; ++k)
          b.ids.push_back(next_point_++ % 512);
        b.weights.assign(16, 1.0F);
        batches.push_back(std::make_shared<const drawn_batch>(std::move(b)));
        --world.asked;
      }
      drawn.insert(batches.begin(), batches.end());
      controller.batches_arrived(batches);
    }
    if (world.collections > collections_ && (everything || random.below(2) == 0)) {
      ++collections_;
      controller.sampler_state_arrived({});
    }
    if (world.checkpoints > checkpoints_ && (everything || random.below(2) == 0)) {
      ++checkpoints_;
      const bool fails = failing_checkpoints && random.below(2) == 0;
      controller.checkpoint_done(fails ? "" : "step", fails ? "disk full" : "");
    }
    if (world.evaluations > evaluations_ && (everything || random.below(2) == 0)) {
      ++evaluations_;
      controller.evaluation_arrived({});
    }
    look();
  }
  /// Serves and answers until the run is over.
  void run_to_the_end() {
    for (int i = 0; i < 20000 && !world.summary; ++i) {
      serve(true);
      if (const auto member = someone_at_work())
        answer(*member);
      else if (alive.empty() && !world.summary)
        return; // nobody is left to do it
    }
  }

  /// What holds at every moment.
  void look() {
    for (const auto member : world.dismissed)
      if (std::erase(alive, member) > 0)
        take_all(member);
    std::set<shared_batch> out;
    const auto look_at = [&](std::uint64_t member, const train_order& order) {
      REQUIRE(order.base.parameters.size() == setup->net->parameters().size());
      REQUIRE(order.base.version <= controller.current().version);
      REQUIRE(std::find(alive.begin(), alive.end(), member) != alive.end());
      REQUIRE(order.batches.size() <= steps());
      for (const auto& batch : order.batches)
        REQUIRE(out.insert(batch).second); // no batch is with two members
    };
    for (const auto& [member, order] : world.orders)
      look_at(member, order);
    for (const auto& [member, orders] : world.later)
      for (const auto& order : orders)
        look_at(member, order);
    batches_out_ = out.size();
    const auto most = 2 * std::max<std::size_t>(alive_most(), 1);
    REQUIRE(controller.stocked_batches() <= steps() * (most + world.orders_at_once * returned_most()));
    REQUIRE(controller.current().version >= last_version);
    last_version = controller.current().version;
    if (controller.done()) {
      REQUIRE(world.summary.has_value());
      REQUIRE(world.orders.empty());
    }
  }

  /// After the end: every batch that was drawn is trained once, dropped, or in stock; none is lost or
  /// doubled.
  void check_books() const {
    std::map<shared_batch, int> times;
    for (const auto& b : trained)
      ++times[b];
    for (const auto& [batch, n] : times)
      CHECK(n == 1);
    for (const auto& b : dropped)
      CHECK(times.count(b) == 0);
    CHECK(trained.size() + dropped.size() + controller.stocked_batches() + batches_out_ == drawn.size());
    REQUIRE(world.summary.has_value());
    CHECK(world.summary->samples_trained == 16 * trained.size());
    CHECK(world.summary->dropped_results == dropped_results);
    CHECK(world.summary->steps == controller.current().version);
  }

  /// Batches of an order, at most.
  [[nodiscard]] std::size_t steps() const {
    const auto round = setup->exchange->local();
    return round ? static_cast<std::size_t>(round->steps) : 1;
  }

  [[nodiscard]] train_result result_of(std::uint64_t member, const train_order& order, bool finite) const {
    train_result r;
    r.member = member;
    r.lease = order.lease;
    r.base_version = order.base.version;
    r.gradient = gradient_;
    r.loss_sum = 16.0;
    r.finite = finite;
    return r;
  }

  rng random;
  manual_clock time;
  fake_world world;
  std::shared_ptr<const run_setup> setup;
  run_controller controller;
  std::vector<std::uint64_t> alive;
  std::vector<shared_batch> trained;
  std::vector<shared_batch> dropped;
  std::size_t dropped_results = 0;
  std::set<shared_batch> drawn;
  std::vector<std::pair<std::uint64_t, train_order>> stale;
  std::uint64_t last_version = 0;
  int joined = 0;
  bool failing_checkpoints = false;

private:
  void take_all(std::uint64_t member) {
    while (world.orders.count(member) > 0)
      stale.push_back({member, world.take(member)});
  }
  [[nodiscard]] std::size_t alive_most() { return most_alive_ = std::max(most_alive_, alive.size()); }
  /// Batches of lost members come back on top of the stock.
  [[nodiscard]] std::size_t returned_most() const { return static_cast<std::size_t>(joined); }

  blob gradient_;
  std::size_t most_alive_ = 0;
  std::size_t batches_out_ = 0; ///< with members
  std::uint32_t next_point_ = 0;
  int collections_ = 0;
  int checkpoints_ = 0;
  int evaluations_ = 0;
};

} // namespace triage::test
