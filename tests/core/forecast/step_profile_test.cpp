#include "core/forecast/step_profile.hpp"

#include "tests/core/data_support.hpp"

#include <doctest/doctest.h>

using namespace triage;
using namespace triage::test;

namespace {

step_profile a_profile() {
  step_profile p;
  p.name = "mine";
  p.exchange.set("policy", "bsp");
  p.samples = 64;
  p.floats = 1000;
  p.bytes_down = 4000.0;
  p.bytes_up = 2000.0;
  p.waits = true;
  p.merges_ahead = false;
  p.step_seconds = 0.02;
  p.processor_seconds = 0.03;
  p.overhead_seconds = 0.001;
  p.add_seconds = 1e-4;
  p.merge_more_seconds = 2e-4;
  p.sending = {1e-6, 1e-10};
  p.receiving = {2e-6, 3e-10};
  for (int i = 0; i < 3; ++i)
    p.steps.push_back({{{compute_op::kind::gather, 1e-4},
                        {compute_op::kind::forward, 2e-4, 1000, 0},
                        {compute_op::kind::backward, 3e-4 + 1e-6 * i, 0, 1000},
                        {compute_op::kind::rest, 1e-5}},
                       5e-4});
  return p;
}

} // namespace

TEST_CASE("step profile: what was written is read again") {
  const temp_folder folder;
  const auto p = a_profile();
  const auto read = read_step_profile(folder.write("p.jsonl", to_json_lines(p)));
  REQUIRE_MESSAGE(read.ok(), read.error().message);
  CHECK(to_json_lines(*read) == to_json_lines(p));
  CHECK(read->steps.size() == 3);
  CHECK(read->steps[1].ops[2].sends == 1000);
  CHECK(read->compute_seconds() == doctest::Approx(6.11e-4));
  CHECK(read->merge_seconds() == doctest::Approx(5e-4));
  // computing is emulated: 0.5 ms of merging and 6000 bytes are explained
  CHECK(read->overhead_work() == doctest::Approx(0.03 - 5e-4 - 6000.0 * 4e-10));
}

TEST_CASE("step profile: what is no profile is refused with its line") {
  const temp_folder folder;
  const std::string good = to_json_lines(a_profile());
  const auto problem_of = [&](const std::string& text) {
    const auto read = read_step_profile(folder.write("p.jsonl", text));
    return read.ok() ? std::string("read") : read.error().message;
  };
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return problem_of(text.replace(at, from.size(), to));
  };
  CHECK(problem_of("").find("there is no step") != std::string::npos);
  CHECK(problem_of(good.substr(0, good.find('\n') + 1)).find("there is no step") != std::string::npos);
  CHECK(problem_of(good.substr(0, good.size() - 5)).find("line 16") != std::string::npos);
  CHECK(changed("\"triage_profile\":1", "\"triage_profile\":2").find("triage_profile") != std::string::npos);
  CHECK(changed("\"samples\":64", "\"samples\":0").find("samples") != std::string::npos);
  CHECK(changed("\"kind\":\"gather\"", "\"kind\":\"sleep\"").find("line 2") != std::string::npos);
  CHECK(changed("\"op\":1", "\"op\":2").find("numbered in their order") != std::string::npos);
  CHECK(changed("\"step\":0,\"op\":0", "\"step\":1,\"op\":0").find("line 2") != std::string::npos);
  CHECK(changed("\"start_ns\":0", "\"start_ns\":900000").find("ends before it begins") != std::string::npos);
  CHECK(changed("\"needs_bytes\":4000", "\"needs_bytes\":4004").find("more than there are") !=
        std::string::npos);
  CHECK(changed("\"sends_bytes\":4000", "\"sends_bytes\":0").find("send something") != std::string::npos);
  CHECK(read_step_profile(folder.path("missing")).error().message.find("missing") != std::string::npos);
}
