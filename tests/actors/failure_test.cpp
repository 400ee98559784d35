#include "pass_through_layer.hpp"
#include "run_support.hpp"

#include <array>
#include <atomic>
#include <limits>
#include <stdexcept>

using namespace triage;
using namespace triage::test;

namespace {

/// How the faulty layer below behaves; passes are counted over all stages of a run.
enum class fault { none, throws_once, throws_always, nan_once, nan_in_scoring };
std::atomic<fault> present_fault{fault::none};
std::atomic<int> passes{0};

void fail_as_told(const pass& p, float& value) {
  const int n = passes.fetch_add(p.training ? 1 : 0);
  const fault f = present_fault.load();
  if (p.training && ((f == fault::throws_once && n == 20) || f == fault::throws_always))
    throw std::runtime_error("the faulty layer broke");
  if ((p.training && f == fault::nan_once && n == 20) ||
      (!p.training && f == fault::nan_in_scoring && n < 200)) // the last evaluation is none
    value = std::numeric_limits<float>::quiet_NaN();
}

constexpr std::array faulty_table = {
    registry_entry<layer_factory>{"faulty", "breaks when told to", []() -> std::unique_ptr<layer> {
                                    return std::make_unique<pass_through_layer<fail_as_told>>("faulty");
                                  }}};

train_outcome run_with(fault f, std::vector<std::string> more = {}) {
  present_fault = f;
  passes = 0;
  more.emplace_back(
      R"(model=[{"type":"dense","units":16,"activation":"relu"},{"type":"faulty"},{"type":"dense","units":4}])");
  run_extensions extensions;
  extensions.layers = faulty_table;
  auto outcome = run(small_run(more, extensions));
  present_fault = fault::none;
  return outcome;
}

} // namespace

TEST_CASE("a worker that throws is named, and the run goes on without it") {
  for (const char* policy : {"bsp", "ssp", "asp"}) {
    CAPTURE(policy);
    const auto outcome =
        run_with(fault::throws_once, {"runtime.workers=3", "sampling=uniform",
                                      std::string("runtime.exchange={\"policy\":\"") + policy + "\"}"});
    CHECK(outcome.summary.status == run_status::finished);
    REQUIRE(outcome.summary.lost_members.size() == 1);
    CHECK(outcome.summary.lost_members[0].find("worker-") != std::string::npos);
    CHECK(outcome.summary.lost_members[0].find("the faulty layer broke") != std::string::npos);
    CHECK(outcome.summary.samples_trained == 3 * 512); // its batch was given to somebody else
  }
}

TEST_CASE("when the last worker throws the run fails and says why") {
  const auto outcome = run_with(fault::throws_always, {"runtime.workers=2"});
  CHECK(outcome.summary.status == run_status::failed);
  CHECK(outcome.summary.problem.find("the faulty layer broke") != std::string::npos);
  CHECK(outcome.summary.lost_members.size() == 2);
}

TEST_CASE("a single result with NaN is dropped and counted, and never reaches the parameters") {
  const auto outcome = run_with(fault::nan_once);
  CHECK(outcome.summary.status == run_status::finished);
  CHECK(outcome.summary.dropped_results == 1);
  for (const float v : outcome.parameters.view())
    REQUIRE(std::isfinite(v));
}

TEST_CASE("estimators that return NaN are struck off; training goes on from by-products") {
  const auto outcome = run_with(
      fault::nan_in_scoring,
      {R"(sampling={"type":"pps_epoch","estimator":{"type":"oldest_first","refresh_after_epochs":0.1}})",
       "duration.epochs=8", "runtime.estimators=2"});
  CHECK(outcome.summary.status == run_status::finished);
  CHECK(outcome.summary.epochs >= 8.0);
}
