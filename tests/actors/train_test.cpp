#include "run_support.hpp"

#include "core/files.hpp"
#include "nn/model_tensors.hpp"

#include <thread>

using namespace triage;
using namespace triage::test;

TEST_CASE("one worker and one seed: two runs end with the same bits, another seed does not") {
  for (const char* sampling :
       {R"({"type":"uniform"})", R"({"type":"multinomial","estimator":"byproduct"})",
        R"({"type":"pps_epoch","estimator":"byproduct","warm_epochs":0.5,"gate":{"mode":"off"}})"}) {
    CAPTURE(sampling);
    const std::string chosen = std::string("sampling=") + sampling;
    const auto a = run(small_run({chosen}));
    const auto b = run(small_run({chosen}));
    const auto c = run(small_run({chosen, "seed=2"}));
    CHECK(a.summary.status == run_status::finished);
    CHECK(a.summary.samples_trained >= 3 * 512);
    CHECK(largest_difference(a.parameters, b.parameters) == 0.0);
    CHECK(largest_difference(a.parameters, c.parameters) > 1e-3);
  }
}

TEST_CASE("rounds of several workers end with the same bits, also where the sampling reads scores") {
  for (const char* sampling :
       {R"("auto")", R"({"type":"multinomial","estimator":"byproduct","gate":{"mode":"off"}})",
        R"({"type":"pps_epoch","estimator":"byproduct","warm_epochs":0.5,"gate":{"mode":"off"}})"})
    for (const char* policy : {R"({"policy":"bsp"})", R"({"policy":"local_sgd","local_steps":3})"}) {
      CAPTURE(sampling);
      CAPTURE(policy);
      const std::vector<std::string> options = {std::string("sampling=") + sampling, "runtime.workers=3",
                                                std::string("runtime.exchange=") + policy,
                                                "duration.epochs=6", "runtime.estimators=0"};
      const auto first = run(small_run(options));
      for (int again = 0; again < 4; ++again) {
        const auto other = run(small_run(options));
        CHECK(largest_difference(first.parameters, other.parameters) == 0.0);
        CHECK(first.summary.samples_trained == other.summary.samples_trained);
      }
    }
}

TEST_CASE("bsp with m workers equals one worker on the concatenated batch, after 100 steps") {
  // 100 steps of 64 samples; 6400 points make it exactly one epoch.
  const std::vector<std::string> common = {"data.train_size=6400", "duration.epochs=1",
                                           "evaluation.every_epochs=0"};
  auto one = common;
  one.insert(one.end(), {"batch_size=64", "runtime.workers=1"});
  const auto reference = run(small_run(one));
  CHECK(reference.summary.steps == 100);
  for (const int workers : {2, 4}) {
    auto many = common;
    many.insert(many.end(),
                {"batch_size=" + std::to_string(64 / workers), "runtime.workers=" + std::to_string(workers)});
    const auto parallel = run(small_run(many));
    CHECK(parallel.summary.steps == 100);
    CHECK(largest_difference(reference.parameters, parallel.parameters) < 1e-5);
  }
}

TEST_CASE("every exchange policy trains with several workers, and accounts for every sample") {
  for (const auto& entry : exchange_policies()) {
    CAPTURE(entry.name);
    const auto outcome = run(
        small_run({"runtime.workers=3", "runtime.exchange={\"policy\":\"" + std::string(entry.name) + "\"}",
                   "optimizer.momentum=0", "duration.epochs=5", "sampling=uniform"}));
    CHECK(outcome.summary.status == run_status::finished);
    CHECK(outcome.summary.samples_trained == 5 * 512);
    CHECK(*outcome.summary.figures->test_accuracy > 0.8);
  }
}

TEST_CASE("estimators score while workers train, and training learns as well") {
  const auto outcome = run(small_run(
      {R"(sampling={"type":"pps_epoch","estimator":{"type":"oldest_first","refresh_after_epochs":0.2}})",
       "duration.epochs=80", // long enough for estimators that get little of a loaded machine
       "runtime.estimators=2"}));
  CHECK(outcome.summary.status == run_status::finished);
  CHECK(outcome.summary.samples_scored > 512);
  CHECK(outcome.summary.scoring_share > 0.0);
  CHECK(*outcome.summary.figures->test_accuracy > 0.8);
}

TEST_CASE("a run stopped anywhere and resumed ends with the bits of the uninterrupted run") {
  std::vector<std::string> options = {"duration.epochs=6", "checkpoint.every_epochs=0.7",
                                      "checkpoint.keep=100"};
  SUBCASE("with priorities and moments") {
    options.insert(options.end(), {R"(sampling={"type":"pps_epoch","estimator":"byproduct","warm_epochs":1})",
                                   R"(optimizer={"type":"adam","learning_rate":0.01})"});
  }
  SUBCASE("with several workers") {
    options.insert(options.end(), {R"(sampling={"type":"pps_epoch","estimator":"byproduct","warm_epochs":1})",
                                   "runtime.workers=3", "runtime.estimators=0"});
  }
  SUBCASE("with random numbers in every step") {
    options.insert(options.end(), {R"(model=[{"type":"dense","units":16,"activation":"relu"},
                                            {"type":"dropout","rate":0.3},{"type":"dense","units":4}])"});
  }
  const temporary_folder folder;
  train_options whole;
  whole.run_directory = folder.path();
  const auto reference = run(small_run(options), whole);
  const auto saved = list_checkpoints(folder.path("checkpoints"));
  CHECK(saved.size() >= 9);
  for (const auto& path : saved) {
    CAPTURE(path);
    auto content = read_checkpoint(path);
    REQUIRE_MESSAGE(content.ok(), content.error().message);
    train_options rest;
    rest.resume = content.take();
    const auto resumed = run(small_run(options), rest);
    CHECK(largest_difference(reference.parameters, resumed.parameters) == 0.0);
    CHECK(resumed.summary.samples_trained == reference.summary.samples_trained);
  }
}

TEST_CASE("a checkpoint of other data or another model is refused with a reason") {
  const temporary_folder folder;
  train_options whole;
  whole.run_directory = folder.path();
  run(small_run(), whole);
  auto latest = read_latest_checkpoint(folder.path("checkpoints"));
  REQUIRE(latest.ok());
  train_options rest;
  rest.resume = latest->content;
  const auto other_data = run(small_run({"data.train_size=500"}), rest);
  CHECK(other_data.summary.status == run_status::failed);
  CHECK(other_data.summary.problem.find("fingerprint") != std::string::npos);
  const auto other_model = train(small_run({"model.0.units=17"}), rest);
  REQUIRE(!other_model.ok());
  CHECK(other_model.error().message.find("0.dense.weight") != std::string::npos);
}

TEST_CASE("a stop request saves and says interrupted") {
  const temporary_folder folder;
  train_options options;
  options.run_directory = folder.path();
  std::stop_source source;
  std::thread stopper([&] {
    while (!std::filesystem::exists(folder.path("checkpoints/latest")))
      std::this_thread::yield();
    source.request_stop();
  });
  const auto outcome = train(small_run({"duration.epochs=100000"}), options, source.get_token());
  stopper.join();
  REQUIRE(outcome.ok());
  CHECK(outcome->summary.status == run_status::interrupted);
  CHECK(read_latest_checkpoint(folder.path("checkpoints")).ok());
}

TEST_CASE("a target ends the run and its time is kept") {
  const auto outcome =
      run(small_run({R"(duration.target={"metric":"test_accuracy","value":0.7})", "duration.epochs=200"}));
  CHECK(outcome.summary.status == run_status::target_reached);
  REQUIRE(outcome.summary.time_to_target);
  CHECK(outcome.summary.time_to_target->seconds <= outcome.summary.train_seconds);
  CHECK(outcome.summary.epochs < 200.0);
}

TEST_CASE(
    "a learning rate that diverges ends the run as failed, names the cause and leaves a healthy checkpoint") {
  const temporary_folder folder;
  train_options options;
  options.run_directory = folder.path();
  const auto outcome = run(small_run({"optimizer.learning_rate=1e6", "duration.epochs=50"}), options);
  CHECK(outcome.summary.status == run_status::failed);
  CHECK(outcome.summary.problem.find("learning_rate") != std::string::npos);
  CHECK(outcome.summary.dropped_results >= 3);
  const auto latest = read_latest_checkpoint(folder.path("checkpoints"));
  REQUIRE(latest.ok());
  for (const auto& t : latest->content.model)
    for (const float v : t.values)
      CHECK(std::isfinite(v));
}

TEST_CASE(
    "a run that diverges within its last steps has failed as well, and does not save what became of it") {
  const temporary_folder folder;
  train_options options;
  options.run_directory = folder.path();
  const auto outcome = run(
      small_run(
          {R"(data={"format":"synthetic","kind":"regression","train_size":200,"test_size":100,"features":8})",
           R"(model=[{"type":"dense","units":16,"activation":"relu"},{"type":"dense","units":1}])",
           "loss=mean_squared_error", R"(optimizer={"type":"sgd","learning_rate":50})",
           "duration.epochs=0.3"}),
      options);
  CHECK(outcome.summary.status == run_status::failed);
  CHECK(outcome.summary.problem.find("diverged") != std::string::npos);
  CHECK(outcome.summary.problem.find("learning_rate") != std::string::npos);
  const auto latest = read_latest_checkpoint(folder.path("checkpoints"));
  REQUIRE(latest.ok());
  CHECK(latest->content.step == 0);
}

TEST_CASE("the trace shows a lane for every actor, with work in it") {
  const temporary_folder folder;
  train_options options;
  options.trace_file = folder.path("trace.json");
  run(small_run(
          {R"(sampling={"type":"pps_epoch","estimator":{"type":"oldest_first","refresh_after_epochs":0.1}})",
           "duration.epochs=10"}),
      options);
  const auto trace = read_json_file(options.trace_file);
  REQUIRE_MESSAGE(trace.ok(), trace.error().message);
  std::string names;
  for (const auto& e : trace->find("traceEvents")->as_array())
    names += e.find("name")->as_string() + " ";
  for (const char* expected : {"gradient", "score", "merge", "evaluate"})
    CHECK_MESSAGE(names.find(expected) != std::string::npos, expected);
}

TEST_CASE("metrics and summary are complete") {
  const temporary_folder folder;
  train_options options;
  options.run_directory = folder.path();
  run(small_run(), options);
  const auto summary = read_json_file(folder.path("summary.json"));
  REQUIRE(summary.ok());
  for (const char* key : {"status", "steps", "samples_trained", "samples_scored", "train_seconds",
                          "samples_per_second", "train_loss", "test_loss", "test_accuracy", "time_to_target"})
    CHECK_MESSAGE(summary->find(key) != nullptr, key);
  const auto metrics = read_file(folder.path("metrics.jsonl"), 1U << 20U);
  REQUIRE(metrics.ok());
  CHECK(metrics->find("\"event\":\"evaluation\"") != std::string::npos);
}

TEST_CASE("every evaluation record says what the run has cost so far") {
  for (const char* sampling :
       {R"(sampling={"type":"uniform"})",
        R"(sampling={"type":"pps_epoch","estimator":{"type":"oldest_first","refresh_after_epochs":0.1}})"}) {
    const temporary_folder folder;
    train_options options;
    options.run_directory = folder.path();
    // Long enough that an estimator, which gives way to everybody, gets its turn on a busy machine.
    run(small_run({sampling, "duration.epochs=300", "evaluation.every_epochs=60"}), options);
    const auto metrics = read_file(folder.path("metrics.jsonl"), 1U << 20U);
    REQUIRE(metrics.ok());
    std::istringstream lines(*metrics);
    std::string line;
    double compute = 0.0;
    double scored = 0.0;
    int evaluations = 0;
    while (std::getline(lines, line)) {
      const auto record = parse_json(line, "metrics");
      REQUIRE(record.ok());
      if (record->find("event")->as_string() != "evaluation")
        continue;
      ++evaluations;
      CHECK(record->find("compute_seconds")->as_number() > compute);
      CHECK(record->find("samples_scored")->as_number() >= scored);
      compute = record->find("compute_seconds")->as_number();
      scored = record->find("samples_scored")->as_number();
    }
    CHECK(evaluations == 5);
    CHECK((scored > 0.0) == (std::string(sampling).find("pps") != std::string::npos));
  }
}
