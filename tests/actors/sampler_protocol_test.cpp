#include "protocol_support.hpp"

#include "actors/sampler.hpp"

#include <limits>
#include <set>

// The sampler alone between a fake coordinator, a fake monitor and fake estimators.

using namespace triage;
using namespace triage::test;

namespace {

/// An estimator that keeps its orders and answers when told to.
struct estimator_notes {
  std::vector<score_order> orders;
};

estimator_actor::behavior_type fake_estimator(estimator_actor::pointer,
                                              std::shared_ptr<estimator_notes> notes) {
  return {[notes](const score_order& order) { notes->orders.push_back(order); }};
}

const std::string with_estimators =
    R"(sampling={"type":"pps_epoch","score":"loss","estimator":{"type":"oldest_first","refresh_after_epochs":0},"warm_epochs":0})";

struct sampler_stage : protocol_stage {
  std::shared_ptr<const run_setup> setup;
  sampler_actor sampler;
  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>();
  struct hand {
    std::shared_ptr<estimator_notes> notes;
    estimator_actor actor;
  };
  std::vector<hand> estimators;

  explicit sampler_stage(std::vector<std::string> options = {}, const saved_state& saved = {}) {
    setup = small_run(options);
    const auto context = context_for(setup);
    context->time = time;
    sampler = track(spawn_sampler(*self.ptr(), context, coordinator, monitor, saved));
    scheduler.run();
    fakes = system.registry().running() - 1;
  }
  void draw(std::size_t batches, std::uint64_t version = 0) {
    tell(sampler, draw_request{batches, 0.0, first_snapshot(*setup, version)});
  }
  /// A new estimator that has reported for work.
  hand& hire(const std::string& name, bool newcomer = false) {
    auto notes_of = std::make_shared<estimator_notes>();
    estimators.push_back({notes_of, track(system.spawn(fake_estimator, notes_of))});
    ++fakes;
    answer(estimators.back(), estimator_ready{name, newcomer});
    return estimators.back();
  }
  /// A message to the sampler whose sender is the estimator.
  template <class Message>
  void answer(const hand& from, Message message) {
    caf::send_as(caf::actor_cast<caf::actor>(from.actor), sampler, std::move(message));
    scheduler.run();
  }
  void answer_order(const hand& from, float score, std::uint64_t version = 1) {
    REQUIRE_FALSE(from.notes->orders.empty());
    const auto n = from.notes->orders.back().ids.size();
    answer(from, measured_scores{std::vector<float>(n, score), {}, version, 0.5});
  }
  sampling_status status() {
    sampling_status out;
    self->send(sampler, sampling_status_request{});
    scheduler.run();
    self->receive([&](const sampling_status& s) { out = s; });
    return out;
  }
};

} // namespace

TEST_CASE("sampler: as many batches as asked for, of the size asked for, every point once an epoch") {
  sampler_stage d({"sampling=uniform"});
  CHECK(d.notes->deliveries == 0); // nobody has asked
  d.draw(5);
  d.draw(27);
  CHECK(d.notes->deliveries == 2);
  REQUIRE(d.notes->batches.size() == 32); // 512 points in batches of 16
  std::set<std::uint32_t> seen;
  for (const auto& b : d.notes->batches) {
    REQUIRE(b->ids.size() == 16);
    REQUIRE(b->weights == std::vector<float>(16, 1.0F));
    seen.insert(b->ids.begin(), b->ids.end());
  }
  CHECK(seen.size() == 512);
  CHECK(*seen.rbegin() == 511);
  d.draw(0);
  CHECK(d.notes->deliveries == 2);
}

TEST_CASE("sampler: estimators get nothing before the run begins and while its clock stands") {
  sampler_stage d({with_estimators, "runtime.estimators=1"});
  auto& e = d.hire("estimator-0");
  CHECK(e.notes->orders.empty());
  d.draw(1, 3);
  CHECK(e.notes->orders.empty()); // paused from the start: the first checkpoint is being written
  d.tell(d.sampler, pause_request{false});
  REQUIRE(e.notes->orders.size() == 1);
  CHECK(e.notes->orders[0].at.version == 3);
  d.tell(d.sampler, pause_request{true});
  d.answer_order(e, 0.5F);
  CHECK(e.notes->orders.size() == 1); // idle, and nothing new while paused
  d.draw(1, 100);
  d.tell(d.sampler, pause_request{false});
  REQUIRE(e.notes->orders.size() == 2);
  CHECK(e.notes->orders[1].at.version == 100); // with the newest parameters
}

TEST_CASE("sampler: one order for each estimator at a time, and no point with two of them") {
  sampler_stage d({with_estimators, "runtime.estimators=3", "runtime.scoring_batch_size=100"});
  for (int i = 0; i < 3; ++i)
    d.hire("estimator-" + std::to_string(i));
  d.tell(d.sampler, pause_request{false});
  d.draw(2, 1);
  std::multiset<std::uint32_t> out;
  for (const auto& e : d.estimators) {
    REQUIRE(e.notes->orders.size() == 1);
    CHECK(e.notes->orders[0].ids.size() <= 100);
    out.insert(e.notes->orders[0].ids.begin(), e.notes->orders[0].ids.end());
  }
  CHECK(std::set<std::uint32_t>(out.begin(), out.end()).size() == out.size());
  d.draw(2, 2);
  d.draw(2, 3);
  for (const auto& e : d.estimators)
    CHECK(e.notes->orders.size() == 1);
  d.answer_order(d.estimators[1], 1.0F);
  CHECK(d.estimators[1].notes->orders.size() == 2);
  CHECK(d.estimators[0].notes->orders.size() == 1);
}

TEST_CASE("sampler: what estimators measured is counted, for the figures and for the checkpoint") {
  sampler_stage d({with_estimators, "runtime.estimators=1", "runtime.scoring_batch_size=64"});
  auto& e = d.hire("estimator-0");
  d.tell(d.sampler, pause_request{false});
  d.draw(1, 1);
  d.answer_order(e, 0.25F);
  d.answer_order(e, 0.25F);
  const auto status = d.status();
  CHECK(status.samples_scored == 128);
  CHECK(status.scoring_seconds == 1.0);
  d.tell(d.sampler, collect_request{});
  REQUIRE(d.notes->reports.size() == 1);
  CHECK(d.notes->reports[0].samples_scored == 128);
  CHECK(d.notes->reports[0].account.scoring_seconds == 1.0);
}

TEST_CASE("sampler: an estimator that ends is named, its points go to somebody else, and batches go on") {
  sampler_stage d({with_estimators, "runtime.estimators=2", "runtime.scoring_batch_size=50"});
  d.hire("estimator-0");
  d.hire("estimator-1");
  d.tell(d.sampler, pause_request{false});
  d.draw(1, 1);
  const auto lost = d.estimators[0].notes->orders.at(0).ids;
  d.end(d.estimators[0].actor);
  REQUIRE(d.log->warnings.size() == 1);
  CHECK(d.log->warnings[0].starts_with("estimator-0 left the run: "));
  std::set<std::uint32_t> measured;
  auto& other = d.estimators[1];
  for (std::size_t answered = 0; answered < other.notes->orders.size(); ++answered) {
    const auto& ids = other.notes->orders.back().ids;
    measured.insert(ids.begin(), ids.end());
    d.answer_order(other, 0.5F);
  }
  for (const auto id : lost)
    CHECK(measured.count(id) == 1);
  const auto before = d.notes->batches.size();
  d.draw(3, 2);
  CHECK(d.notes->batches.size() == before + 3);
}

TEST_CASE(
    "sampler: an estimator that gives up with a reason is named with it, once, though it ends as well") {
  sampler_stage d({with_estimators, "runtime.estimators=1"});
  auto& e = d.hire("estimator-0");
  d.tell(d.sampler, pause_request{false});
  d.draw(1, 1);
  d.answer(e, failure_notice{"estimator-0", "out of memory"});
  d.end(e.actor);
  REQUIRE(d.log->warnings.size() == 1);
  CHECK(d.log->warnings[0].find("estimator-0 left the run: out of memory") != std::string::npos);
  // A late answer of the lost one is not taken.
  const auto scored = d.status().samples_scored;
  d.answer(e, measured_scores{{1.0F}, {}, 1, 0.1});
  CHECK(d.status().samples_scored == scored);
}

TEST_CASE("sampler: one that could not even start is named; a stranger's scores are ignored") {
  sampler_stage d({with_estimators, "runtime.estimators=1"});
  auto stranger = std::make_shared<estimator_notes>();
  const sampler_stage::hand nobody{stranger, d.track(d.system.spawn(fake_estimator, stranger))};
  d.answer(nobody, failure_notice{"estimator-0", "no such device"});
  REQUIRE(d.log->warnings.size() == 1);
  CHECK(d.log->warnings[0].find("estimator-0 could not start: no such device") != std::string::npos);
  d.answer(nobody, measured_scores{std::vector<float>(10, 1.0F), {}, 0, 9.0});
  CHECK(d.status().samples_scored == 0);
  CHECK(d.status().scoring_seconds == 0.0);
  d.draw(2);
  CHECK(d.notes->batches.size() == 2); // nothing waits for estimators that will not come
}

TEST_CASE("sampler: three orders in a row that are not finite cost an estimator its place, two do not") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  sampler_stage d({with_estimators, "runtime.estimators=1", "runtime.scoring_batch_size=32"});
  auto& e = d.hire("estimator-0");
  d.tell(d.sampler, pause_request{false});
  d.draw(1, 1);
  for (const float score : {nan, nan, 0.5F, nan, nan})
    d.answer_order(e, score);
  CHECK(d.log->warnings.empty());
  const auto alive = d.system.registry().running();
  d.answer_order(e, nan);
  REQUIRE(d.log->warnings.size() == 1);
  CHECK(d.log->warnings[0].find("three orders in a row") != std::string::npos);
  CHECK(d.system.registry().running() == alive - 1); // it was ended
  const auto orders = e.notes->orders.size();
  d.draw(2, 2);
  CHECK(e.notes->orders.size() == orders);
}

TEST_CASE("sampler: answers of the wrong length are no scores; their points are measured again") {
  sampler_stage d({with_estimators, "runtime.estimators=1", "runtime.scoring_batch_size=512"});
  auto& e = d.hire("estimator-0");
  d.tell(d.sampler, pause_request{false});
  d.draw(1, 1);
  const auto first = e.notes->orders.at(0).ids;
  d.answer(e, measured_scores{std::vector<float>(first.size() + 1, 1.0F), {}, 1, 0.1});
  REQUIRE(e.notes->orders.size() == 2);
  CHECK(std::set<std::uint32_t>(first.begin(), first.end()) ==
        std::set<std::uint32_t>(e.notes->orders[1].ids.begin(), e.notes->orders[1].ids.end()));
}

TEST_CASE(
    "sampler: the state that it hands over continues the order of the data exactly, in another sampler") {
  for (const std::string& sampling :
       {std::string("sampling=uniform"), std::string("sampling=auto"), with_estimators}) {
    CAPTURE(sampling);
    const char* nobody_scores = sampling == with_estimators ? "runtime.workers=0" : "runtime.estimators=0";
    sampler_stage first({sampling, nobody_scores, "runtime.estimators=0"});
    first.draw(7);
    first.tell(first.sampler, byproducts{first.notes->batches[0], std::vector<float>(16, 2.0F),
                                         std::vector<float>(16, 1.0F), 1});
    first.tell(first.sampler, collect_request{});
    REQUIRE(first.notes->reports.size() == 1);
    sampler_stage second({sampling, nobody_scores, "runtime.estimators=0"}, first.notes->reports[0].state);
    first.draw(40);
    second.draw(40);
    REQUIRE(second.notes->batches.size() == 40);
    for (std::size_t i = 0; i < 40; ++i) {
      CHECK(second.notes->batches[i]->ids == first.notes->batches[7 + i]->ids);
      CHECK(second.notes->batches[i]->weights == first.notes->batches[7 + i]->weights);
    }
  }
}

TEST_CASE("sampler: a state that it cannot use is a failure with the name of the entry, and the end") {
  saved_state wrong;
  wrong.put("counts", std::vector<std::uint64_t>{1, 2, 3});
  wrong.put("seconds", std::vector<double>(5));
  protocol_stage d;
  d.track(spawn_sampler(*d.self.ptr(), context_for(small_run()), d.coordinator, d.monitor, wrong));
  d.scheduler.run();
  REQUIRE(d.notes->failures.size() == 1);
  CHECK(d.notes->failures[0].name == "sampler");
  CHECK(d.notes->failures[0].reason.find("unexpected length") != std::string::npos);
  CHECK(d.only_fakes_left());

  saved_state missing;
  missing.put("seconds", std::vector<double>(5));
  protocol_stage e;
  e.track(spawn_sampler(*e.self.ptr(), context_for(small_run()), e.coordinator, e.monitor, missing));
  e.scheduler.run();
  REQUIRE(e.notes->failures.size() == 1);
  CHECK(e.notes->failures[0].reason.find("\"counts\"") != std::string::npos);
}

TEST_CASE("sampler: ends with its coordinator") {
  sampler_stage d;
  d.end(d.coordinator);
  CHECK(d.system.registry().running() == d.fakes - 1);
}

TEST_CASE(
    "sampler: an estimator of a node that never answers is named, given up, and its points go to others") {
  sampler_stage d({with_estimators, "runtime.estimators=1", "runtime.scoring_batch_size=50"});
  d.hire("estimator-0");
  d.hire("far/estimator-0", true);
  d.tell(d.sampler, pause_request{false});
  d.draw(1, 1);
  auto& here = d.estimators[0];
  const auto& mute = d.estimators[1];
  REQUIRE(mute.notes->orders.size() == 1);
  const auto owed = mute.notes->orders[0].ids;
  std::set<std::uint32_t> measured;
  std::size_t answered = 0;
  const auto pass = [&](double seconds) {
    d.time->advance(seconds);
    if (here.notes->orders.size() > answered) {
      answered = here.notes->orders.size();
      const auto& ids = here.notes->orders.back().ids;
      measured.insert(ids.begin(), ids.end());
      d.answer_order(here, 0.5F);
    }
    d.draw(1, static_cast<std::uint64_t>(d.time->now() * 10.0));
    d.tell(d.sampler, watch_orders{});
  };
  for (int i = 0; i < 12; ++i)
    pass(0.25);
  REQUIRE(d.log->warnings.size() == 1);
  CHECK(d.log->warnings[0].starts_with("far/estimator-0 is late: "));
  const auto waits = d.status().waits;
  CHECK(std::any_of(waits.begin(), waits.end(), [](const auto& w) {
    return w.who == "sampler" && w.from == "far/estimator-0" && w.seconds > 2.0;
  }));
  pass(100.0); // this process stood still: not its fault
  CHECK_MESSAGE(d.log->warnings.size() == 1, d.log->warnings.back());
  for (int i = 0; i < 32; ++i)
    pass(0.25);
  REQUIRE(d.log->warnings.size() == 2);
  CHECK(d.log->warnings[1].starts_with("far/estimator-0 left the run: no scores of 50 points for "));
  for (int i = 0; i < 20; ++i)
    pass(0.25);
  for (const auto id : owed)
    CHECK(measured.count(id) == 1);
}

TEST_CASE("sampler: an estimator of this process is waited for, however long it takes") {
  sampler_stage d({with_estimators, "runtime.estimators=1"});
  auto& e = d.hire("estimator-0");
  d.tell(d.sampler, pause_request{false});
  d.draw(1, 1);
  REQUIRE(e.notes->orders.size() == 1);
  for (int i = 0; i < 100; ++i) {
    d.time->advance(10.0);
    d.tell(d.sampler, watch_orders{});
  }
  CHECK(d.log->warnings.empty());
  d.answer_order(e, 0.5F);
  CHECK(d.status().samples_scored > 0);
}
