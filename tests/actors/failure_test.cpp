#include "run_support.hpp"

#include "nn/layer.hpp"

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

class faulty_stage : public stage {
public:
  explicit faulty_stage(const stage_request& r, std::size_t values)
      : stage(tensor_layout::plain(r.batch, {static_cast<std::int64_t>(values) / r.batch, 1, 1}),
              tensor_layout::plain(r.batch, {static_cast<std::int64_t>(values) / r.batch, 1, 1})),
        values_(values) {}
  void forward(const pass& p) override {
    std::copy_n(buffers().input, values_, buffers().output);
    const int n = passes.fetch_add(p.training ? 1 : 0);
    const fault f = present_fault.load();
    if (p.training && ((f == fault::throws_once && n == 20) || f == fault::throws_always))
      throw std::runtime_error("the faulty layer broke");
    if (p.training && f == fault::nan_once && n == 20)
      buffers().output[0] = std::numeric_limits<float>::quiet_NaN();
    if (!p.training && f == fault::nan_in_scoring)
      buffers().output[0] = std::numeric_limits<float>::quiet_NaN();
  }
  void backward(const pass&) override {
    if (buffers().input_gradient != nullptr)
      std::copy_n(buffers().output_gradient, values_, buffers().input_gradient);
  }

private:
  std::size_t values_;
};

class faulty_layer : public layer {
public:
  [[nodiscard]] std::string_view type() const override { return "faulty"; }
  result<sample_shape> connect(const sample_shape& input) override { return output_ = input_ = input; }
  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    return std::make_unique<faulty_stage>(r, static_cast<std::size_t>(r.batch * input_.size()));
  }
};

constexpr std::array faulty_table = {
    registry_entry<layer_factory>{"faulty", "breaks when told to",
                                  [] { return std::unique_ptr<layer>(std::make_unique<faulty_layer>()); }}};

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
