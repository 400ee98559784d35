#include "actors/messages.hpp"
#include "actors/run_controller.hpp"
#include "apps/bench/models.hpp"
#include "apps/bench/step.hpp"
#include "apps/bench/suites.hpp"

#include <caf/all.hpp>
#include <chrono>
#include <fmt/format.h>
#include <stdexcept>

namespace triage {

namespace {

/// Answers for sampler, workers and services at once: what is left is the controller's own work and the
/// merge.
class instant_world : public run_effects {
public:
  void send_order(std::uint64_t member, const train_order& order) override {
    orders.push_back({member, order});
  }
  void dismiss(std::uint64_t) override {}
  void draw(std::size_t batches, double, const snapshot&) override { asked += batches; }
  void record_byproducts(shared_batch, std::vector<float>, std::vector<float>, std::uint64_t) override {}
  void pause_scoring(bool) override {}
  void evaluate(const snapshot&) override {}
  void collect_sampler_state() override { collecting = true; }
  void save_checkpoint(const snapshot&, saved_state, bool) override { saving = true; }
  void report(const progress_report&) override {}
  void report_evaluation(const progress_report&, const evaluation_figures&) override {}
  void warn(const std::string&) override {}
  void finished(const run_summary&) override {}

  struct pending {
    std::uint64_t member;
    train_order order;
  };
  std::vector<pending> orders;
  std::size_t asked = 0;
  bool collecting = false;
  bool saving = false;
};

/// Microseconds of the coordinator for one result: bookkeeping, merge and the next order.
double coordinator_cost(const std::shared_ptr<const run_setup>& setup, std::size_t members, double seconds) {
  const steady_clock time;
  instant_world world;
  run_controller controller(setup, time, world);
  blob_pool pool(setup->net->parameters().size());
  std::vector<blob> gradients;
  for (std::size_t i = 0; i < members; ++i)
    gradients.push_back(pool.acquire().freeze());
  const auto batch = std::make_shared<const drawn_batch>(
      drawn_batch{std::vector<std::uint32_t>(64), std::vector<float>(64, 1.0F), {}, {}, {}});
  const auto serve = [&] {
    while (world.asked > 0 || world.collecting || world.saving) {
      if (std::exchange(world.collecting, false))
        controller.sampler_state_arrived({});
      if (std::exchange(world.saving, false))
        controller.checkpoint_done("none", "");
      if (const auto n = std::exchange(world.asked, 0); n > 0)
        controller.batches_arrived(std::vector<shared_batch>(n, batch));
    }
  };
  controller.start();
  serve();
  for (std::size_t i = 0; i < members; ++i)
    controller.member_joined("member");
  serve();
  const double rate = calls_per_second(seconds, [&] {
    const auto orders = std::exchange(world.orders, {});
    for (const auto& [member, order] : orders) {
      train_result r;
      r.member = member;
      r.lease = order.lease;
      r.base_version = order.base.version;
      r.gradient = gradients[member % members];
      controller.results_arrived({&r, 1});
      serve();
    }
  });
  return 1e6 / (rate * static_cast<double>(members));
}

/// Round trips per second between two threads' actors of a message that holds a pointer to a block.
double round_trips(double seconds) {
  caf::actor_system_config config;
  caf::actor_system system(config);
  const auto echo = system.spawn<caf::detached>(
      [](caf::event_based_actor*) -> caf::behavior { return {[](const draw_request& m) { return m; }}; });
  caf::scoped_actor self(system);
  const draw_request message{1, 0.0, {1, mutable_blob(1U << 20U).freeze()}};
  const double rate = calls_per_second(seconds, [&] {
    self->request(echo, std::chrono::seconds(10), message)
        .receive([](const draw_request&) {},
                 [&](const caf::error& e) { throw std::runtime_error("no answer: " + system.render(e)); });
  });
  self->send_exit(echo, caf::exit_reason::user_shutdown);
  return rate;
}

} // namespace

void bench_messages(const bench_options& options, bench_report& report) {
  const auto repeat = [&](const std::string& name, const char* unit, const auto& measure) {
    series out;
    for (int round = 0; round < options.rounds; ++round)
      out.values.push_back(measure());
    report.add({name, unit, out});
  };
  repeat("round trip between two threads, 4 MiB by pointer", "us",
         [&] { return 1e6 / round_trips(options.seconds); });
  const auto bsp = [&](std::size_t members) {
    return make_bench_setup("mlp", 64,
                            {"duration.epochs=1000000", fmt::format("runtime.workers={}", members)});
  };
  const auto setup = bsp(1);
  training_step step(setup);
  step.gradient();
  repeat("update of 0.5 M parameters alone", "us",
         [&] { return 1e6 / calls_per_second(options.seconds, [&] { step.update(); }); });
  for (const std::size_t members : {1U, 2U, 8U, 32U}) {
    const auto run = bsp(members);
    repeat(fmt::format("coordinator for one result, bsp, {} members", members), "us",
           [&] { return coordinator_cost(run, members, options.seconds); });
  }
}

} // namespace triage
