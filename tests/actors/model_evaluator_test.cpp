#include "run_support.hpp"

#include "actors/model_evaluator.hpp"
#include "nn/workspace.hpp"

#include <limits>

// Figures on held-out data against a plain computation, sample by sample.

using namespace triage;
using namespace triage::test;

namespace {

std::vector<float> parameters_of(const run_setup& setup) {
  std::vector<float> block(setup.net->parameters().size());
  setup.net->parameters().initialise(block, 77);
  return block;
}

/// Loss and, for classes, hits of each sample, computed alone.
struct by_hand {
  double loss = 0.0;
  double accuracy = 0.0;
  std::vector<class_count> classes;
  std::optional<double> balanced;
};

by_hand compute(const run_setup& setup, std::span<const float> parameters, const dataset& set,
                const std::vector<std::uint32_t>& ids) {
  workspace w(setup.net);
  by_hand out;
  out.classes.resize(static_cast<std::size_t>(set.classes));
  for (const auto id : ids) {
    gather_samples(set, setup.data.standard, std::span(&id, 1), w.input(1));
    batch_targets targets;
    if (set.is_classification())
      targets.labels = std::span(set.labels).subspan(id, 1);
    else
      targets.values =
          std::span(set.targets)
              .subspan(id * static_cast<std::size_t>(set.outputs), static_cast<std::size_t>(set.outputs));
    const auto s = w.measure(parameters, 1, targets, *setup.loss, static_cast<signal_set>(signal::loss));
    out.loss += static_cast<double>(s.loss[0]) / static_cast<double>(ids.size());
    if (!set.is_classification())
      continue;
    auto& c = out.classes[static_cast<std::size_t>(set.labels[id])];
    const bool good = setup.loss->is_correct(w.outputs(), targets, 0);
    out.accuracy += good ? 1.0 / static_cast<double>(ids.size()) : 0.0;
    ++c.points;
    c.correct += good ? 1 : 0;
  }
  double sum = 0.0;
  double present = 0.0;
  for (const auto& c : out.classes)
    if (c.points > 0) {
      sum += static_cast<double>(c.correct) / static_cast<double>(c.points);
      present += 1.0;
    }
  if (present > 0.0)
    out.balanced = sum / present;
  return out;
}

std::vector<std::uint32_t> all_of(const dataset& set) {
  std::vector<std::uint32_t> ids(set.size);
  for (std::size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<std::uint32_t>(i);
  return ids;
}

} // namespace

TEST_CASE("evaluator figures: loss, accuracy, counts of classes and the mean recall are those of each sample "
          "alone") {
  const auto setup = small_run({"data.validation_fraction=0.2", "data.regime={\"imbalance\":20}"});
  const auto parameters = parameters_of(*setup);
  model_evaluator evaluator(setup);
  const auto figures = evaluator.evaluate(parameters);
  const auto test = compute(*setup, parameters, setup->data.test, all_of(setup->data.test));
  CHECK(*figures.test_loss == doctest::Approx(test.loss).epsilon(1e-5));
  CHECK(*figures.test_accuracy == doctest::Approx(test.accuracy));
  CHECK(*figures.test_balanced_accuracy == doctest::Approx(*test.balanced));
  REQUIRE(figures.test_classes.size() == 4);
  for (std::size_t c = 0; c < 4; ++c) {
    CHECK(figures.test_classes[c].points == test.classes[c].points);
    CHECK(figures.test_classes[c].correct == test.classes[c].correct);
  }
  const auto validation = compute(*setup, parameters, setup->data.validation, all_of(setup->data.validation));
  CHECK(*figures.validation_loss == doctest::Approx(validation.loss).epsilon(1e-5));
  CHECK(*figures.validation_accuracy == doctest::Approx(validation.accuracy));
  const auto probe = compute(*setup, parameters, setup->data.train, setup->probe);
  CHECK(figures.train_loss == doctest::Approx(probe.loss).epsilon(1e-5));
  CHECK(*figures.train_accuracy == doctest::Approx(probe.accuracy));
}

TEST_CASE("evaluator figures: a class that does not occur has no recall and does not count in the mean") {
  const auto setup = small_run();
  const auto parameters = parameters_of(*setup);
  std::vector<std::uint32_t> ids;
  for (std::uint32_t i = 0; i < setup->data.train.size; ++i)
    if (setup->data.train.labels[i] != 2)
      ids.push_back(i);
  model_evaluator evaluator(setup);
  const auto figures = evaluator.measure(parameters, setup->data.train, ids);
  const auto expected = compute(*setup, parameters, setup->data.train, ids);
  CHECK(figures.classes[2].points == 0);
  CHECK(*figures.balanced_accuracy == doctest::Approx(*expected.balanced));
}

TEST_CASE("evaluator figures: a regression has losses and no accuracies; absent sets have no figures") {
  const auto setup =
      small_run({R"(data={"format":"synthetic","kind":"regression","train_size":300,"test_size":50})",
                 R"(model=[{"type":"dense","units":8,"activation":"tanh"},{"type":"dense","units":1}])",
                 "loss=mean_squared_error"});
  const auto parameters = parameters_of(*setup);
  const auto figures = model_evaluator(setup).evaluate(parameters);
  CHECK_FALSE(figures.train_accuracy.has_value());
  CHECK_FALSE(figures.test_accuracy.has_value());
  CHECK_FALSE(figures.test_balanced_accuracy.has_value());
  CHECK_FALSE(figures.validation_loss.has_value());
  CHECK(figures.test_classes.empty());
  const auto test = compute(*setup, parameters, setup->data.test, all_of(setup->data.test));
  CHECK(*figures.test_loss == doctest::Approx(test.loss).epsilon(1e-5));
}

TEST_CASE("evaluator figures: dropout and augmentation stay out, and asking twice gives the same bits") {
  const auto setup = small_run(
      {R"(model=[{"type":"dense","units":16,"activation":"relu"},{"type":"dropout","rate":0.5},{"type":"dense","units":4}])"});
  const auto parameters = parameters_of(*setup);
  model_evaluator evaluator(setup);
  const auto first = evaluator.evaluate(parameters);
  const auto second = evaluator.evaluate(parameters);
  CHECK(first.train_loss == second.train_loss);
  CHECK(first.test_loss == second.test_loss);
  CHECK(model_evaluator(setup).evaluate(parameters).test_loss == first.test_loss);
}

TEST_CASE("evaluator figures: the probe is a fixed sample of the training set, of the size asked for") {
  const auto setup = small_run({"evaluation.probe_size=100"});
  CHECK(setup->probe.size() == 100);
  CHECK(setup->probe == small_run({"evaluation.probe_size=100"})->probe);
  CHECK(setup->probe != small_run({"evaluation.probe_size=100", "seed=2"})->probe);
  CHECK(small_run({"evaluation.probe_size=100000"})->probe.size() == 512);
  for (const auto id : setup->probe)
    CHECK(id < 512);
}

TEST_CASE("evaluator figures: found by the name that a target uses, and by no other") {
  evaluation_figures f;
  f.train_loss = 1.0;
  f.test_loss = 2.0;
  f.test_accuracy = 3.0;
  f.validation_loss = 4.0;
  f.validation_accuracy = 5.0;
  f.test_balanced_accuracy = 6.0;
  f.validation_balanced_accuracy = 7.0;
  CHECK(f.find("train_loss") == 1.0);
  CHECK(f.find("test_loss") == 2.0);
  CHECK(f.find("test_accuracy") == 3.0);
  CHECK(f.find("validation_loss") == 4.0);
  CHECK(f.find("validation_accuracy") == 5.0);
  CHECK(f.find("test_balanced_accuracy") == 6.0);
  CHECK(f.find("validation_balanced_accuracy") == 7.0);
  CHECK_FALSE(f.find("").has_value());
  CHECK_FALSE(f.find("accuracy").has_value());
  CHECK_FALSE(evaluation_figures{}.find("test_loss").has_value());
}
