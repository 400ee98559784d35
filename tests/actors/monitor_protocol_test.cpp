#include "protocol_support.hpp"

#include "actors/monitor.hpp"
#include "core/log.hpp"

#include <fstream>

// The monitor alone: what becomes of reports, and that the launcher hears of the end exactly once, whatever
// happens.

using namespace triage;
using namespace triage::test;

namespace {

struct monitor_stage : deterministic_system {
  temporary_folder folder;
  logger silent = logger::silent();
  std::shared_ptr<run_context> context = context_for(small_run());
  monitor_actor monitor;

  explicit monitor_stage(const trace_sink& traced = nullptr) {
    auto reporter = std::make_shared<run_reporter>(report_options{folder.path(), false, false}, silent);
    monitor = track(spawn_monitor(system, context, reporter, caf::actor_cast<caf::actor>(self), traced));
  }
  /// What the launcher has been told since the last call.
  std::vector<run_finished> told() {
    std::vector<run_finished> out;
    bool more = true;
    while (more)
      self->receive([&](const run_finished& m) { out.push_back(m); },
                    caf::after(std::chrono::seconds(0)) >> [&] { more = false; });
    return out;
  }
  std::vector<json_value> records() const {
    std::ifstream in(folder.path("metrics.jsonl"));
    std::vector<json_value> out;
    for (std::string line; std::getline(in, line);) {
      auto record = parse_json(line, "metrics.jsonl");
      REQUIRE_MESSAGE(record.ok(), record.error().message);
      out.push_back(record.take());
    }
    return out;
  }
  static run_finished an_end(run_status status = run_status::finished) {
    run_finished end;
    end.summary.status = status;
    end.summary.steps = 12;
    return end;
  }
};

std::string event_of(const json_value& record) {
  return record.find("event")->as_string();
}

constexpr std::int64_t scored_points = 77;

/// A sampler that only knows its figures. (CAF's header dereferences a null pointer for actors without
/// arguments.)
sampler_actor::behavior_type fake_sampler(sampler_actor::pointer, std::int64_t scored) {
  return {
      [](const draw_request&) {},
      [](const byproducts&) {},
      [](const estimator_ready&) {},
      [](const measured_scores&) {},
      [](const failure_notice&) {},
      [](const pause_request&) {},
      [](const collect_request&) {},
      [](const watch_orders&) {},
      [scored](const sampling_status_request&) {
        sampling_status s;
        s.samples_scored = static_cast<std::uint64_t>(scored);
        s.figures.prioritized = true;
        return s;
      },
  };
}

} // namespace

TEST_CASE("monitor: the end is told to the launcher once, written once, and the monitor is gone") {
  monitor_stage d;
  const auto before = d.system.registry().running();
  d.self->send(d.monitor, monitor_stage::an_end());
  d.self->send(d.monitor, monitor_stage::an_end(run_status::failed)); // too late
  d.scheduler.run();
  const auto told = d.told();
  REQUIRE(told.size() == 1);
  CHECK(told[0].summary.status == run_status::finished);
  CHECK(told[0].summary.steps == 12);
  CHECK(d.system.registry().running() == before - 1);
  const auto summary = read_json_file(d.folder.path("summary.json"));
  REQUIRE(summary.ok());
  CHECK(summary->find("status")->as_string() == "finished");
  const auto records = d.records();
  REQUIRE(records.size() == 1);
  CHECK(event_of(records[0]) == "finished");
}

TEST_CASE("monitor: a coordinator that ends without a word is a failed run with a reason") {
  monitor_stage d;
  const auto notes = std::make_shared<coordinator_notes>();
  const auto coordinator = d.system.spawn(fake_coordinator, notes);
  const auto sampler = d.track(d.system.spawn(fake_sampler, scored_points));
  d.tell(d.monitor, run_started{coordinator, sampler});
  CHECK(d.told().empty());
  d.end(coordinator);
  const auto told = d.told();
  REQUIRE(told.size() == 1);
  CHECK(told[0].summary.status == run_status::failed);
  CHECK(told[0].summary.problem.find("without a word") != std::string::npos);
  CHECK(told[0].parameters.empty());
}

TEST_CASE("monitor: a coordinator that says its end and goes is no failure") {
  monitor_stage d;
  const auto coordinator = d.system.spawn(fake_coordinator, std::make_shared<coordinator_notes>());
  const auto sampler = d.track(d.system.spawn(fake_sampler, scored_points));
  d.tell(d.monitor, run_started{coordinator, sampler});
  d.self->send(d.monitor, monitor_stage::an_end(run_status::interrupted));
  d.end(coordinator);
  const auto told = d.told();
  REQUIRE(told.size() == 1);
  CHECK(told[0].summary.status == run_status::interrupted);
}

TEST_CASE("monitor: reports become records in their order, with the sampler's figures where it lives") {
  monitor_stage d;
  progress_report p;
  p.step = 1;
  d.tell(d.monitor, p); // nobody has said who the sampler is
  const auto coordinator = d.track(d.system.spawn(fake_coordinator, std::make_shared<coordinator_notes>()));
  const auto sampler = d.system.spawn(fake_sampler, scored_points);
  d.tell(d.monitor, run_started{coordinator, sampler});
  p.step = 2;
  d.tell(d.monitor, p);
  evaluation_report e;
  e.progress.step = 3;
  e.figures.train_loss = 0.25;
  d.tell(d.monitor, e);
  d.tell(d.monitor, members_report{json_value(json_value::object{{"step", json_value(4)}})});
  d.end(sampler);
  p.step = 5;
  d.tell(d.monitor, p); // the sampler is gone: the report counts without it
  d.tell(d.monitor, monitor_stage::an_end());
  const auto records = d.records();
  REQUIRE(records.size() == 6);
  const std::vector<std::string> events = {"progress", "progress", "evaluation",
                                           "members",  "progress", "finished"};
  for (std::size_t i = 0; i < 6; ++i)
    CHECK(event_of(records[i]) == events[i]);
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(records[i].find("step")->as_integer() == static_cast<std::int64_t>(i + 1));
  CHECK(records[0].find("samples_scored") == nullptr);
  CHECK(records[1].find("samples_scored")->as_integer() == scored_points);
  CHECK(records[2].find("train_loss")->as_number() == 0.25);
  CHECK(records[4].find("samples_scored") == nullptr);
}

TEST_CASE(
    "monitor: lanes become a trace when the run ends; one that cannot be written costs the run nothing") {
  for (const bool writable : {true, false}) {
    const temporary_folder traces;
    const std::string file = traces.path(writable ? "trace.json" : "missing/trace.json");
    monitor_stage d([&](const std::vector<trace_lane>& lanes) { return write_chrome_trace(file, lanes); });
    d.tell(d.monitor, trace_lane{"worker-0", {{"gradient", 10.0, 10.5, 3}, {"gradient", 11.0, 11.25, 4}}, 0});
    d.tell(d.monitor, trace_lane{"a \"name\"\n", {}, 0});
    d.tell(d.monitor, monitor_stage::an_end());
    CHECK(d.told().size() == 1);
    CHECK(std::filesystem::exists(file) == writable);
    CHECK(std::filesystem::exists(d.folder.path("summary.json")));
    if (!writable)
      continue;
    const auto trace = read_json_file(file);
    REQUIRE_MESSAGE(trace.ok(), trace.error().message);
    const auto& events = trace->find("traceEvents")->as_array();
    REQUIRE(events.size() == 4); // two names, two stretches
    CHECK(events[1].find("ts")->as_number() == 0.0);
    CHECK(events[1].find("dur")->as_number() == doctest::Approx(5e5));
    CHECK(events[2].find("ts")->as_number() == doctest::Approx(1e6));
    CHECK(events[3].find("args")->find("name")->as_string() == "a \"name\"\n");
  }
}
