#include "apps/forecast/thread_costs.hpp"

#include "apps/processes/processor_time.hpp"
#include "core/clock.hpp"
#include "tests/actors/run_support.hpp"

#include <ctime>

using namespace triage;
using namespace triage::test;

namespace {

double own_processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

} // namespace

TEST_CASE("thread costs: a message costs something, a byte little; shorter floats cost more for each byte") {
  const auto plain = measure_message_costs(float_format::float32);
  for (const auto& cost : {plain.sending, plain.receiving}) {
    CHECK(cost.of(262144.0) > 1e-6); // 256 kB in a microsecond would be 262 GB/s
    CHECK(cost.of(262144.0) < 0.1);
    CHECK(cost.of(0.0) >= 0.0);
  }
  const auto shorter = measure_message_costs(float_format::bfloat16);
  CHECK(shorter.sending.of(131072.0) > 1e-6);
}

TEST_CASE("thread costs: of further gradients, for a policy that adds them and for one that merges each") {
  for (const char* policy : {"bsp", "asp"}) {
    const auto setup = small_run({std::string("runtime.exchange={\"policy\":\"") + policy + "\"}"});
    const auto costs = measure_merging_costs(*setup);
    CHECK(costs.add >= 0.0);
    CHECK(costs.add < 0.1);
    CHECK(costs.merge_more >= 0.0);
    CHECK((std::string(policy) == "asp" || costs.merge_more == 0.0));
  }
}

TEST_CASE("processor time: between two moments, what this process has used") {
  const steady_clock time;
  processor_time watch;
  const double begin = time.now();
  const double used = own_processor_seconds();
  while (own_processor_seconds() - used < 0.15) {
  }
  const double spent = own_processor_seconds() - used;
  const double end = time.now();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  watch.stop();
  CHECK(watch.between(begin, end) == doctest::Approx(spent).epsilon(0.3));
  CHECK(watch.between(end, end) == 0.0);
}
