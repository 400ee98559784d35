#include "fault_run.hpp"

#include <array>
#include <doctest/doctest.h>
#include <fmt/format.h>

// Training goes on without a node that measures priorities, also where plans wait for its scores.

using namespace triage;
using namespace triage::test;

namespace {

struct method {
  const char* name;
  const char* sampling;
  bool unbiased;
};

/// Unbiased ones reach the undisturbed accuracy with and without fresh scores. Zhou & Gao's trains the top of
/// a list that nobody keeps up to date any more: that it ends is what counts.
constexpr std::array methods = {
    method{
        "multinomial",
        R"({"type":"multinomial","score":"gnorm_last","gate":{"mode":"off"},"estimator":{"type":"renew_round_robin","renew_ratio":1}})",
        true},
    method{
        "exact sweeps that plans wait for",
        R"({"type":"multinomial","score":"gnorm_last","gate":{"mode":"off"},"estimator":{"type":"exact_sweep","every_epochs":0.25,"wait":true}})",
        true},
    method{"zhou_gao", R"({"type":"zhou_gao_aggressive","gate":{"mode":"off"}})", false},
    method{"fresh candidates", R"({"type":"selective_backprop","gate":{"mode":"off"}})", false}};

} // namespace

TEST_CASE("faults: kill -9 of an estimator's node") {
  fault_tally tally("kill -9 of an estimator");
  for (std::size_t point = 0; point < the_plan().points; ++point) {
    auto random = tally.begin_point(point);
    const auto& m = methods[point % methods.size()];
    scenario s;
    s.workers = {"a"};
    s.estimators = {"e"};
    s.sampling = m.sampling;
    if (!m.unbiased)
      s.accuracy_off.reset();
    const double moment = 0.1 + 0.6 * random.uniform();
    const bool comes_back = random.uniform() < 0.5;
    tally.say(fmt::format("{}, at {:.0f} % of the run{}", m.name, 100.0 * moment,
                          comes_back ? ", and it comes back" : ""));
    fault_run run(s);
    run.begin();
    REQUIRE_MESSAGE(run.wait_for_scores(60.0), run.log());
    REQUIRE_MESSAGE(run.wait_until(moment), run.log());
    run.signal_node("e", SIGKILL);
    check_detected(run.wait_for_log("e/estimator-0 left the run", 1, 20.0), killed_seconds, tally);
    if (comes_back) {
      run.start_node("e", "estimator");
      (void)run.wait_for_log("e joined from", 2, 20.0); // unless the run ends before
    }
    check_finished(run, tally);
    CHECK(run.summary().find("samples_scored")->as_number() > 0.0);
    CHECK(run.end_of_node("a", 20.0) == 0);
  }
}
