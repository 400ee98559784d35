#include "controller_scene.hpp"
#include "in_double.hpp"

#include <set>

using namespace triage;
using namespace triage::test;

// Rounds of several local steps: what the workers do, what the coordinator makes of it, and that both
// together are the methods of the papers. Reference recursions are in double and share no code.

namespace {

std::string exchange(const std::string& json) {
  return "runtime.exchange=" + json;
}

const std::vector<std::string> one_epoch = {"data.train_size=6400", "duration.epochs=1",
                                            "evaluation.every_epochs=0", "sampling=uniform"};

std::vector<std::string> with(std::vector<std::string> options, const std::vector<std::string>& more) {
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

blob run_of(const std::vector<std::string>& more) {
  const auto outcome = run(small_run(with(one_epoch, more)));
  REQUIRE(outcome.summary.status == run_status::finished);
  CHECK(outcome.summary.samples_trained == 6400);
  return outcome.parameters;
}

/// Length of the difference, in lengths of the first.
double relative_gap(const blob& a, const blob& b) {
  const auto x = in_double(a);
  const auto y = in_double(b);
  double gap = 0.0;
  double size = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    gap += (x[i] - y[i]) * (x[i] - y[i]);
    size += x[i] * x[i];
  }
  return std::sqrt(gap / size);
}

/// A worker played by hand: its parameters in double, moved by random amounts.
struct played_worker {
  std::vector<double> x;
  rng random;
  explicit played_worker(std::uint64_t number) : random(77, number) {}

  void begin(const blob& anchor, double pull) {
    const auto z = in_double(anchor);
    if (x.empty())
      x = z;
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = (1.0 - pull) * x[i] + pull * z[i];
  }
  void move(double size) {
    for (double& v : x)
      v += size * random.normal();
  }
  [[nodiscard]] blob position() const {
    mutable_blob out(x.size());
    for (std::size_t i = 0; i < x.size(); ++i)
      out.values()[i] = static_cast<float>(x[i]);
    return std::move(out).freeze();
  }
};

struct played_scene : scene {
  explicit played_scene(const std::vector<std::string>& options, std::size_t members) : scene(options) {
    serve();
    for (std::size_t i = 0; i < members; ++i) {
      controller.member_joined("m");
      workers.emplace_back(i);
    }
    serve();
  }
  void give(std::uint64_t member, const blob& what) {
    const auto order = world.take(member);
    train_result r;
    r.member = member;
    r.lease = order.lease;
    r.base_version = order.base.version;
    r.gradient = what;
    time.advance(0.01);
    controller.results_arrived({&r, 1});
    serve();
  }
  std::vector<played_worker> workers;
};

} // namespace

TEST_CASE("local rounds: one local step and plain means are synchronous SGD, with momentum as well") {
  for (const char* optimizer : {R"(optimizer={"type":"sgd","learning_rate":0.05})",
                                R"(optimizer={"type":"sgd","learning_rate":0.05,"momentum":0.9})",
                                R"(optimizer={"type":"sgd","learning_rate":0.05,"weight_decay":0.01})"})
    for (const char* workers : {"runtime.workers=1", "runtime.workers=3"}) {
      CAPTURE(optimizer);
      CAPTURE(workers);
      const auto reference = run_of({optimizer, workers, exchange(R"({"policy":"bsp"})")});
      for (const char* policy : {R"({"policy":"local_sgd","local_steps":1})",
                                 R"({"policy":"adacomm","local_steps":1,"interval_seconds":0.001})"}) {
        CAPTURE(policy);
        // 400 steps (133 of three workers) in single precision, of which momentum keeps what each was rounded
        // by.
        const bool momentum = std::string(optimizer).find("momentum") != std::string::npos;
        CHECK(relative_gap(reference, run_of({optimizer, workers, exchange(policy)})) <
              (momentum ? 1e-5 : 1e-6));
      }
    }
}

TEST_CASE("local rounds: alone, a worker's local steps are the steps of the run, however many a round has") {
  const auto reference = run_of({exchange(R"({"policy":"bsp"})")});
  for (const char* steps : {"2", "7", "100", "1000"})
    CHECK(largest_difference(reference,
                             run_of({exchange(std::string(R"({"policy":"local_sgd","local_steps":)") + steps +
                                              "}")})) < 1e-5);
}

TEST_CASE("local rounds: block momentum with one worker and one plain step is heavy-ball SGD") {
  const auto heavy_ball = run_of(
      {R"(optimizer={"type":"sgd","learning_rate":0.05,"momentum":0.6})", R"(schedule={"type":"cosine"})"});
  const std::string plain = R"(optimizer={"type":"sgd","learning_rate":0.05})";
  const auto block = run_of({plain, R"(schedule={"type":"cosine"})",
                             exchange(R"({"policy":"local_sgd","local_steps":1,"block_momentum":0.6})")});
  const auto none = run_of({plain, R"(schedule={"type":"cosine"})",
                            exchange(R"({"policy":"local_sgd","local_steps":1,"block_momentum":0.0})")});
  CHECK(relative_gap(heavy_ball, block) < 2e-6);
  CHECK(largest_difference(heavy_ball, none) > 1e-3);
}

TEST_CASE("local rounds: two runs of one seed end with the same bits, with several workers") {
  const std::vector<std::string> options = {"runtime.workers=3",
                                            exchange(R"({"policy":"local_sgd","local_steps":5})")};
  CHECK(largest_difference(run_of(options), run_of(options)) == 0.0);
}

TEST_CASE("overlap: the anchor follows its recursion for any momentum, and a change of the rate") {
  for (const double momentum : {0.0, 0.7}) {
    CAPTURE(momentum);
    const double pull = 0.6;
    played_scene s(
        {exchange(R"({"policy":"overlap_local_sgd","local_steps":2,"pull":0.6,"anchor_momentum":)" +
                  std::to_string(momentum) + "}"),
         R"(schedule={"type":"step","every_epochs":2,"drop":0.1})", "duration.epochs=40",
         "evaluation.every_epochs=0", "checkpoint.every_epochs=0"},
        3);
    auto z = in_double(s.controller.current().parameters);
    std::vector<double> v(z.size(), 0.0);
    rng random(5, 5);
    double last_rate = 0.0;
    for (int round = 0; round < 60; ++round) {
      // Everybody answers this round, in any order; by then each has the order of the next one.
      std::vector<std::uint64_t> order = {0, 1, 2};
      shuffle(order, random);
      const double rate = s.setup->rule->learning_rate() *
                          s.setup->learning_schedule->factor(
                              {static_cast<double>(round) * 6 * 16 / 512, 0.0, 40.0, std::nullopt});
      std::vector<double> mean(z.size(), 0.0);
      for (const auto m : order) {
        REQUIRE(s.world.orders.count(m) == 1);
        auto& w = s.workers[m];
        w.begin(s.world.orders.at(m).base.parameters, pull);
        w.move(0.01);
        for (std::size_t i = 0; i < z.size(); ++i)
          mean[i] += (1.0 - pull) * w.x[i] / 3.0; // as it will be when it has been pulled back
        s.give(m, w.position());
      }
      // v is in units of parameters: momentum in units of the rate scales with it.
      const double scale = round > 0 ? rate / last_rate : 1.0;
      last_rate = rate;
      for (std::size_t i = 0; i < z.size(); ++i) {
        v[i] = momentum * scale * v[i] + (mean[i] + pull * z[i] - z[i]);
        z[i] += v[i];
      }
      REQUIRE(s.controller.current().version == static_cast<std::uint64_t>(round + 1));
      CHECK(largest_gap(z, s.controller.current().parameters) < 1e-5);
    }
  }
}

TEST_CASE("overlap: without momentum the balance of workers and anchor is moved by steps, not by merges, in "
          "whatever order and however late results come") {
  const double pull = 0.3;
  rng order(5, 5);
  played_scene s(
      {exchange(R"({"policy":"overlap_local_sgd","local_steps":1,"pull":0.3,"anchor_momentum":0})"),
       "duration.epochs=40", "evaluation.every_epochs=0", "checkpoint.every_epochs=0"},
      2);
  auto z = in_double(s.controller.current().parameters);
  std::vector<double> balance = z; // (1 - pull) mean x + pull z
  for (int round = 0; round < 50; ++round) {
    std::vector<double> moved(z.size(), 0.0);
    for (const std::uint64_t m : {0U, 1U}) {
      auto& w = s.workers[m];
      w.begin(s.world.orders.at(m).base.parameters, pull);
      const auto before = w.x;
      w.move(0.01);
      for (std::size_t i = 0; i < z.size(); ++i)
        moved[i] += (w.x[i] - before[i]) / 2.0;
    }
    const auto anchor = in_double(s.controller.current().parameters);
    double gap = 0.0;
    double size = 0.0;
    for (std::size_t i = 0; i < z.size(); ++i) {
      balance[i] += (1.0 - pull) * moved[i];
      const double mean = (s.workers[0].x[i] + s.workers[1].x[i]) / 2.0;
      const double off = (1.0 - pull) * mean + pull * anchor[i] - balance[i];
      gap += off * off;
      size += balance[i] * balance[i];
    }
    REQUIRE(std::sqrt(gap / size) < 1e-6);
    const std::uint64_t first = order.below(2);
    for (const std::uint64_t m : {first, 1 - first}) {
      s.time.advance(order.uniform());
      s.give(m, s.workers[m].position());
    }
  }
}

TEST_CASE("overlap: nobody waits for an answer, and for a straggler only a round later") {
  played_scene s({exchange(R"({"policy":"overlap_local_sgd","local_steps":1})"), "duration.epochs=40",
                  "evaluation.every_epochs=0", "checkpoint.every_epochs=0"},
                 2);
  const auto has_order = [&](std::uint64_t m) { return s.world.orders.count(m) == 1; };
  s.give(0, s.shared); // round 0
  CHECK(has_order(0)); // round 1, although member 1 is still in round 0
  s.give(0, s.shared);
  CHECK_FALSE(has_order(0)); // round 2 needs the mean of round 0
  CHECK(s.controller.current().version == 0);
  s.give(1, s.shared);
  CHECK(s.controller.current().version == 1);
  CHECK(has_order(0));
  CHECK(s.world.orders.at(0).base.version == 1);
  s.give(1, s.shared);
  CHECK(s.controller.current().version == 2);
}

TEST_CASE("local rounds: statistics are averaged like weights, and train as in one process") {
  const std::string model = R"(model=[{"type":"dense","units":16},{"type":"batch_norm"},
                                      {"type":"relu"},{"type":"dense","units":4}])";
  for (const char* policy : {R"({"policy":"local_sgd","local_steps":4})",
                             R"({"policy":"overlap_local_sgd","local_steps":4,"pull":0.5})"}) {
    CAPTURE(policy);
    const auto setup = small_run({model, exchange(policy), "runtime.workers=2", "duration.epochs=20"});
    const auto outcome = run(setup);
    CHECK(*outcome.summary.figures->test_accuracy > 0.85);
    const auto& layout = setup->net->parameters();
    bool moved = false;
    for (std::size_t t = 0; t < layout.tensors().size(); ++t)
      if (!layout[t].trained && layout[t].name.find("mean") != std::string::npos)
        for (const float mean : layout.read(outcome.parameters.view(), t))
          moved = moved || std::abs(mean) > 1e-3F;
    CHECK(moved);
  }
}

TEST_CASE("local rounds: neither momentum nor compression makes a variance negative") {
  const std::string model = R"(model=[{"type":"dense","units":16},{"type":"batch_norm"},
                                      {"type":"relu"},{"type":"dense","units":4}])";
  for (
      const char* policy :
      {R"({"policy":"overlap_local_sgd","local_steps":20})",
       R"({"policy":"local_sgd","local_steps":8,"block_momentum":0.9})",
       R"({"policy":"local_sgd","local_steps":8,"compression":{"down":"sign"}})",
       R"({"policy":"local_sgd","local_steps":8,"compression":{"up":{"type":"random_k","ratio":0.1}}})",
       R"({"policy":"local_sgd","local_steps":8,"compression":{"up":"int8","down":{"type":"top_k","ratio":0.01}}})"}) {
    CAPTURE(policy);
    const auto setup = small_run({model, exchange(policy), "runtime.workers=3", "duration.epochs=30"});
    const auto outcome = run(setup);
    CHECK(outcome.summary.status == run_status::finished);
    CHECK(*outcome.summary.figures->test_accuracy > 0.7);
    const auto& layout = setup->net->parameters();
    for (std::size_t t = 0; t < layout.tensors().size(); ++t)
      if (layout[t].name.find("running_var") != std::string::npos)
        for (const float variance : layout.read(outcome.parameters.view(), t))
          CHECK(variance > 0.0F);
  }
}

TEST_CASE("a learning rate that falls below the smallest floats ends in small steps, not in NaN") {
  for (const char* optimizer :
       {R"({"type":"trsgd","learning_rate":0.02})", R"({"type":"tradam"})", R"({"type":"sgd"})"})
    for (const char* policy : {R"({"policy":"bsp"})", R"({"policy":"overlap_local_sgd","local_steps":2})",
                               R"({"policy":"local_sgd","local_steps":2,"block_momentum":0.5})"}) {
      CAPTURE(optimizer);
      CAPTURE(policy);
      const auto outcome =
          run(small_run({std::string("optimizer=") + optimizer, exchange(policy), "duration.epochs=50",
                         R"(schedule={"type":"step","every_epochs":0.7})", "evaluation.every_epochs=0"}));
      CHECK(outcome.summary.status == run_status::finished);
      CHECK(std::isfinite(outcome.summary.figures->train_loss));
    }
}

TEST_CASE("adacomm: the run shortens its rounds as the loss falls, for all members at once, and says so") {
  struct remarking_world : fake_world {
    void remark(const std::string& text) override { remarks.push_back(text); }
    std::vector<std::string> remarks;
  };
  basic_scene<remarking_world> s({exchange(R"({"policy":"adacomm","local_steps":8,"interval_seconds":1})"),
                                  "duration.epochs=200", "evaluation.every_epochs=0",
                                  "checkpoint.every_epochs=0"});
  s.serve();
  for (int i = 0; i < 3; ++i)
    s.controller.member_joined("m");
  s.serve();
  std::vector<std::size_t> lengths;
  for (int round = 0; round < 100; ++round) {
    const std::size_t steps = s.world.orders.at(0).batches.size();
    for (std::uint64_t m = 0; m < 3; ++m)
      CHECK(s.world.orders.at(m).batches.size() == steps);
    lengths.push_back(steps);
    for (std::uint64_t m = 0; m < 3; ++m) {
      const auto order = s.world.take(m);
      train_result r;
      r.member = m;
      r.lease = order.lease;
      r.gradient = s.shared;
      r.weighted_loss = 16.0 * static_cast<double>(steps) / (1.0 + round);
      s.time.advance(0.1);
      s.controller.results_arrived({&r, 1});
      s.serve();
    }
  }
  CHECK(lengths.front() == 8);
  CHECK(lengths.back() == 1);
  CHECK(std::is_sorted(lengths.rbegin(), lengths.rend()));
  REQUIRE_FALSE(s.world.remarks.empty());
  CHECK(s.world.remarks.back().find("1 local steps a round") != std::string::npos);
}

TEST_CASE("adacomm: who joins or leaves in the middle of a round does not bring the rounds out of step") {
  played_scene s({exchange(R"({"policy":"adacomm","local_steps":8,"interval_seconds":0.5})"),
                  "data.train_size=64000", "duration.epochs=20", "evaluation.every_epochs=0",
                  "checkpoint.every_epochs=0"},
                 2);
  s.controller.open_to_nodes();
  rng random(3, 3);
  std::set<std::uint64_t> here = {0, 1};
  std::uint64_t merged = s.controller.current().version;
  for (int event = 0; event < 600; ++event) {
    const auto kind = random.below(12);
    if (kind == 0 && here.size() < 5) {
      here.insert(s.controller.member_joined("late"));
      s.serve();
    } else if (kind == 1 && here.size() > 1) {
      const auto gone = *here.begin();
      here.erase(gone);
      s.controller.member_lost(gone, "gone");
      s.serve();
    } else {
      std::vector<std::uint64_t> working;
      for (const auto m : here)
        if (s.world.orders.count(m) == 1)
          working.push_back(m);
      REQUIRE_FALSE(working.empty()); // somebody can always go on
      const auto m = working[random.below(working.size())];
      s.time.advance(0.05);
      s.give(m, s.shared);
    }
    // Whoever works does so from the same parameters, with as many steps as the others.
    std::set<std::uint64_t> bases;
    std::set<std::size_t> steps;
    for (const auto m : here)
      if (const auto at = s.world.orders.find(m); at != s.world.orders.end()) {
        bases.insert(at->second.base.version);
        steps.insert(at->second.learning_rates.size());
      }
    REQUIRE(bases.size() <= 1);
    REQUIRE(steps.size() <= 1);
    REQUIRE(s.controller.current().version - merged <= 1);
    merged = s.controller.current().version;
  }
  CHECK(merged > 50);
}
