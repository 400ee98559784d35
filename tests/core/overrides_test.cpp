#include "core/overrides.hpp"
#include "tests/support/json_text.hpp"

#include <doctest/doctest.h>

using namespace triage;

namespace {

const char* const description = R"({"optimizer": {"type": "sgd", "learning_rate": 0.1, "momentum": 0.9},
"schedule": {"type": "constant", "warmup_epochs": 1}, "sampling": "auto",
"model": [{"type": "conv2d", "channels": 4, "kernel": 3}, {"type": "dense", "units": 10}],
"runtime": {"workers": 2, "exchange": {"policy": "ssp", "staleness": 3}},
"data": {"format": "idx", "path": "p"}})";

/// The member of the description after the changes, as text.
std::string changed(const std::string& member, const std::vector<std::string>& overrides) {
  auto v = json_text(description);
  const auto set = apply_overrides(v, overrides);
  REQUIRE_MESSAGE(set.ok(), set.error().message);
  const auto* at = find_json_path(v, member);
  REQUIRE(at != nullptr);
  return dump_json(*at);
}

std::vector<std::string> remarks_of(const std::vector<std::string>& overrides) {
  auto v = json_text(description);
  return *apply_overrides(v, overrides);
}

} // namespace

TEST_CASE("--set: values are JSON, and strings where they are not") {
  auto v = json_text(R"({"optimizer": {"type": "sgd"}, "model": [{"units": 1}]})");
  REQUIRE(apply_overrides(v, {"optimizer.type=adam", "optimizer.rate=1e-3", "model.0.units=64", "name=a=b",
                              "empty=", "path=/x y", "list=[1, \"2\"]", "off=null", "text=\"7\""})
              .ok());
  CHECK(dump_json(v) ==
        R"({"optimizer":{"type":"adam","rate":0.001},"model":[{"units":64}],"name":"a=b","empty":"",)"
        R"("path":"/x y","list":[1,"2"],"off":null,"text":"7"})");
  for (const std::string text : {"", "=1", "novalue", "model.1.units=3", "model.0.units.x=3", "a..b=1"}) {
    const auto set = apply_overrides(v, {text});
    REQUIRE_MESSAGE(!set.ok(), text);
    CHECK(set.error().kind == error_kind::configuration);
  }
}

TEST_CASE("--set: another type, policy or format is another component, and nothing of the old one stays") {
  CHECK(changed("optimizer", {"optimizer.type=adam"}) == R"({"type":"adam"})");
  CHECK(changed("schedule", {"schedule.type=cosine"}) == R"({"type":"cosine"})");
  CHECK(changed("runtime", {"runtime.exchange.policy=bsp"}) ==
        R"({"workers":2,"exchange":{"policy":"bsp"}})");
  CHECK(changed("data", {"data.format=csv"}) == R"({"format":"csv"})");
  CHECK(changed("model", {"model.0.type=dense"}) == R"([{"type":"dense"},{"type":"dense","units":10}])");
  CHECK(changed("sampling", {"sampling.type=pps"}) == R"({"type":"pps"})");
}

TEST_CASE("--set: options of components that are named by a string alone, or left out") {
  CHECK(changed("sampling", {"sampling.alpha=0.5"}) == R"({"type":"auto","alpha":0.5})");
  CHECK(changed("loss", {"loss.label_smoothing=0.1"}) ==
        R"({"type":"softmax_cross_entropy","label_smoothing":0.1})");
  auto v = json_text(R"({"name": "x", "optimizer": "sgd", "model": ["relu"]})");
  REQUIRE(apply_overrides(v, {"optimizer.momentum=0.5", "sampling.gate.mode=off", "runtime.exchange.a=1",
                              "schedule.warmup_epochs=2", "schedule.type=cosine", "model.0.a=2"})
              .ok());
  CHECK(dump_json(v) == R"({"name":"x","optimizer":{"type":"sgd","momentum":0.5},)"
                        R"("model":[{"type":"relu","a":2}],"sampling":{"type":"auto","gate":{"mode":"off"}},)"
                        R"("runtime":{"exchange":{"policy":"bsp","a":1}},)"
                        R"("schedule":{"type":"cosine","warmup_epochs":2}})");
  auto up =
      json_text(R"({"runtime": {"exchange": {"policy": "local_sgd", "compression": {"up": "top_k"}}}})");
  REQUIRE(apply_overrides(up, {"runtime.exchange.compression.up.ratio=0.1"}).ok());
  CHECK(dump_json(up) == R"({"runtime":{"exchange":{"policy":"local_sgd",)"
                         R"("compression":{"up":{"type":"top_k","ratio":0.1}}}}})");
  // What has no default, and what is no component, stays as it was.
  auto bare = json_text(R"({"name": "x"})");
  REQUIRE(apply_overrides(bare, {"optimizer.momentum=0.5"}).ok());
  CHECK(dump_json(bare) == R"({"name":"x","optimizer":{"momentum":0.5}})");
  CHECK(!apply_overrides(bare, {"name.a=1"}).ok());
}

TEST_CASE("--set: what is set of the new component stays, whichever comes first") {
  const std::string rate = "optimizer.learning_rate=0.01";
  const std::string type = "optimizer.type=adam";
  const auto expected = R"({"type":"adam","learning_rate":0.01})";
  CHECK(changed("optimizer", {rate, type}) == expected);
  CHECK(changed("optimizer", {type, rate}) == expected);
  CHECK(changed("sampling", {"sampling.type=pps", "sampling.gate.mode=off", "sampling.type=multinomial"}) ==
        R"({"type":"multinomial","gate":{"mode":"off"}})");
  CHECK(changed("sampling", {"sampling.type=pps", "sampling.estimator.type=presample",
                             "sampling.estimator.type=exact_sweep", "sampling.type=multinomial"}) ==
        R"({"type":"multinomial","estimator":{"type":"exact_sweep"}})");
  // A whole object is what it says, also where its name changes afterwards.
  CHECK(changed("optimizer", {R"(optimizer={"learning_rate":1})", type}) ==
        R"({"learning_rate":1,"type":"adam"})");
}

TEST_CASE("--set: the present name changes nothing, and a bare name is replaced by another") {
  CHECK(changed("optimizer", {"optimizer.type=sgd"}) ==
        R"({"type":"sgd","learning_rate":0.1,"momentum":0.9})");
  CHECK(remarks_of({"optimizer.type=sgd", "sampling.type=auto", "name=n", "runtime.workers=3"}).empty());
  CHECK(changed("schedule", {"schedule.warmup_epochs=2"}) == R"({"type":"constant","warmup_epochs":2})");
  CHECK(changed("loss", {"loss.type=mean_squared_error"}) == R"({"type":"mean_squared_error"})");
}

TEST_CASE("--set: a remark says what was dropped, and not what was set again") {
  const auto one = remarks_of({"optimizer.type=adam"});
  REQUIRE(one.size() == 1);
  CHECK(one[0] ==
        "optimizer.type=adam takes the place of \"sgd\", whose options were dropped: learning_rate, "
        "momentum; what is not set as well is the default of \"adam\"");
  const auto set = remarks_of({"optimizer.type=adam", "optimizer.learning_rate=0.01", "schedule.type=step"});
  REQUIRE(set.size() == 2);
  CHECK(set[0].find("dropped: momentum;") != std::string::npos);
  CHECK(set[1].find("dropped: warmup_epochs;") != std::string::npos);
  CHECK(remarks_of({"schedule.warmup_epochs=2", "schedule.type=step"}).empty());
}
