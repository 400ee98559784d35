#include "attack_support.hpp"

#include "core/checkpoint.hpp"
#include "core/finite.hpp"
#include "core/json.hpp"
#include "nn/network.hpp"

#include <limits>

// Nodes that are let in, as if they had a certificate, and then send what does not fit. They are thrown out
// and the run goes on; what they sent is in no checkpoint.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t points = 60'000;
constexpr float nan_float = std::numeric_limits<float>::quiet_NaN();

/// How many parameters the run of a welcome's description has: images as in Fashion-MNIST, or blobs.
std::size_t parameters_in(const std::string& description) {
  const auto run = parse_json(description, "welcome");
  REQUIRE(run.ok());
  const auto* features = run->find("data")->find("features");
  const sample_shape input = features != nullptr
                                 ? sample_shape{static_cast<std::int64_t>(features->as_number())}
                                 : sample_shape{1, 28, 28};
  const auto& model = *run->find("model");
  const auto outputs = static_cast<std::int64_t>(model.as_array().back().find("units")->as_number());
  const auto net = network::build(model, {"welcome", "/model"}, input, outputs, {},
                                  static_cast<std::int64_t>(run->find("batch_size")->as_number()));
  REQUIRE(net.ok());
  return (*net)->parameters().size();
}

/// Joins as a node does, and then does as the test says.
class fake_node {
public:
  fake_node(network_thread& net, std::uint16_t port, std::uint64_t instance) : control(net, port) {
    control.send(hello_frame(peer_role::control, instance));
    const auto welcome = control.told->wait_for(frame_kind::welcome);
    if (!welcome)
      return;
    const auto said = read_welcome(welcome->head);
    gradient_size = parameters_in(said->description);
    tensor.emplace(net, port);
    tensor->send(hello_frame(peer_role::tensor, instance, said->token));
    accepted = tensor->told->wait_for(frame_kind::accepted).has_value();
  }
  void join(slot_number slot, slot_role role) const {
    tensor->send(to_frame(join_frame{slot, role, "fake-" + std::to_string(slot)}));
  }
  /// The `number`th order that comes.
  std::optional<received_train_order> order(std::size_t number = 1) {
    const auto f = tensor->told->wait_for(frame_kind::train_order, number);
    if (!f)
      return std::nullopt;
    auto read = read_train_order(f->head, points);
    REQUIRE(read.ok());
    return read.take();
  }
  std::optional<received_score_order> score_order(std::size_t number = 1) {
    const auto f = tensor->told->wait_for(frame_kind::score_order, number);
    if (!f)
      return std::nullopt;
    auto read = read_score_order(f->head, points);
    REQUIRE(read.ok());
    return read.take();
  }
  /// A result that fits the order.
  [[nodiscard]] train_result result_for(const received_train_order& o, float value = 0.0F) const {
    train_result r;
    r.lease = o.lease;
    r.base_version = o.version;
    r.loss_sum = 1.0;
    r.gradient = blob::copy_of(std::vector<float>(gradient_size, value));
    return r;
  }
  void send(const train_result& r) const { tensor->send(to_frame(0, r, float_format::float32)); }
  [[nodiscard]] bool thrown_out() const { return tensor->told->wait_until_closed() != "STILL OPEN"; }

  scripted_peer control;
  std::optional<scripted_peer> tensor;
  bool accepted = false;
  std::size_t gradient_size = 0; ///< of the run, in floats
};

struct misdeed {
  std::string name;
  std::function<void(fake_node&, const received_train_order&)> commit;
  std::string reason; ///< in the coordinator's log
};

/// A result that fits but for what `spoil` does to it.
std::function<void(fake_node&, const received_train_order&)>
spoiled(const std::function<void(train_result&)>& spoil) {
  return [spoil](fake_node& n, const received_train_order& o) {
    auto r = n.result_for(o);
    spoil(r);
    n.send(r);
  };
}

std::vector<misdeed> misdeeds() {
  const std::string unfit = "it sent a result that does not fit its order";
  const auto resized = [](std::size_t size) {
    return spoiled([=](train_result& r) { r.gradient = blob::copy_of(std::vector<float>(size, 0.0F)); });
  };
  return {
      {"a gradient too short", resized(10), "it sent 10 floats where"},
      {"a gradient too long", resized(5'000'000), "it sent 5000000 floats where"},
      {"no gradient", spoiled([](train_result& r) { r.gradient = blob(); }), unfit},
      {"a part that leaves a gap",
       [](fake_node& n, const auto& o) {
         const auto r = n.result_for(o);
         n.tensor->send(to_frame(0, gradient_part{0, r.lease, r.gradient, 0, 16}, float_format::float32));
       },
       "does not fit the one before"},
      {"a part of another lease",
       [](fake_node& n, const auto& o) {
         const auto r = n.result_for(o);
         n.tensor->send(to_frame(0, gradient_part{0, r.lease + 1, r.gradient, 0, 16}, float_format::float32));
       },
       unfit},
      {"another lease", spoiled([](train_result& r) { ++r.lease; }), unfit},
      {"too many scores", spoiled([](train_result& r) { r.scores.assign(1000, 1.0F); }), unfit},
      {"too few losses", spoiled([](train_result& r) { r.losses.assign(1, 1.0F); }), unfit},
      {"more right than there are", spoiled([](train_result& r) { r.correct = 1'000'000; }), unfit},
      {"points that do not exist", spoiled([](train_result& r) { r.suspects = {points}; }), "makes no sense"},
      {"years of work", spoiled([](train_result& r) { r.busy_seconds = 1e300; }), "makes no sense"},
      {"a result twice",
       [](fake_node& n, const auto& o) {
         n.send(n.result_for(o));
         n.send(n.result_for(o));
       },
       unfit},
      {"scores instead",
       [](fake_node& n, const auto&) {
         n.tensor->send(to_frame(0, measured_scores{{1.0F}, {}, 0, 0.0}, {}));
       },
       "it sent a result of the wrong kind"},
      {"an order of its own",
       [](fake_node& n, const auto&) {
         n.tensor->send(to_frame(0, score_order{{1}, {}, {}}));
       },
       "it sent a frame that does not belong on its tensor link"},
      {"parameters of its own",
       [](fake_node& n, const auto&) { n.tensor->send(floats_frame(n.gradient_size)); },
       "floats that nobody expected"},
      {"floats on the control link", [](fake_node& n, const auto&) { n.control.send(floats_frame(1)); },
       "it sent floats on its control link"},
      {"one number twice", [](fake_node& n, const auto&) { n.join(0, slot_role::worker); },
       "it joined twice under one number, or too often"},
  };
}

void check_checkpoints(const std::string& run) {
  const auto all = list_checkpoints(run + "/checkpoints");
  CHECK(all.size() >= 2);
  for (const auto& path : all) {
    const auto content = read_checkpoint(path);
    REQUIRE_MESSAGE(content.ok(), path);
    for (const auto& tensor : content->model)
      CHECK_MESSAGE(all_finite(tensor.values), path << ": " << tensor.name);
    for (const auto& entry : content->state.entries()) // moments, the mean gradient that projections are on
      if (const auto* values = std::get_if<std::vector<float>>(&entry.data))
        CHECK_MESSAGE(all_finite(*values), path << ": " << entry.name);
  }
}

} // namespace

TEST_CASE("attack: workers whose results do not fit, or are not finite") {
  const temporary_folder folder;
  const auto run = folder.path("run");
  const double seconds = attack_seconds() + 4.0; // what is left after the attack is enough to learn in
  coordinator_process p(run, {"examples/fashion_mlp.json", "--set",
                              "duration={\"seconds\":" + std::to_string(seconds) + "}", "--set",
                              "checkpoint.keep=1000"});
  network_thread net;
  std::uint64_t instance = 100;
  std::size_t dropped = 0;
  std::vector<std::string> reasons;
  for (const double end = seconds_now() + attack_seconds(); seconds_now() < end && p.running();) {
    for (const auto& m : misdeeds()) {
      CAPTURE(m.name);
      fake_node n(net, p.port(), ++instance);
      REQUIRE(n.accepted);
      n.join(0, slot_role::worker);
      const auto o = n.order();
      REQUIRE(o);
      m.commit(n, *o);
      CHECK(n.thrown_out());
      reasons.push_back(m.reason);
    }
    fake_node poisoner(net, p.port(), ++instance);
    poisoner.join(0, slot_role::worker);
    for (std::size_t i = 1; i <= 3; ++i) { // it says that they are finite
      const auto o = poisoner.order(i);
      REQUIRE(o);
      auto r = poisoner.result_for(*o, i == 1 ? std::numeric_limits<float>::infinity() : nan_float);
      if (i == 3)
        r = poisoner.result_for(*o), r.loss_sum = std::nan("");
      poisoner.send(r);
      ++dropped;
    }
    CHECK(poisoner.thrown_out());
    const fake_node again(net, p.port(), instance);
    CHECK_FALSE(again.accepted);
    const auto refusal = again.control.told->wait_for(frame_kind::refusal);
    REQUIRE(refusal);
    CHECK(read_refusal(refusal->head)->reason.find("quarantined") != std::string::npos);
  }
  CHECK_MESSAGE(p.wait() == 0, p.log());
  const auto log = p.log();
  for (const auto& reason : reasons)
    CHECK_MESSAGE(log.find(reason) != std::string::npos, reason);
  const auto summary = read_json_file(run + "/summary.json");
  REQUIRE(summary.ok());
  CHECK(summary->find("dropped_results")->as_number() == static_cast<double>(dropped));
  CHECK(summary->find("test_accuracy")->as_number() > 0.8);
  CHECK(p.peak_mb() - undisturbed().peak_mb < allowed_growth_mb);
  check_checkpoints(run);
  MESSAGE(reasons.size() << " misdeeds, " << dropped << " results not finite: peak memory "
                         << undisturbed().peak_mb << " MB undisturbed, " << p.peak_mb() << " MB attacked");
  net.io.stop();
}

TEST_CASE("attack: estimators whose scores do not fit, or are not finite") {
  const temporary_folder folder;
  const auto run = folder.path("run");
  const std::string file = folder.path("run.json");
  write_text(file, R"({
    "data": {"format": "synthetic", "kind": "blobs", "train_size": 4000, "test_size": 500, "features": 16, "classes": 5},
    "model": [{"type": "dense", "units": 32, "activation": "relu"}, {"type": "dense", "units": 5}],
    "optimizer": {"type": "sgd", "learning_rate": 0.05, "momentum": 0.9}, "batch_size": 16,
    "sampling": {"type": "pps_epoch", "score": "projection", "gate": {"mode": "off"},
                 "estimator": {"type": "renew_round_robin", "renew_ratio": 0.5}}})");
  coordinator_process p(run, {file, "--set", "duration={\"seconds\":600}", "--set",
                              "checkpoint.every_epochs=5", "--set", "runtime.estimators=1"});
  network_thread net;
  const auto scores_for = [](const received_score_order& o, float value) {
    return measured_scores{std::vector<float>(o.ids.size(), value), {}, o.version, 0.001};
  };
  struct misdeed_of_scores {
    std::function<measured_scores(const received_score_order&)> scores;
    std::size_t orders; ///< until it is thrown out; 0: it may go on
  };
  const std::vector<misdeed_of_scores> all = {
      {[&](const auto& o) {
         auto m = scores_for(o, 1.0F);
         m.scores.push_back(1.0F);
         return m;
       },
       1},
      {[](const auto&) { return measured_scores{}; }, 1},
      {[&](const auto& o) {
         auto m = scores_for(o, 1.0F);
         ++m.version;
         return m;
       },
       1},
      {[&](const auto& o) {
         auto m = scores_for(o, 1.0F);
         m.gradient = {1.0F, 2.0F};
         return m;
       },
       1},
      {[&](const auto& o) { return scores_for(o, nan_float); }, 3},
  };
  std::uint64_t instance = 200;
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAPTURE(i);
    fake_node n(net, p.port(), ++instance);
    REQUIRE(n.accepted);
    n.join(0, slot_role::estimator);
    for (std::size_t order = 1; order <= all[i].orders; ++order) {
      const auto o = n.score_order(order);
      REQUIRE_MESSAGE(o, p.log());
      n.tensor->send(to_frame(0, all[i].scores(*o), float_format::float32));
    }
    if (all[i].orders == 1)
      CHECK(n.thrown_out());
    else
      CHECK(n.tensor->told->wait_for(frame_kind::dismissed));
  }
  fake_node poisoner(net, p.port(), ++instance); // good scores, and a gradient that would stay in every mean
  poisoner.join(0, slot_role::estimator);
  for (std::size_t order = 1; order <= 5; ++order) {
    const auto o = poisoner.score_order(order);
    REQUIRE(o);
    auto m = scores_for(*o, 1.0F);
    m.gradient.assign(poisoner.gradient_size, nan_float);
    poisoner.tensor->send(to_frame(0, m, float_format::float32));
  }
  CHECK(poisoner.score_order(6));
  p.stop();
  CHECK_MESSAGE(p.wait() == 128 + SIGTERM, p.log());
  CHECK_MESSAGE(p.log().find("three orders in a row gave scores that are not finite") != std::string::npos,
                p.log());
  check_checkpoints(run);
  CHECK(read_json_file(run + "/summary.json")->find("test_accuracy")->as_number() > 0.8);
  net.io.stop();
}

TEST_CASE("attack: a node that joins under all the numbers there are") {
  const temporary_folder folder;
  const auto run = folder.path("run");
  coordinator_process p(run, {"examples/fashion_mlp.json", "--set", "duration.epochs=1"});
  network_thread net;
  const fake_node n(net, p.port(), 1);
  REQUIRE(n.accepted);
  for (slot_number slot = 0; slot < 100'000; ++slot)
    n.join(0xFFFFFFFFU - slot, slot_role::worker);
  CHECK(n.thrown_out());
  CHECK(n.tensor->told->frames().size() < 10'000);
  CHECK_MESSAGE(p.wait() == 0, p.log());
  const auto log = p.log();
  CHECK(log.find("or too often") != std::string::npos);
  CHECK(count_of(log, "\n") < 100);
  CHECK(p.peak_mb() - undisturbed().peak_mb < allowed_growth_mb);
  MESSAGE("peak memory " << undisturbed().peak_mb << " MB undisturbed, " << p.peak_mb() << " MB attacked; "
                         << count_of(log, "\n") << " lines in the log");
  net.io.stop();
}
