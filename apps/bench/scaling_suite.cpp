#include "actors/train.hpp"
#include "apps/bench/models.hpp"
#include "apps/bench/suites.hpp"
#include "apps/bench/whole_run.hpp"

#include <fmt/format.h>

#include <future>

namespace triage {

namespace {

std::string exchange(const char* policy) {
  return fmt::format(R"(runtime.exchange={{"policy":"{}"}})", policy);
}

/// Two runs that know nothing of each other, at the same time: together what the machine's cores are worth
/// for this model, which no number of workers in one run can exceed. Caches, memory and clock are shared
/// between cores, so it is less than twice one.
double side_by_side_rate(const std::shared_ptr<const run_setup>& setup) {
  auto other = std::async(std::launch::async, [&] { return run_rate(setup); });
  const double rate = run_rate(setup);
  return rate + other.get();
}

/// Two workers against one, and against two runs with one each, all on all cores.
void compare_workers(const bench_options& options, bench_report& report) {
  struct subject {
    const char* model;
    const char* policy;
    double wanted;
    double epochs_per_second; ///< about, with one worker
  };
  for (const auto& s : {subject{"mlp", "bsp", 1.8, 1.6}, subject{"mlp", "asp", 1.9, 1.6},
                        subject{"cnn", "bsp", 1.9, 0.25}, subject{"cnn", "asp", 1.9, 0.25}}) {
    const std::string length =
        fmt::format("duration.epochs={:.3f}", s.epochs_per_second * options.run_seconds());
    const auto one = make_bench_setup(s.model, 64, {length, exchange(s.policy)});
    const auto two = make_bench_setup(s.model, 64, {length, exchange(s.policy), "runtime.workers=2"});
    const std::vector<contender> contenders = {
        {"1 worker", [&] { return run_rate(one); }},
        {"2 workers", [&] { return run_rate(two); }},
        {"2 runs side by side", [&] { return side_by_side_rate(one); }}};
    const auto figures = alternate(contenders, options.rounds);
    const std::string name = fmt::format("{}, {}: ", s.model, s.policy);
    for (std::size_t i = 0; i < contenders.size(); ++i)
      report.add({name + contenders[i].name, "samples/s", figures[i]});
    report.add({name + "2 workers / 1", "", ratio(figures[1], figures[0]), s.wanted});
    report.add({name + "2 runs side by side / 1", "", ratio(figures[2], figures[0])});
    report.add({name + "2 workers / 2 runs", "", ratio(figures[1], figures[2])});
  }
}

/// Many members whose gradient takes a fixed time, on however few cores: what the coordinator alone can
/// sustain.
void emulate_members(const bench_options& options, bench_report& report) {
  struct subject {
    int members;
    double milliseconds;
    const char* policy;
    int layers;
  };
  for (const auto& s :
       {subject{32, 20.0, "bsp", 8}, subject{32, 20.0, "bsp", 1}, subject{32, 20.0, "asp", 8},
        subject{128, 100.0, "bsp", 8}, subject{128, 100.0, "bsp", 1}, subject{128, 100.0, "asp", 8}}) {
    const double ideal = s.members * 1e3 / s.milliseconds; // samples a second, at one sample a batch
    const double steps = std::max(options.run_seconds() * ideal, 8.0 * s.members);
    const auto setup = make_bench_setup("mlp", 1,
                                        {fmt::format("duration.epochs={:.4f}", steps / 20000.0),
                                         fmt::format("runtime.workers={}", s.members), exchange(s.policy),
                                         emulated_model(s.milliseconds, s.layers)});
    series share;
    for (int round = 0; round < options.rounds; ++round)
      share.values.push_back(run_rate(setup) / ideal);
    report.add({fmt::format("{} members, {} ms, {}, {}: share of ideal", s.members, s.milliseconds, s.policy,
                            s.layers == 1 ? "1 layer" : fmt::format("{} layers", s.layers)),
                "", share, 0.95});
  }
}

} // namespace

void bench_scaling(const bench_options& options, bench_report& report) {
  compare_workers(options, report);
  emulate_members(options, report);
}

} // namespace triage
