#include "apps/bench/suites.hpp"

namespace triage {

void bench_scaling(const bench_options&, bench_report&) {}

} // namespace triage
