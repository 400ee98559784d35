#include "run_support.hpp"

using namespace triage;
using namespace triage::test;

namespace {

std::string problem_with(const std::vector<std::string>& overrides) {
  auto document = parse_json(R"({
    "data": {"format": "synthetic", "kind": "blobs", "train_size": 64, "test_size": 20, "features": 4, "classes": 3},
    "model": [{"type": "dense", "units": 3}], "optimizer": "sgd", "duration": {"epochs": 1}})",
                             "test");
  REQUIRE(document.ok());
  REQUIRE(apply_overrides(*document, overrides).ok());
  const auto setup = prepare_run(*document, "test");
  return setup.ok() ? "" : setup.error().message;
}

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("run setup: half a target is refused, and one that nothing can reach") {
  CHECK(mentions(problem_with({"duration.target.metric=test_accuracy"}), "without a value"));
  CHECK(mentions(problem_with({"duration.target.value=0.9"}), "without a metric"));
  CHECK(mentions(problem_with({R"(duration.target={"metric":"test_accuracy","value":90})"}), "at most 1"));
  CHECK(mentions(problem_with({R"(duration.target={"metric":"validation_loss","value":0.1})"}),
                 "data.validation_fraction"));
  CHECK(problem_with({R"(duration.target={"metric":"test_loss","value":0})"}).empty());
  CHECK(problem_with({"duration.target=null"}).empty());
}

TEST_CASE("run setup: half a patience is refused, and figures that are never measured") {
  CHECK(mentions(problem_with({"duration.patience.metric=test_loss"}), "without epochs"));
  CHECK(mentions(problem_with({"duration.patience.epochs=3"}), "without a metric"));
  const std::string patience = R"(duration.patience={"metric":"test_loss","epochs":3})";
  CHECK(problem_with({patience}).empty());
  CHECK(mentions(problem_with({patience, "evaluation.every_epochs=0"}), "evaluation.every_epochs"));
  CHECK(mentions(problem_with({R"(duration.patience={"metric":"validation_loss","epochs":3})"}),
                 "data.validation_fraction"));
  CHECK(mentions(problem_with({"checkpoint.best=validation_loss"}), "/checkpoint/best"));
  CHECK(problem_with({"checkpoint.best=test_accuracy"}).empty());
}

TEST_CASE("run setup: batch normalisation of single samples is refused, of images not") {
  const std::string model = R"(model=[{"type":"dense","units":8},"batch_norm",{"type":"dense","units":3}])";
  CHECK(mentions(problem_with({model, "batch_size=1"}), "layer_norm"));
  CHECK(problem_with({model, "batch_size=2"}).empty());
}

TEST_CASE("run setup: a preference for rare classes is refused where points have no classes") {
  const std::string regression =
      R"(data={"format":"synthetic","kind":"regression","train_size":64,"test_size":20})";
  const std::string model = R"(model=[{"type":"dense","units":1}])";
  for (const char* sampling :
       {"sampling=auto_balanced", R"(sampling={"type":"pps_epoch","class_balance":0.5})"}) {
    CHECK(mentions(problem_with({regression, model, "loss=mean_squared_error", sampling}), "class_balance"));
    CHECK(problem_with({sampling}).empty());
  }
  CHECK(problem_with({regression, model, "loss=mean_squared_error", "sampling=pps_epoch"}).empty());
}

TEST_CASE("run setup: what estimators measure needs one, unless nodes bring them") {
  for (const char* sampling : {"zhou_gao", "katharopoulos"}) {
    CAPTURE(sampling);
    const auto problem = [&](const char* workers) {
      return problem_with({std::string("sampling=") + sampling, "runtime.estimators=0", workers});
    };
    CHECK(mentions(problem("runtime.workers=1"), "/runtime/estimators: this sampling needs at least one"));
    CHECK(problem("runtime.workers=0") == "");
  }
  // Nodes may bring some to workers here, which do not wait for them.
  for (const char* sampling : {"alain", "loshchilov"}) {
    CAPTURE(sampling);
    const auto outcome = train(small_run({std::string("sampling=") + sampling, "runtime.estimators=0"}));
    REQUIRE(!outcome.ok());
    CHECK(mentions(outcome.error().message, "/runtime/estimators: nothing would measure"));
  }
}

TEST_CASE("run setup: binary cross-entropy takes targets from 0 to 1 only") {
  const std::string regression =
      R"(data={"format":"synthetic","kind":"regression","train_size":64,"test_size":20})";
  const std::string model = R"(model=[{"type":"dense","units":1}])";
  const auto problem = problem_with({regression, model, "loss=binary_cross_entropy"});
  CHECK(mentions(problem, "targets in [0, 1]"));
  CHECK(mentions(problem, "mean_squared_error"));
  CHECK(problem_with({regression, model, "loss=mean_squared_error"}).empty());
}
