#include "protocol_support.hpp"

#include "actors/coordinator.hpp"

#include <map>

// The bounds of docs/architecture.md, measured at the mailboxes themselves. One actor at a time is given no
// turn while anybody else has work: its mailbox then grows as far as the protocol lets it.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t workers = 3;
constexpr std::size_t estimators = 2;

using mailbox_sizes = std::map<std::string, std::size_t>;

std::string name_of(caf::resumable* job) {
  const auto* actor = dynamic_cast<caf::scheduled_actor*>(job);
  return actor == nullptr ? "" : actor->name();
}

void note_sizes(const std::deque<caf::resumable*>& jobs, mailbox_sizes& most) {
  for (auto* job : jobs)
    if (auto* actor = dynamic_cast<caf::scheduled_actor*>(job))
      most[actor->name()] = std::max(most[actor->name()], actor->mailbox().size());
}

/// Whose turn it is: anybody's but the starved one's, as long as there is somebody else.
std::ptrdiff_t choose(const std::deque<caf::resumable*>& jobs, const std::string& starved, rng& random) {
  std::vector<std::ptrdiff_t> others;
  for (std::size_t i = 0; i < jobs.size(); ++i)
    if (name_of(jobs[i]) != starved)
      others.push_back(static_cast<std::ptrdiff_t>(i));
  return others.empty() ? 0 : others[random.below(others.size())];
}

/// The largest mailbox of each kind of actor over a whole run in which the actors called `starved` come last.
mailbox_sizes largest_mailboxes(const std::string& policy, const std::string& starved,
                                const std::vector<std::string>& more = {}, bool gradient_parts = false) {
  deterministic_system d;
  std::vector<std::string> options = {
      "duration.epochs=3",
      "runtime.workers=" + std::to_string(workers),
      "runtime.estimators=" + std::to_string(estimators),
      "runtime.exchange={\"policy\":\"" + policy + "\"}",
      "checkpoint.every_epochs=0.1",
      R"(sampling={"type":"pps_epoch","estimator":{"type":"oldest_first","refresh_after_epochs":0.2},"warm_epochs":0.5})"};
  options.insert(options.end(), more.begin(), more.end());
  const auto setup = small_run(options);
  auto log = std::make_shared<heard>();
  const auto monitor = d.track(d.system.spawn(fake_monitor, log));
  const auto context = context_for(setup);
  context->gradient_parts = gradient_parts;
  d.track(spawn_coordinator(d.system, context, monitor, std::nullopt));
  mailbox_sizes most;
  rng random(11, 3);
  while (d.scheduler.has_job()) {
    note_sizes(d.scheduler.jobs, most);
    std::rotate(d.scheduler.jobs.begin(),
                d.scheduler.jobs.begin() + choose(d.scheduler.jobs, starved, random), d.scheduler.jobs.end());
    d.scheduler.run_once();
  }
  REQUIRE(log->end.has_value());
  CHECK(log->end->summary.status == run_status::finished);
  return most;
}

} // namespace

TEST_CASE("mailboxes: however late an actor gets its turn, its mailbox stays within its bound") {
  // Orders of the run, and one message that says that it is over.
  const mailbox_sizes bounds = {{"coordinator", 3 * workers + 6},
                                {"sampler", 5 * workers + estimators + 4},
                                {"worker", 2},
                                {"estimator", 1 + 1},
                                {"evaluator", 1 + 1},
                                {"checkpointer", 2 + 1}};
  for (const std::string starved :
       {"coordinator", "sampler", "worker", "estimator", "evaluator", "checkpointer", "nobody"})
    for (const std::string policy : {"bsp", "ssp", "asp"}) {
      CAPTURE(starved);
      CAPTURE(policy);
      const auto most = largest_mailboxes(policy, starved);
      for (const auto& [name, bound] : bounds) {
        CAPTURE(name);
        CHECK(most.at(name) <= bound);
      }
      // That an actor was starved shows: all workers have answered before the coordinator listens.
      if (starved == "coordinator")
        CHECK(most.at(starved) >= workers);
      if (starved == "checkpointer")
        CHECK(most.at(starved) == 2);
    }
}

TEST_CASE("mailboxes: gradients in parts add no more messages than they have parts") {
  // The layer before the last one is large enough for a part of its own, the rest is the second.
  constexpr std::size_t parts = 2;
  const std::vector<std::string> wide = {
      "duration.epochs=1", R"(data={"format":"synthetic","kind":"blobs","features":300,"classes":4})",
      R"(model=[{"type":"dense","units":300},{"type":"dense","units":300},{"type":"dense","units":4}])"};
  const auto whole = largest_mailboxes("bsp", "coordinator", wide);
  const auto in_parts = largest_mailboxes("bsp", "coordinator", wide, true);
  CHECK(whole.at("coordinator") <= 3 * workers + 6);
  CHECK(in_parts.at("coordinator") <= (3 + parts) * workers + 6);
  CHECK(in_parts.at("coordinator") >= (1 + parts) * workers);
}
