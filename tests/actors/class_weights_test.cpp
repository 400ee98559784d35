#include "actors/class_weights.hpp"

#include "actors/batch_trainer.hpp"
#include "actors/point_scorer.hpp"
#include "core/clock.hpp"
#include "run_support.hpp"

#include <algorithm>
#include <numeric>

using namespace triage;
using namespace triage::test;

namespace {

constexpr const char* some_weights = "class_weights=[0.5,2,0,4]";

std::shared_ptr<const run_setup> scored_run(const std::string& score,
                                            const std::vector<std::string>& more = {}) {
  std::vector<std::string> options = {
      R"(sampling={"type":"multinomial","score":")" + score +
          R"(","estimator":{"type":"renew_round_robin"},"gate":{"mode":"off"}})",
      "runtime.scoring_precision=f32"};
  options.insert(options.end(), more.begin(), more.end());
  return small_run(options);
}

blob initial(const run_setup& setup) {
  mutable_blob block(setup.net->parameters().size());
  setup.net->parameters().initialise(block.values(), 3);
  return std::move(block).freeze();
}

std::vector<std::uint32_t> first_points(std::size_t n) {
  std::vector<std::uint32_t> ids(n);
  std::iota(ids.begin(), ids.end(), 0U);
  return ids;
}

float weight_of(const run_setup& setup, std::uint32_t id) {
  constexpr std::array weights = {0.5F, 2.0F, 0.0F, 4.0F};
  return weights[static_cast<std::size_t>(setup.data.train.labels[id])];
}

} // namespace

TEST_CASE("class weights: balanced ones let every class count the same, and the points 1 in the mean") {
  const auto setup = small_run({"data.imbalance=20", "class_weights=balanced"});
  const auto& labels = setup->data.train.labels;
  std::vector<double> mass(4, 0.0);
  for (std::uint32_t i = 0; i < labels.size(); ++i) {
    std::vector<float> one = {1.0F};
    setup->class_weights.apply(labels, std::vector{i}, one);
    mass[static_cast<std::size_t>(labels[i])] += static_cast<double>(one[0]);
  }
  for (const double m : mass)
    CHECK(m == doctest::Approx(static_cast<double>(labels.size()) / 4.0).epsilon(1e-4));
  CHECK(setup->resolved.find("class_weights")->as_string() == "balanced");
  CHECK(small_run({"class_weights=[1,1,1,1]"})->class_weights.all_one());
  CHECK(small_run({"class_weights=null"})->class_weights.all_one());
}

TEST_CASE("class weights: what is no list of weights is refused with the place") {
  const auto message = [](const std::string& given, const char* data = "seed=1",
                          const char* loss = "seed=1") {
    auto document = parse_json(
        R"({"data": {"format": "synthetic", "kind": "blobs", "features": 2, "classes": 3}, "model": [],
        "optimizer": {"type": "sgd", "learning_rate": 0.1}})",
        "run.json");
    REQUIRE(document.ok());
    const auto applied = apply_overrides(*document, {"class_weights=" + given, data, loss});
    REQUIRE_MESSAGE(applied.ok(), applied.error().message);
    const auto setup = prepare_run(*document, "run.json");
    REQUIRE(!setup.ok());
    CHECK(setup.error().message.find("/class_weights") != std::string::npos);
    return setup.error().message;
  };
  CHECK(message("[1,2]").find("2 weights, and the data has 3 classes") != std::string::npos);
  CHECK(message("[1,2,-1]").find("0 or more") != std::string::npos);
  CHECK(message(R"([1,2,"3"])").find("0 or more") != std::string::npos);
  CHECK(message("[1,2,1e39]").find("0 or more") != std::string::npos);
  CHECK(message("[0,0,0]").find("nothing would be trained") != std::string::npos);
  CHECK(message("equal").find("\"balanced\"") != std::string::npos);
  CHECK(message("2").find("\"balanced\"") != std::string::npos);
  CHECK(message("balanced", R"(data={"format":"synthetic","kind":"regression"})", "loss=mean_squared_error")
            .find("no classes") != std::string::npos);
}

TEST_CASE("class weights: the gradient is that of the weighted losses, the losses are as they were") {
  const auto plain = small_run();
  const auto weighted = small_run({some_weights});
  drawn_batch batch;
  batch.ids = first_points(16);
  for (const auto id : batch.ids)
    batch.weights.push_back(0.25F + 0.125F * static_cast<float>(id % 5));
  auto by_hand = batch;
  for (std::size_t i = 0; i < batch.ids.size(); ++i)
    by_hand.weights[i] *= weight_of(*plain, batch.ids[i]);
  const snapshot at{0, initial(*plain)};
  const auto expected = batch_trainer(plain).train(at, by_hand, 7);
  for (const bool without_weights : {false, true}) {
    CAPTURE(without_weights);
    auto given = batch;
    auto reference = expected;
    if (without_weights) {
      given.weights.clear();
      auto ones = by_hand;
      for (std::size_t i = 0; i < ones.ids.size(); ++i)
        ones.weights[i] = weight_of(*plain, ones.ids[i]);
      reference = batch_trainer(plain).train(at, ones, 7);
    }
    const auto got = batch_trainer(weighted).train(at, given, 7);
    CHECK(largest_difference(got.gradient, reference.gradient) == 0.0);
    CHECK(got.losses == reference.losses);
    CHECK(got.loss_sum == reference.loss_sum);
    CHECK(got.weighted_loss == reference.weighted_loss);
  }
}

TEST_CASE("class weights: scores are those of the weighted losses, by-products and measured ones") {
  const manual_clock time;
  for (const char* score :
       {"loss", "gnorm_last", "gnorm_last_bound", "gnorm_full", "projection", "projection_last"}) {
    CAPTURE(std::string(score));
    const auto plain = scored_run(score);
    const auto weighted = scored_run(score, {some_weights});
    const snapshot at{0, initial(*plain)};
    const auto ids = first_points(48);
    mutable_blob direction(at.parameters.size());
    std::fill(direction.values().begin(), direction.values().end(), 0.1F);
    drawn_batch batch;
    batch.ids = first_points(16);
    batch.weights.assign(16, 1.0F);
    batch.direction = std::move(direction).freeze();
    point_scorer scorer(plain, time);
    point_scorer weighted_scorer(weighted, time);
    const auto before = scorer.measure(at, ids, batch.direction.view());
    const auto measured = weighted_scorer.measure(at, ids, batch.direction.view());
    const auto byproducts_before = batch_trainer(plain).train(at, batch, 7).scores;
    const auto byproducts = batch_trainer(weighted).train(at, batch, 7).scores;
    REQUIRE(byproducts.size() == 16);
    for (const auto id : ids) {
      CHECK(measured[id] == doctest::Approx(weight_of(*plain, id) * before[id]).epsilon(1e-5));
      if (id < 16)
        CHECK(byproducts[id] == doctest::Approx(weight_of(*plain, id) * byproducts_before[id]).epsilon(1e-5));
    }
    // And the mean gradient, on which projections are measured, is the one that is trained along.
    const auto gradient = weighted_scorer.take_gradient();
    CHECK(gradient.empty() == (std::string_view(score).substr(0, 10) != "projection"));
    if (gradient.empty())
      continue;
    auto everybody = batch;
    everybody.ids = ids;
    everybody.weights.clear();
    const auto trained = batch_trainer(weighted).train(at, everybody, 7).gradient;
    for (std::size_t i = 0; i < gradient.size(); ++i)
      REQUIRE(gradient[i] == doctest::Approx(trained.view()[i]).epsilon(1e-4));
  }
}

TEST_CASE("class weights: a class of weight 0 is not learned, and balanced weights help the rare ones") {
  const std::vector<std::string> hard = {
      R"(data={"format":"synthetic","kind":"blobs","train_size":2000,"test_size":1000,"features":4,"classes":4,"noise":0.8,"imbalance":50})",
      "sampling=uniform", "duration.epochs=5"};
  const auto with = [&](const std::string& weights) {
    auto options = hard;
    options.push_back("class_weights=" + weights);
    return run(small_run(options)).summary;
  };
  const auto plain = with("null");
  const auto balanced = with("balanced");
  CHECK(*balanced.figures->test_balanced_accuracy > *plain.figures->test_balanced_accuracy);
  REQUIRE(plain.figures->test_classes[0].recall() > 0.5); // the most frequent one
  CHECK(with("[0,1,1,1]").figures->test_classes[0].correct == 0);
}
