#include "run_support.hpp"

#include "actors/run_reporter.hpp"
#include "actors/run_status.hpp"
#include "actors/trace.hpp"
#include "core/clock.hpp"
#include "core/log.hpp"

#include <fstream>
#include <limits>
#include <unistd.h>

// What a run tells about itself: the progress line, the records, the summary, its directory, its trace and
// the status.

using namespace triage;
using namespace triage::test;

namespace {

std::vector<json_value> records_in(const std::string& path) {
  std::ifstream in(path);
  std::vector<json_value> out;
  for (std::string line; std::getline(in, line);) {
    auto record = parse_json(line, "metrics.jsonl");
    REQUIRE_MESSAGE(record.ok(), record.error().message);
    out.push_back(record.take());
  }
  return out;
}

progress_report some_progress() {
  progress_report r;
  r.step = 12;
  r.epochs = 3.421;
  r.total_epochs = 12.0;
  r.fraction = 0.25;
  r.train_seconds = 10.0;
  r.samples_trained = 1000;
  r.running_loss = 0.21345;
  r.running_accuracy = 0.9215;
  r.samples_per_second = 48230.4;
  r.learning_rate = 0.05;
  r.worker_busy_seconds = 9.0;
  return r;
}

sampling_status prioritized_status() {
  sampling_status s;
  s.figures.prioritized = true;
  s.figures.staleness.median = 12.0;
  s.figures.staleness.p99 = 90.0;
  s.figures.effective_sample_share = 0.45;
  s.figures.selector.phase = "prioritized";
  s.samples_scored = 500;
  s.scoring_seconds = 1.0;
  return s;
}

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

} // namespace

TEST_CASE("progress line: what is known is there, and what is not known is not") {
  CHECK(run_reporter::progress_line(some_progress(), {}) ==
        "epoch 3.42/12  loss 0.2135  accuracy 0.9215  48230 samples/s  eta 30s");
  CHECK(run_reporter::progress_line(some_progress(), prioritized_status()) ==
        "epoch 3.42/12  loss 0.2135  accuracy 0.9215  48230 samples/s  eta 30s  scoring 10.0%  staleness "
        "12/90  "
        "ess 0.45");
  progress_report bare;
  CHECK(run_reporter::progress_line(bare, {}) == "epoch 0.00  loss 0.0000  0 samples/s");
}

TEST_CASE("progress line: the time that is left is written for people, however long it is") {
  const auto eta = [](double seconds_left) {
    progress_report r;
    r.fraction = 0.5;
    r.train_seconds = seconds_left;
    const auto line = run_reporter::progress_line(r, {});
    return line.substr(line.find("eta ") + 4);
  };
  CHECK(eta(0.2) == "0s");
  CHECK(eta(59.4) == "59s");
  CHECK(eta(60.0) == "1m00s");
  CHECK(eta(3599.0) == "59m59s");
  CHECK(eta(3600.0) == "1h00m");
  CHECK(eta(90061.0) == "25h01m");
}

TEST_CASE("reporter: each record has its event, and figures of scoring only where there is scoring") {
  const temporary_folder folder;
  logger silent = logger::silent();
  run_reporter reporter({folder.path(), false, false}, silent);
  reporter.progress(some_progress(), {});
  reporter.progress(some_progress(), prioritized_status());
  evaluation_figures figures;
  figures.train_loss = 0.5;
  figures.test_accuracy = 0.9;
  reporter.evaluation(some_progress(), figures, prioritized_status());
  reporter.members(json_value(json_value::object{{"members", json_value(json_value::array{})}}));
  run_summary summary;
  summary.steps = 12;
  reporter.finished(summary);
  const auto records = records_in(folder.path("metrics.jsonl"));
  REQUIRE(records.size() == 5);
  std::vector<std::string> events;
  for (const auto& r : records)
    events.push_back(r.find("event")->as_string());
  CHECK(events == std::vector<std::string>{"progress", "progress", "evaluation", "members", "finished"});
  CHECK(records[0].find("scoring_share") == nullptr);
  CHECK(records[1].find("scoring_share")->as_number() == doctest::Approx(0.1));
  CHECK(records[1].find("sampling_phase")->as_string() == "prioritized");
  CHECK(records[1].find("predicted_gain")->is_null());
  CHECK(records[2].find("samples_trained")->as_integer() == 1000);
  CHECK(records[2].find("samples_scored")->as_integer() == 500);
  CHECK(records[2].find("compute_seconds")->as_number() == doctest::Approx(10.0));
  CHECK(records[2].find("test_accuracy")->as_number() == doctest::Approx(0.9));
  CHECK(read_json_file(folder.path("summary.json"))->find("steps")->as_integer() == 12);
}

TEST_CASE("reporter: figures that are not finite are null in the records, which stay JSON") {
  const temporary_folder folder;
  logger silent = logger::silent();
  run_reporter reporter({folder.path(), false, false}, silent);
  auto progress = some_progress();
  progress.running_loss = std::numeric_limits<double>::quiet_NaN();
  progress.samples_per_second = std::numeric_limits<double>::infinity();
  reporter.progress(progress, {});
  run_summary summary;
  summary.train_seconds = std::numeric_limits<double>::infinity();
  reporter.finished(summary);
  const auto records = records_in(folder.path("metrics.jsonl"));
  REQUIRE(records.size() == 2);
  CHECK(records[0].find("running_loss")->is_null());
  CHECK(records[0].find("samples_per_second")->is_null());
  CHECK(read_json_file(folder.path("summary.json"))->find("train_seconds")->is_null());
}

TEST_CASE("reporter: a directory that is gone costs warnings, once for the metrics, never the run") {
  const temporary_folder folder;
  const auto log_file = folder.path("log.txt");
  {
    logger log = logger::to_stderr_and_file(log_file);
    run_reporter reporter({folder.path("missing"), false, false}, log);
    for (int i = 0; i < 5; ++i)
      reporter.progress(some_progress(), {});
    reporter.finished({});
  }
  const auto text = text_of(log_file);
  CHECK(text.find("metrics cannot be written") != std::string::npos);
  CHECK(text.find("metrics cannot be written", text.find("metrics cannot be written") + 1) ==
        std::string::npos);
  CHECK(text.find("summary.json") != std::string::npos);
}

TEST_CASE("reporter: in a log, progress is a line every few seconds of training, evaluations are all there") {
  const temporary_folder folder;
  const auto log_file = folder.path("log.txt");
  {
    logger log = logger::to_stderr_and_file(log_file);
    run_reporter reporter({folder.path(), true, false}, log);
    for (int i = 0; i < 200; ++i) {
      auto p = some_progress();
      p.train_seconds = 0.1 * i;
      reporter.progress(p, {});
    }
    evaluation_figures figures;
    figures.train_loss = 0.25;
    figures.validation_loss = 0.5;
    figures.test_accuracy = 0.875;
    reporter.evaluation(some_progress(), figures, {});
    run_summary failed;
    failed.status = run_status::failed;
    failed.problem = "the reason";
    reporter.finished(failed);
  }
  const auto text = text_of(log_file);
  std::size_t lines = 0;
  for (auto at = text.find("[train]"); at != std::string::npos; at = text.find("[train]", at + 1))
    ++lines;
  CHECK(lines == 4); // at 0, 5, 10 and 15 seconds
  CHECK(text.find("train loss 0.2500  validation loss 0.5000  test accuracy 0.8750") != std::string::npos);
  CHECK(text.find("the reason") != std::string::npos);
}

TEST_CASE("trace: spans record what the clock says, cost nothing when off, and what is beyond the bound is "
          "counted") {
  manual_clock time;
  trace_lane lane{"w", {}, 0};
  time.advance(1.0);
  {
    const trace_span outer(&lane, time, "outer", 7);
    time.advance(2.0);
    {
      const trace_span inner(&lane, time, "inner", 8);
      time.advance(0.5);
    }
    const trace_span off(nullptr, time, "off", 9);
  }
  REQUIRE(lane.events.size() == 2);
  CHECK(std::string(lane.events[0].name) == "inner");
  CHECK(lane.events[0].begin == 3.0);
  CHECK(lane.events[0].end == 3.5);
  CHECK(lane.events[1].begin == 1.0);
  CHECK(lane.events[1].end == 3.5);
  CHECK(lane.events[1].version == 7);
  for (int i = 0; i < 200'100; ++i)
    const trace_span one(&lane, time, "x", 0);
  CHECK(lane.events.size() == 200'000);
  CHECK(lane.lost == 102);
}

TEST_CASE("trace: lanes without events, and none at all, are valid JSON; times begin at zero") {
  const temporary_folder folder;
  REQUIRE(write_chrome_trace(folder.path("none.json"), {}).ok());
  CHECK(read_json_file(folder.path("none.json"))->find("traceEvents")->as_array().empty());
  REQUIRE(write_chrome_trace(folder.path("some.json"),
                             {{"idle", {}, 0}, {"busy", {{"work", 1e9, 1e9 + 1, 1}}, 0}})
              .ok());
  const auto trace = read_json_file(folder.path("some.json"));
  REQUIRE_MESSAGE(trace.ok(), trace.error().message);
  const auto& events = trace->find("traceEvents")->as_array();
  REQUIRE(events.size() == 3);
  CHECK(events[2].find("ts")->as_number() == 0.0);
  const auto failed = write_chrome_trace("/no/such/folder/trace.json", {});
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().kind == error_kind::io);
  CHECK(failed.error().message.starts_with("/no/such/folder/trace.json: "));
}

TEST_CASE("status: what the controller knows is in the JSON, and all of it in the text for people") {
  run_state state;
  state.phase = "training";
  state.phase_seconds = 2.5;
  state.step = 40;
  state.epochs = 1.5;
  state.total_epochs = 3.0;
  state.train_seconds = 4.0;
  state.samples_trained = 800;
  state.members.push_back({"worker-0", 20, 1, 400, 100.0, 0.9, true});
  state.lost_members = {"node-1/worker-0: it was silent"};
  state.waits.push_back({"coordinator", "the result of lease 7", "worker-0", 0.25});
  const auto json = status_json("my run", state, prioritized_status(), {});
  CHECK(json.find("run")->as_string() == "my run");
  CHECK(json.find("samples_per_second")->as_number() == 200.0);
  CHECK(json.find("members")->as_array()[0].find("rounds")->as_integer() == 20);
  CHECK(json.find("priorities")->find("staleness_p99")->as_number() == 90.0);
  const auto text = status_text(*parse_json(dump_json(json), "status"));
  for (const char* part : {"my run", "training for 2.5 s", "step 40, epoch 1.50 of 3", "worker-0", "90%",
                           "coordinator waits for the result of lease 7 from worker-0, 0.25 s so far",
                           "lost: node-1/worker-0: it was silent"})
    CHECK_MESSAGE(text.find(part) != std::string::npos, part);
  CHECK(members_json(state, {}).find("members")->as_array().size() == 1);
}

TEST_CASE(
    "status: an answer from another version, or nonsense, is shown as far as it goes and never breaks") {
  for (const char* strange :
       {"{}", "[]", "3", R"({"members": 3, "nodes": {}, "waits": "x", "lost_members": null})",
        R"({"members": [1, {}, {"name": 3, "rounds": "x"}], "priorities": 7, "lost_members": [1]})",
        R"({"run": {"a": 1}, "phase": null, "step": "many"})"}) {
    const auto text = status_text(*parse_json(strange, "status"));
    CHECK(text.find("phase") != std::string::npos);
  }
  run_state broken;
  broken.train_seconds = std::numeric_limits<double>::quiet_NaN();
  broken.members.push_back({"m", 1, 1, 1, std::numeric_limits<double>::infinity(), 0.0, false});
  CHECK(parse_json(dump_json(status_json("r", broken, {}, {})), "status").ok());
}

TEST_CASE("reporter: a run that goes on has no summary of the end before") {
  const temporary_folder folder;
  std::ofstream(folder.path("summary.json")) << "{}";
  logger silent = logger::silent();
  run_reporter reporter({folder.path(), false, false}, silent);
  CHECK(std::filesystem::exists(folder.path("summary.json")));
  reporter.resumed(7);
  CHECK(!std::filesystem::exists(folder.path("summary.json")));
}
