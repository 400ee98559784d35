#include "run_support.hpp"

#include "actors/batch_trainer.hpp"
#include "actors/parameter_store.hpp"
#include "actors/point_scorer.hpp"
#include "actors/scoring_desk.hpp"
#include "core/npy.hpp"
#include "sampling/presets.hpp"

#include <algorithm>
#include <numeric>

using namespace triage;
using namespace triage::test;

namespace {

std::vector<std::uint32_t> all_points(const run_setup& setup) {
  std::vector<std::uint32_t> ids(setup.data.train.size);
  std::iota(ids.begin(), ids.end(), 0U);
  return ids;
}

/// The gradient of the mean loss over points, in double where it is summed, and of one point.
std::vector<float> gradient_of(const run_setup& setup, workspace& w, std::span<const float> parameters,
                               std::span<const std::uint32_t> ids) {
  std::vector<std::int32_t> labels;
  std::vector<float> values;
  const auto batch = static_cast<std::int64_t>(ids.size());
  gather_samples(setup.data.train, setup.data.standard, ids, w.input(batch));
  const auto targets = gather_targets(setup.data.train, ids, labels, values);
  std::vector<float> gradient(parameters.size());
  rng random(1, 1);
  (void)w.train(parameters, batch, targets, {}, *setup.loss, 0, random, gradient);
  return gradient;
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

blob initial(const run_setup& setup) {
  mutable_blob block(setup.net->parameters().size());
  setup.net->parameters().initialise(block.values(), setup.seed());
  return std::move(block).freeze();
}

/// Lets one estimator work off everything that is due.
void measure_all(scoring_desk& desk, point_scorer& scorer, const snapshot& at) {
  while (auto next = desk.next_assignment()) {
    const auto scores = scorer.measure(at, next->order.ids, next->order.direction.view());
    REQUIRE(desk.take_measured(next->estimator, scores, scorer.take_gradient(), at.version, 0.0));
  }
}

} // namespace

TEST_CASE("every preset trains, with estimators on actors of their own, and learns") {
  const temporary_folder folder;
  const auto file = folder.path("il.npy");
  REQUIRE(write_npy(file, {512}, std::vector<float>(512, 0.01F)).ok());
  for (const auto& preset : sampling_presets()) {
    CAPTURE(preset.name);
    std::vector<std::string> overrides = {"sampling.type=" + std::string(preset.name), "duration.epochs=8"};
    if (preset.name == "rho_loss")
      overrides.push_back(R"(sampling.score={"type":"rho","irreducible_losses":")" + file + "\"}");
    if (preset.name == "zhou_gao")
      overrides.insert(overrides.end(), {"batch_size=20", "optimizer.learning_rate=0.01"});
    const auto outcome = run(small_run(overrides));
    CHECK_MESSAGE(outcome.summary.status == run_status::finished, outcome.summary.problem);
    CHECK(outcome.summary.samples_trained >= 8 * 512);
    CHECK(*outcome.summary.figures->test_accuracy > 0.6);
    CHECK(outcome.summary.figures->test_classes.size() == 4);
    CHECK(outcome.summary.prioritization.prioritized);
    const auto sentence = to_sentence(outcome.summary.prioritization);
    CHECK(sentence.find("prioritization was") == 0);
    if (outcome.summary.samples_scored > 0)
      CHECK(outcome.summary.prioritization.scoring_seconds > 0.0);
  }
}

TEST_CASE("the closing line says what the choice of points was worth, and what that leaves out") {
  prioritization_account a;
  a.prioritized = true;
  a.samples_drawn = 1000;
  a.samples_prioritized = 500;
  a.prioritized_speed = 100.0;
  a.uniform_speed = 125.0;
  a.gain = estimate{2.0, 1.5, 2.5};
  const auto unbiased = to_sentence(a);
  // 500 samples took 5 s; uniform ones would have been 1000 at 125 a second, 750 to 1250 within the interval.
  CHECK(unbiased.find(
            "steps 2.00 times less noisy (1.50 to 2.50), worth 3.0 s (1.0 to 5.0) where noise limits") !=
        std::string::npos);
  CHECK(unbiased.find("training ran at 0.80 of the uniform speed") != std::string::npos);
  CHECK(unbiased.find("turned") == std::string::npos);
  // Chosen points train no faster than others: the machine was slower while the uniform ones were trained.
  a.uniform_speed = 50.0;
  CHECK(to_sentence(a).find("training ran as fast as on uniform samples") != std::string::npos);
  CHECK(to_sentence(a).find("worth 5.0 s (2.5 to 7.5)") != std::string::npos);
  a.uniform_speed = 125.0;
  a.unbiased = false;
  CHECK(to_sentence(a).find("turned them towards points with large scores, which this does not count") !=
        std::string::npos);
  a.gain.reset();
  CHECK(to_sentence(a).find("cannot be told from this run") != std::string::npos);
}

TEST_CASE("the default sampling is auto, and reproducible to the bit") {
  const auto a = run(small_run({"duration.epochs=6"}));
  const auto b = run(small_run({"duration.epochs=6", "runtime.estimators=0"}));
  CHECK(a.summary.prioritization.prioritized);
  CHECK(a.summary.samples_scored == 0);
  CHECK(largest_difference(a.parameters, b.parameters) == 0.0);
}

TEST_CASE("topk_shard over everything is full-batch gradient descent, bit for bit") {
  // ALGORITHMS 1.6, test 1.
  const auto setup = small_run({R"(sampling={"type":"topk_shard","share":1,"score":"loss"})",
                                "batch_size=512", "optimizer.momentum=0", "duration.epochs=5"});
  const auto outcome = run(setup);
  workspace w(setup->net);
  parameter_store store(setup->net->parameters(), *setup->rule, std::nullopt);
  store.initialise(setup->seed());
  for (int step = 0; step < 5; ++step) {
    const auto gradient = gradient_of(*setup, w, store.current().view(), all_points(*setup));
    store.merge(std::vector<contribution>{{blob::copy_of(gradient), 512.0}}, 0.05);
  }
  CHECK(outcome.summary.steps == 5);
  CHECK(largest_difference(store.current(), outcome.parameters) == 0.0);
}

TEST_CASE(
    "a sampling whose estimators nodes shall bring says once that nobody measures, and not when they do") {
  const manual_clock time;
  for (const bool joined : {false, true}) {
    const auto setup = small_run({"sampling=loshchilov", "runtime.workers=0", "runtime.estimators=0"});
    scoring_desk desk(*setup, time);
    if (joined)
      desk.estimator_joined(0);
    std::string said;
    for (int i = 0; i < 100; ++i) {
      desk.request(1, 0.01 * i, static_cast<std::uint64_t>(i));
      (void)desk.next_batch();
      said += desk.take_remark();
    }
    const auto first = said.find("nobody measures priorities");
    CHECK((first != std::string::npos) == !joined);
    CHECK(said.find("nobody measures", first + 1) == std::string::npos);
  }
}

TEST_CASE("a saved mean gradient of another model is refused before anybody trains with it") {
  const manual_clock time;
  const auto setup = small_run({"sampling=zhou_gao"});
  const std::size_t parameters = setup->net->parameters().size();
  for (const std::size_t size : {parameters, parameters + 1, std::size_t{1}}) {
    saved_state state = scoring_desk(*setup, time).save();
    state.put("source/direction/pending", std::vector<double>(size, 1.0));
    state.put("source/direction/pending_count", std::vector<std::uint64_t>{1});
    const auto loaded = scoring_desk(*setup, time).load(state);
    CAPTURE(size);
    REQUIRE(loaded.ok() == (size == parameters));
    if (!loaded.ok())
      CHECK(loaded.error().message.find(std::to_string(size) + " values") != std::string::npos);
  }
}

TEST_CASE("a gate that goes by speed lets estimators rest until that of uniform training is known, and the "
          "account has "
          "it without them") {
  const auto setup = small_run({R"(sampling={"type":"pps_epoch","gate":{"mode":"measured"},"warm_epochs":8,
                                             "estimator":{"type":"renew_round_robin","renew_ratio":1}})",
                                "batch_size=16", "runtime.estimators=1"});
  manual_clock time;
  scoring_desk desk(*setup, time);
  desk.pause(false);
  desk.estimator_idle(0);
  std::optional<scoring_desk::assignment> order;
  double rested = 0.0;
  const auto train = [&](int batches) {
    for (int i = 0; i < batches; ++i) {
      desk.request(1, 0.1, static_cast<std::uint64_t>(i + 1));
      REQUIRE(desk.next_batch());
      time.advance(order ? 0.03 : 0.01); // it takes two thirds of the machine
      if (order) {
        std::vector<float> scores;
        for (const auto id : order->order.ids)
          scores.push_back(id % 16 == 0 ? 10.0F : 0.1F);
        REQUIRE(desk.take_measured(0, scores, {}, 1, 0.02));
        order.reset();
      }
      order = desk.next_assignment();
      if (!order && desk.samples_scored() == 0)
        rested = time.now();
    }
  };
  train(8 * 32);
  CHECK(rested > 0.5);
  CHECK(rested < 0.9);
  CHECK(desk.samples_scored() > 512);
  train(4 * 32);
  REQUIRE(desk.figures().selector.phase == "prioritized");
  train(32);
  CHECK(desk.account().uniform_speed == doctest::Approx(1600.0).epsilon(0.05));
}

TEST_CASE("zhou_gao: renewing everything gives the projections of brute force, and the same choice") {
  // ALGORITHMS 1.6, test 2. The first sweep finds lengths and the mean gradient, the second projections on
  // it.
  const auto setup = small_run({R"(sampling={"type":"topk_shard","share":0.1,"score":"projection",
          "estimator":{"type":"renew_round_robin","renew_ratio":10.0395,"initial_sweep":true,"wait":true}})",
                                "batch_size=51", "runtime.scoring_batch_size=100"});
  const manual_clock time;
  scoring_desk desk(*setup, time);
  point_scorer scorer(setup, time);
  desk.pause(false);
  desk.estimator_idle(0);
  const snapshot at{1, initial(*setup)};
  desk.request(1, 0.0, 1);
  CHECK(!desk.next_batch());
  measure_all(desk, scorer, at);
  REQUIRE(desk.next_batch()); // by lengths; 51 points trained ask for 512 measurements
  desk.request(1, 0.0, 1);
  measure_all(desk, scorer, at);
  const auto chosen = desk.next_batch();
  REQUIRE(chosen);

  workspace w(setup->net);
  const auto ids = all_points(*setup);
  const auto mean = gradient_of(*setup, w, at.parameters.view(), ids);
  const double length = std::sqrt(dot(mean, mean));
  std::vector<double> exact;
  for (const auto id : ids)
    exact.push_back(dot(gradient_of(*setup, w, at.parameters.view(), std::vector{id}), mean) / length);
  auto order = ids;
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return exact[a] > exact[b]; });
  order.resize(51);
  std::sort(order.begin(), order.end());
  CHECK(chosen->ids == order);
  auto direction = mean;
  for (float& v : direction)
    v = static_cast<float>(static_cast<double>(v) / length);
  for (const auto id : ids) {
    const auto again = scorer.measure(at, std::vector{id}, direction);
    CHECK(static_cast<double>(again[0]) == doctest::Approx(exact[id]).epsilon(1e-4).scale(length));
  }
}

TEST_CASE("projections are the first-order decrease of the loss") {
  // ALGORITHMS 1.6, test 4: F(w - eps mean_K g) - F(w) = -(eps / |K|) sum_K p_i + O(eps^2).
  const auto setup = small_run({R"(sampling={"type":"topk_shard","score":"projection",
                                   "estimator":"renew_round_robin"})"});
  const manual_clock time;
  point_scorer scorer(setup, time);
  workspace w(setup->net);
  const auto ids = all_points(*setup);
  const std::vector<std::uint32_t> chosen(ids.begin() + 100, ids.begin() + 140);
  const auto start = initial(*setup);
  const auto mean = gradient_of(*setup, w, start.view(), ids);
  const auto step = gradient_of(*setup, w, start.view(), chosen);
  const auto projections = scorer.measure({1, start}, chosen, mean);
  double sum = 0.0;
  for (const float p : projections)
    sum += static_cast<double>(p) / static_cast<double>(chosen.size());
  const auto loss_at = [&](double eps) {
    std::vector<float> moved(start.view().begin(), start.view().end());
    for (std::size_t i = 0; i < moved.size(); ++i)
      moved[i] -= static_cast<float>(eps * static_cast<double>(step[i]));
    std::vector<std::int32_t> labels;
    std::vector<float> values;
    gather_samples(setup->data.train, setup->data.standard, ids, w.input(512));
    const auto targets = gather_targets(setup->data.train, ids, labels, values);
    const auto s = w.measure(moved, 512, targets, *setup->loss, static_cast<signal_set>(signal::loss));
    return std::accumulate(s.loss.begin(), s.loss.end(), 0.0) / 512.0;
  };
  const double at = loss_at(0.0);
  const double small = (loss_at(0.005) - at) / 0.005 + sum;
  const double large = (loss_at(0.02) - at) / 0.02 + sum;
  CHECK(std::abs(small) < 0.05 * sum);
  CHECK(std::abs(small) < 0.5 * std::abs(large)); // falls with eps: what is left is of second order
}

TEST_CASE("mislabelled points: projections choose fewer of them than losses") {
  // ALGORITHMS 1.10, test 8.
  const auto flipped_share = [](const std::string& score) {
    const std::vector<std::string> data = {"data.train_size=2000", "data.noise=1.0"};
    auto noisy = data;
    noisy.insert(noisy.end(), {"data.regime.label_noise=0.2", "duration.epochs=2", "sampling=uniform"});
    const auto clean = small_run(data);
    const auto trained = run(small_run(noisy));
    noisy.push_back(R"(sampling={"type":"topk_shard","score":")" + score +
                    R"(","estimator":"renew_round_robin"})");
    const auto setup = small_run(noisy);
    const manual_clock time;
    point_scorer scorer(setup, time);
    const auto ids = all_points(*setup);
    workspace w(setup->net);
    const auto mean = gradient_of(*setup, w, trained.parameters.view(), ids);
    const auto scores = scorer.measure({1, trained.parameters}, ids, mean);
    auto order = ids;
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
    double flipped = 0.0;
    for (std::size_t i = 0; i < ids.size() / 10; ++i)
      flipped += setup->data.train.labels[order[i]] != clean->data.train.labels[order[i]] ? 1.0 : 0.0;
    return flipped / static_cast<double>(ids.size() / 10);
  };
  const double by_loss = flipped_share("loss");
  const double by_projection = flipped_share("projection");
  MESSAGE("flipped labels in the top tenth: ", by_loss, " by loss, ", by_projection, " by projection");
  CHECK(by_loss > 0.5);
  CHECK(by_projection < by_loss - 0.1);
}

TEST_CASE("presample without batches drawn ahead measures while the worker waits, and trains on") {
  const auto outcome =
      run(small_run({R"(sampling={"type":"presample_topb","candidates":4,"score":"loss",
      "estimator":{"type":"presample","pools_ahead":0}})",
                     "runtime.prefetch_batches=0", "duration.epochs=2", "runtime.workers=2"}));
  CHECK(outcome.summary.status == run_status::finished);
  CHECK(outcome.summary.samples_scored >= 4 * 2 * 512 - 512);
}

TEST_CASE("a score that the network cannot give is refused, with the layer's name") {
  auto document = parse_json(R"({
    "data": {"format": "synthetic", "kind": "images"},
    "model": [{"type": "conv2d", "filters": 4}, "batch_norm", "flatten", {"type": "dense", "units": 3}],
    "optimizer": "sgd",
    "sampling": {"type": "alain"}})",
                             "test");
  REQUIRE(document.ok());
  const auto setup = prepare_run(*document, "test");
  REQUIRE(!setup.ok());
  CHECK_MESSAGE(setup.error().message.find("1: batch_norm") != std::string::npos, setup.error().message);
}
