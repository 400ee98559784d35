#include "run_support.hpp"

#include "actors/point_scorer.hpp"

#include <numeric>

using namespace triage;
using namespace triage::test;

namespace {

std::shared_ptr<const run_setup> scored_run(const std::string& precision,
                                            const std::vector<std::string>& more = {}) {
  std::vector<std::string> all{R"(sampling={"type":"pps_epoch"})", "runtime.scoring_precision=" + precision};
  all.insert(all.end(), more.begin(), more.end());
  return small_run(all);
}

snapshot initial(const run_setup& setup, std::uint64_t version = 1) {
  mutable_blob block(setup.net->parameters().size());
  setup.net->parameters().initialise(block.values(), 3);
  return {version, std::move(block).freeze()};
}

std::vector<std::uint32_t> first_points(std::size_t n) {
  std::vector<std::uint32_t> ids(n);
  std::iota(ids.begin(), ids.end(), 0U);
  return ids;
}

} // namespace

TEST_CASE("scores do not depend on how many points are measured together") {
  const auto setup = scored_run("f32");
  const manual_clock time;
  point_scorer scorer(setup, time);
  const auto at = initial(*setup);
  const auto ids = first_points(500); // more than one pass, and a rest
  const auto together = scorer.measure(at, ids);
  CHECK_FALSE(scorer.uses_bytes());
  for (const std::size_t i : {0U, 255U, 256U, 499U})
    CHECK(scorer.measure(at, std::span(ids).subspan(i, 1))[0] == together[i]);
  CHECK(scorer.measure(at, {}).empty());
}

TEST_CASE("scores in bytes are those in floats but for a few percent, also for data that are not bytes") {
  const manual_clock time;
  const auto exact_setup = scored_run("f32");
  point_scorer exact(exact_setup, time);
  point_scorer rough(scored_run("int8"), time);
  const auto ids = first_points(500);
  const auto at = initial(*exact_setup);
  const auto a = exact.measure(at, ids);
  const auto b = rough.measure(at, ids);
  CHECK(rough.uses_bytes());
  CHECK(rough.take_remark().find("8-bit") != std::string::npos);
  CHECK(rough.take_remark().empty());
  CHECK(rough.disagreement() < 0.05);
  double apart = 0.0;
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    apart += std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    sum += static_cast<double>(a[i]);
  }
  CHECK(apart / sum < 0.05);
}

TEST_CASE("where bytes and floats disagree floats are used, and bytes again when they agree again") {
  const manual_clock time;
  const auto setup = scored_run("int8");
  const auto exact_setup = scored_run("f32");
  point_scorer scorer(setup, time);
  point_scorer exact(exact_setup, time);
  const auto ids = first_points(200);
  // One huge weight per row leaves a single step for all others.
  const auto wild = [&](std::uint64_t version) {
    mutable_blob block(setup->net->parameters().size());
    setup->net->parameters().initialise(block.values(), 3);
    for (std::size_t i = 0; i < block.size(); i += 8)
      block.values()[i] *= 1e4F;
    return snapshot{version, std::move(block).freeze()};
  };
  (void)scorer.measure(wild(1), ids);
  REQUIRE(scorer.disagreement() > 0.1);
  CHECK(scorer.measure(wild(1), ids) == exact.measure(wild(1), ids));
  for (std::uint64_t version = 2; version < 80; ++version)
    (void)scorer.measure(initial(*setup, version), ids);
  CHECK(scorer.disagreement() < 0.05);
  CHECK(scorer.measure(initial(*setup, 80), ids) != exact.measure(initial(*exact_setup, 80), ids));
}

TEST_CASE("auto falls back to floats for a model without an 8-bit form and says which layer it is") {
  const manual_clock time;
  const auto setup = scored_run("auto", {R"(model=["layer_norm",{"type":"dense","units":4}])"});
  point_scorer scorer(setup, time);
  const auto scores = scorer.measure(initial(*setup), first_points(10));
  CHECK(scores.size() == 10);
  CHECK_FALSE(scorer.uses_bytes());
  CHECK(scorer.take_remark().find("layer_norm") != std::string::npos);
}

TEST_CASE("int8 for a score that needs gradients: floats, and a word about it, once") {
  const manual_clock time;
  const auto setup =
      scored_run("int8", {R"(sampling={"type":"pps_epoch","score":"gnorm_full","estimator":"presample"})"});
  point_scorer scorer(setup, time);
  (void)scorer.measure(initial(*setup), first_points(10));
  CHECK_FALSE(scorer.uses_bytes());
  CHECK(scorer.take_remark().find("needs gradients") != std::string::npos);
  (void)scorer.measure(initial(*setup), first_points(10));
  CHECK(scorer.take_remark().empty());
}

TEST_CASE("int8 for a model that has no such form is refused when the run is prepared") {
  auto document = parse_json(R"({
    "data": {"format": "synthetic", "train_size": 64, "test_size": 8}, "model": ["tanh", {"type": "dense", "units": 3}],
    "optimizer": {"type": "sgd"}, "sampling": {"type": "pps_epoch"}, "runtime": {"scoring_precision": "int8"}})",
                             "test");
  REQUIRE(document.ok());
  const auto setup = prepare_run(*document, "test");
  REQUIRE_FALSE(setup.ok());
  CHECK(setup.error().message.find("/runtime/scoring_precision") != std::string::npos);
  CHECK(setup.error().message.find("tanh") != std::string::npos);
}
