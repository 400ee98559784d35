#include "run_support.hpp"

#include "actors/batch_trainer.hpp"
#include "actors/point_scorer.hpp"
#include "actors/run_reporter.hpp"
#include "actors/scoring_desk.hpp"
#include "core/files.hpp"
#include "nn/model_tensors.hpp"

#include <algorithm>
#include <numeric>
#include <sstream>

// Acceptance tests of prioritization that need a network, workers or a whole run; those of samplers alone are
// in tests/sampling. The table in docs/prioritization.md says which is which.

using namespace triage;
using namespace triage::test;

namespace {

/// The network of small_run, 8-16-4 with a relu, by hand and in double: the gradient of one point's loss.
class reference_network {
public:
  reference_network(const run_setup& setup, std::span<const float> parameters) : setup_(setup) {
    for (const auto& t : read_model(setup.net->parameters(), parameters))
      tensors_.push_back(t);
    REQUIRE(tensors_.size() == 4);
  }

  [[nodiscard]] std::vector<double> gradient(std::uint32_t id) const {
    const auto& data = setup_.data.train;
    const auto width = static_cast<std::size_t>(data.shape.size());
    std::vector<float> standard(width);
    gather_samples(data, setup_.data.standard, std::vector{id}, standard);
    const std::vector<double> x(standard.begin(), standard.end());
    auto h = affine(x, 0);
    auto active = h;
    for (double& v : active)
      v = std::max(v, 0.0);
    auto d = affine(active, 2);
    const double most = *std::max_element(d.begin(), d.end());
    double sum = 0.0;
    for (double& v : d)
      sum += v = std::exp(v - most);
    for (double& v : d)
      v /= sum;
    d[static_cast<std::size_t>(data.labels[id])] -= 1.0;
    std::vector<double> back(active.size(), 0.0);
    for (std::size_t i = 0; i < active.size(); ++i)
      for (std::size_t o = 0; o < d.size(); ++o)
        back[i] += h[i] > 0.0 ? d[o] * weight(2, o, i) : 0.0;
    std::vector<double> out;
    const auto add_layer = [&](const std::vector<double>& input, const std::vector<double>& delta) {
      for (const double o : delta)
        for (const double i : input)
          out.push_back(o * i);
      out.insert(out.end(), delta.begin(), delta.end());
    };
    add_layer(x, back);
    add_layer(active, d);
    return out;
  }

private:
  /// Tensors come as weight and bias of each layer; the weight has one row for each output or each input.
  [[nodiscard]] double weight(std::size_t tensor, std::size_t out, std::size_t in) const {
    const auto& t = tensors_[tensor];
    const auto outputs = tensors_[tensor + 1].values.size();
    const auto inputs = t.values.size() / outputs;
    const bool rows_are_outputs = static_cast<std::size_t>(t.shape[0]) == outputs;
    return static_cast<double>(t.values[rows_are_outputs ? out * inputs + in : in * outputs + out]);
  }
  [[nodiscard]] std::vector<double> affine(const std::vector<double>& x, std::size_t tensor) const {
    std::vector<double> y;
    for (std::size_t o = 0; o < tensors_[tensor + 1].values.size(); ++o) {
      double sum = static_cast<double>(tensors_[tensor + 1].values[o]);
      for (std::size_t i = 0; i < x.size(); ++i)
        sum += x[i] * weight(tensor, o, i);
      y.push_back(sum);
    }
    return y;
  }

  const run_setup& setup_;
  std::vector<named_tensor> tensors_;
};

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

std::vector<json_value> metrics_of(const std::string& file, const std::string& event) {
  const auto text = read_file(file, 1U << 26U);
  REQUIRE(text.ok());
  std::vector<json_value> out;
  std::istringstream lines(*text);
  std::string line;
  while (std::getline(lines, line)) {
    auto record = parse_json(line, file);
    REQUIRE(record.ok());
    if (record->find("event") != nullptr && record->find("event")->as_string() == event)
      out.push_back(record.take());
  }
  return out;
}

double number(const json_value& record, const char* name) {
  const auto* v = record.find(name);
  REQUIRE_MESSAGE(v != nullptr, name);
  return v->as_number();
}

} // namespace

TEST_CASE("topk_shard over everything: m workers under bsp are one worker, to 1e-5 relative") {
  const auto with = [](int workers) {
    return run(small_run({R"(sampling={"type":"topk_shard","share":1,"score":"loss"})",
                          "batch_size=" + std::to_string(512 / workers), "optimizer.momentum=0",
                          "optimizer.learning_rate=0.2", "duration.epochs=20", "evaluation.every_epochs=0",
                          "runtime.workers=" + std::to_string(workers)}));
  };
  const auto one = with(1);
  CHECK(one.summary.steps == 20);
  double largest = 0.0;
  for (const float p : one.parameters.view())
    largest = std::max(largest, std::abs(static_cast<double>(p)));
  for (const int workers : {2, 4}) {
    CAPTURE(workers);
    const auto many = with(workers);
    CHECK(many.summary.steps == 20);
    CHECK(largest_difference(one.parameters, many.parameters) < 1e-5 * largest);
  }
}

TEST_CASE(
    "zhou_gao: with everything renewed the table is <g_i, gbar> of a double precision reference, to 1e-5 "
    "relative") {
  const auto setup = small_run({R"(sampling={"type":"topk_shard","share":0.1,"score":"projection",
          "estimator":{"type":"renew_round_robin","renew_ratio":10.0395,"initial_sweep":true,"wait":true}})",
                                "batch_size=51", "runtime.scoring_batch_size=100"});
  const manual_clock time;
  scoring_desk desk(*setup, time);
  point_scorer scorer(setup, time);
  desk.pause(false);
  desk.estimator_idle(0);
  mutable_blob block(setup->net->parameters().size());
  setup->net->parameters().initialise(block.values(), setup->seed());
  const snapshot at{1, std::move(block).freeze()};
  std::vector<double> measured(setup->data.train.size);
  const auto measure_all = [&] {
    while (auto next = desk.next_assignment()) {
      const auto scores = scorer.measure(at, next->order.ids, next->order.direction.view());
      for (std::size_t i = 0; i < scores.size(); ++i)
        measured[next->order.ids[i]] = static_cast<double>(scores[i]);
      REQUIRE(desk.take_measured(next->estimator, scores, scorer.take_gradient(), at.version, 0.0));
    }
  };
  desk.request(1, 0.0, 1);
  CHECK(!desk.next_batch());
  measure_all(); // lengths, and the mean gradient
  REQUIRE(desk.next_batch());

  const reference_network reference(*setup, at.parameters.view());
  std::vector<std::vector<double>> gradients;
  std::vector<double> mean;
  for (std::uint32_t id = 0; id < setup->data.train.size; ++id) {
    gradients.push_back(reference.gradient(id));
    mean.resize(gradients.back().size(), 0.0);
    for (std::size_t k = 0; k < mean.size(); ++k)
      mean[k] += gradients.back()[k] / static_cast<double>(setup->data.train.size);
  }
  for (std::uint32_t id = 0; id < measured.size(); ++id)
    REQUIRE(measured[id] == doctest::Approx(std::sqrt(dot(gradients[id], gradients[id]))).epsilon(1e-5));
  desk.request(1, 0.0, 1);
  measure_all(); // projections on it
  const auto chosen = desk.next_batch();
  REQUIRE(chosen);
  const double length = std::sqrt(dot(mean, mean));
  double sum = 0.0;
  std::vector<double> exact;
  for (std::uint32_t id = 0; id < measured.size(); ++id) {
    exact.push_back(dot(gradients[id], mean) / length);
    // A projection may cancel: relative to the length of the point's gradient.
    REQUIRE(std::abs(measured[id] - exact.back()) < 1e-5 * std::sqrt(dot(gradients[id], gradients[id])));
    sum += exact.back() / static_cast<double>(measured.size());
  }
  CHECK(sum == doctest::Approx(length)); // (1/N) sum <g_i, gbar> = ||gbar||^2
  std::vector<std::uint32_t> order(measured.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return exact[a] > exact[b]; });
  order.resize(51);
  std::sort(order.begin(), order.end());
  CHECK(chosen->ids == order);
}

TEST_CASE(
    "zhou_gao: a run trains k and measures r points an iteration, exactly, as its metrics stream says") {
  // k = 4 % of 500 points, r = 1 %: 20 and 5, and one sweep before the first plan.
  const temporary_folder folder;
  train_options options;
  options.run_directory = folder.path();
  const auto outcome =
      run(small_run({"sampling=zhou_gao", "data.train_size=500", "batch_size=20",
                     "optimizer.learning_rate=0.01", "duration.epochs=4", "evaluation.every_epochs=0.5"}),
          options);
  CHECK(outcome.summary.status == run_status::finished);
  const auto trained = outcome.summary.samples_trained;
  const auto scored = outcome.summary.samples_scored;
  CHECK(trained % 20 == 0);
  CHECK((scored - 500) % 5 == 0);
  // A plan waits for what is owed, so the account is behind by at most the batches that are drawn ahead.
  CHECK(scored >= 500 + (trained - 20) / 4);
  CHECK(scored <= 500 + (trained + 3 * 20) / 4);
  const auto evaluations = metrics_of(folder.path("metrics.jsonl"), "evaluation");
  REQUIRE(evaluations.size() >= 8);
  for (const auto& e : evaluations) {
    const double samples = number(e, "samples_trained");
    const double measured = number(e, "samples_scored");
    CHECK(std::fmod(samples, 20.0) == 0.0);
    if (samples > 0.0) {
      CHECK(measured >= 500.0 + (samples - 20.0) / 4.0);
      CHECK(measured <= 500.0 + (samples + 3.0 * 20.0) / 4.0);
    }
  }
}

TEST_CASE(
    "neutrality: a run of pps with kappa 1, and one with its gate closed, is the uniform run bit for bit") {
  const auto with = [](const std::string& sampling) {
    return run(small_run({"sampling=" + sampling, "duration.epochs=4"}));
  };
  const auto uniform = with("uniform");
  for (const char* sampling :
       {R"({"type":"pps","kappa":1,"warm_epochs":0,"gate":{"mode":"off"}})",
        R"({"type":"pps","warm_epochs":0,"gate":{"mode":"gain","gain_min":100}})",
        R"({"type":"auto","warm_epochs":100})", R"({"type":"schaul","tail_uniform_fraction":1})"}) {
    CAPTURE(sampling);
    const auto other = with(sampling);
    CHECK(largest_difference(uniform.parameters, other.parameters) == 0.0);
    CHECK(other.summary.samples_trained == uniform.summary.samples_trained);
  }
}

TEST_CASE(
    "the age of priorities is in the metrics stream: median, 99th percentile and the share never measured") {
  const temporary_folder folder;
  auto log = logger::silent();
  auto source = sampling_source(
      make_sampling(*parse_json(R"({"type": "multinomial"})", "test"), {"test", ""}).take(), 100, 10, 1);
  for (std::uint32_t id = 0; id < 60; ++id)
    source.record(std::vector{id}, std::vector{1.0F}, id);
  {
    run_reporter reporter({folder.path(), false, false}, log);
    reporter.progress({}, {source.figures(100), 1234, 0.5});
    reporter.progress({}, {}); // nothing prioritised: nothing to say
  }
  const auto records = metrics_of(folder.path("metrics.jsonl"), "progress");
  REQUIRE(records.size() == 2);
  CHECK(number(records[0], "priority_staleness_p50") == 70.0); // ages are 41 to 100
  CHECK(number(records[0], "priority_staleness_p99") == 99.0);
  CHECK(number(records[0], "priority_unseen_share") == doctest::Approx(0.4));
  CHECK(number(records[0], "samples_scored") == 1234.0);
  CHECK(number(records[0], "effective_sample_share") > 0.0);
  CHECK(records[1].find("priority_staleness_p50") == nullptr);
}
