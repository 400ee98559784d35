#include "actors/member_ledger.hpp"
#include "actors/net/net_address.hpp"
#include "actors/run_meter.hpp"
#include "core/rng.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <map>
#include <set>
#include <string>

// Running figures, cadences, the book of members and addresses, against plain models of them.

using namespace triage;

namespace {

train_result result_with(double loss_sum, std::uint64_t correct, std::uint64_t base, double busy = 0.0) {
  train_result r;
  r.loss_sum = loss_sum;
  r.correct = correct;
  r.base_version = base;
  r.busy_seconds = busy;
  return r;
}

} // namespace

TEST_CASE("meter: the first values are unbiased, and a constant stays that constant") {
  run_meter meter;
  for (int i = 0; i < 300; ++i) {
    meter.add(result_with(32.0, 8, 0), 16, 0, true);
    progress_report r;
    meter.fill(r, 1.0, false);
    REQUIRE(r.running_loss == doctest::Approx(2.0));
    REQUIRE(r.running_accuracy.has_value());
    REQUIRE(*r.running_accuracy == doctest::Approx(0.5));
  }
}

TEST_CASE("meter: follows a change within some hundred batches") {
  run_meter meter;
  for (int i = 0; i < 100; ++i)
    meter.add(result_with(16.0, 0, 0), 16, 0, false);
  for (int i = 0; i < 300; ++i)
    meter.add(result_with(1.6, 0, 0), 16, 0, false);
  progress_report r;
  meter.fill(r, 1.0, true);
  CHECK(r.running_loss == doctest::Approx(0.1).epsilon(0.05));
  CHECK_FALSE(r.running_accuracy.has_value());
}

TEST_CASE("meter: speed and lag are those since the last report that was closed") {
  run_meter meter;
  progress_report r;
  meter.fill(r, 0.0, false);
  CHECK(r.samples_per_second == 0.0); // nothing, and no division by zero
  CHECK(r.running_loss == 0.0);
  for (int i = 0; i < 10; ++i)
    meter.add(result_with(1.0, 1, 3, 0.5), 100, 5, true);
  meter.fill(r, 2.0, false);
  CHECK(r.samples_per_second == 500.0);
  meter.fill(r, 2.0, true);
  CHECK(r.samples_per_second == 500.0);
  CHECK(r.mean_lag == 2.0);
  CHECK(r.worker_busy_seconds == 5.0);
  meter.add(result_with(1.0, 1, 5), 100, 5, true);
  progress_report next;
  meter.fill(next, 4.0, true);
  CHECK(next.samples_per_second == 50.0);
  CHECK(next.mean_lag == 0.0);
  CHECK(next.samples_trained == 1100);
  meter.count_dropped();
  meter.fill(next, 4.0, true);
  CHECK(next.dropped_results == 1);
}

TEST_CASE("meter: saved and loaded it goes on, and the first report is about the time since then") {
  run_meter meter;
  for (int i = 0; i < 40; ++i)
    meter.add(result_with(16.0 + i, 3, 0, 0.25), 16, 1, true);
  meter.count_dropped();
  run_meter resumed;
  REQUIRE(resumed.load(meter.save(), 100.0).ok());
  progress_report a;
  progress_report b;
  meter.fill(a, 100.0, true);
  resumed.fill(b, 100.0, true);
  CHECK(b.running_loss == a.running_loss);
  CHECK(b.running_accuracy == a.running_accuracy);
  CHECK(b.samples_trained == a.samples_trained);
  CHECK(b.dropped_results == 1);
  CHECK(b.worker_busy_seconds == a.worker_busy_seconds);
  // 100 samples in a tenth of a second: the hundred seconds before do not count.
  resumed.add(result_with(1.0, 1, 0), 100, 0, true);
  progress_report c;
  resumed.fill(c, 100.1, true);
  CHECK(c.samples_per_second == doctest::Approx(1000.0));
  run_meter fresh;
  REQUIRE(fresh.load(meter.save(), 100.0).ok());
  fresh.add(result_with(1.0, 1, 0), 100, 0, true);
  progress_report first;
  fresh.fill(first, 100.1, true);
  CHECK(first.samples_per_second == doctest::Approx(1000.0));
}

TEST_CASE("meter: what cannot be its state is refused") {
  saved_state state = run_meter().save();
  run_meter meter;
  CHECK(meter.load(state, 0.0).ok());
  state.put("counts", std::vector<std::uint64_t>{1});
  CHECK(meter.load(state, 0.0).error().message.find("unexpected length") != std::string::npos);
  CHECK(meter.load({}, 0.0).error().message.find("\"averages\"") != std::string::npos);
}

TEST_CASE("cadence: due once a period, however far the run has come in between; never without one") {
  rng random(1, 0);
  for (int round = 0; round < 200; ++round) {
    const double every = 0.1 + random.uniform();
    cadence c(every);
    double epochs = 0.0;
    for (int i = 0; i < 100; ++i) {
      epochs += 0.5 * random.uniform();
      const bool due = c.due(epochs);
      CHECK(due == (epochs >= c.next()));
      if (!due)
        continue;
      c.passed(epochs);
      CHECK_FALSE(c.due(epochs));
      CHECK(c.next() > epochs);
      CHECK(c.next() <= epochs + every + 1e-9);
      CHECK(std::abs(std::remainder(c.next(), every)) < 1e-6); // on the grid
    }
  }
  cadence finest(1e-300); // finer than the numbers it is added to
  finest.passed(1.0);
  CHECK_FALSE(finest.due(1.0));
  CHECK(finest.due(1.0 + 1e-9));
  cadence fine(1e-9);
  fine.passed(1e6); // at once
  CHECK(fine.next() > 1e6);
  CHECK(fine.next() < 1e6 + 1e-6);
  cadence never(0.0);
  CHECK_FALSE(never.due(1e12));
  never.passed(1e12); // comes back
}

TEST_CASE("ledger of members: random grants, results, losses: a lease is settled by its holder, once") {
  rng random(2, 0);
  for (int round = 0; round < 50; ++round) {
    member_ledger ledger;
    std::map<std::uint64_t, std::uint64_t> holder; // lease -> member
    std::set<std::uint64_t> ids;
    std::uint64_t last_lease = 0;
    std::uint64_t furthest = 0;
    for (int event = 0; event < 300; ++event) {
      for (const auto& m : ledger.members())
        furthest = std::max(furthest, m.clock);
      const auto dice = random.below(10);
      if (dice == 0 || ledger.members().empty()) {
        // Where nobody is left, rounds go on where the furthest ended.
        const auto smallest = ledger.members().empty() ? furthest : ledger.view(false).smallest_clock();
        CHECK(ledger.next_member() == ids.size());
        const auto& m = ledger.join("m");
        CHECK(ids.insert(m.id).second); // numbers are never given twice
        CHECK(m.clock == smallest);
        CHECK(m.idle());
        continue;
      }
      auto& m = ledger.members()[random.below(ledger.members().size())];
      const auto id = m.id;
      if (dice == 1) {
        for (const auto& lost : ledger.remove(id)) {
          CHECK(ledger.find(id) == nullptr);
          CHECK(holder.at(lost.id) == id);
          holder.erase(lost.id);
          CHECK_FALSE(ledger.settle(id, lost.id).has_value());
        }
        CHECK(ledger.remove(id).empty());
      } else if (m.outstanding.size() < 2 && (m.idle() || dice > 7)) {
        const batch_list batches(1 + random.below(3), std::make_shared<const drawn_batch>());
        const auto ordered = m.ordered();
        const auto& granted = ledger.grant(m, 7, batches, 1.5);
        CHECK(granted.id > last_lease);
        CHECK(granted.batches == batches);
        CHECK(granted.granted_at == 1.5);
        CHECK_FALSE(m.idle());
        CHECK(m.ordered() == ordered + 1);
        last_lease = granted.id;
        holder[granted.id] = id;
      } else {
        const auto lease = m.outstanding.front().id;
        const auto clock = m.clock;
        const auto more = m.outstanding.size() - 1;
        if (more > 0) // they are answered in their order
          CHECK_FALSE(ledger.settle(id, m.outstanding.back().id).has_value());
        CHECK_FALSE(ledger.settle(id, lease + 1).has_value());
        CHECK_FALSE(ledger.settle(id + 1000, lease).has_value());
        CHECK(ledger.settle(id, lease, 2.5).has_value());
        CHECK_FALSE(ledger.settle(id, lease).has_value());
        CHECK(ledger.find(id)->clock == clock + 1);
        CHECK(ledger.find(id)->outstanding.size() == more);
        if (more > 0) // its time runs from now
          CHECK(ledger.find(id)->outstanding.front().granted_at == 2.5);
        holder.erase(lease);
      }
      CHECK(ledger.any_computing() == !holder.empty());
      const auto view = ledger.view(true);
      CHECK(view.draining);
      CHECK(view.members.size() == ledger.members().size());
      for (std::size_t i = 0; i < view.members.size(); ++i)
        CHECK(view.members[i].computing == !ledger.members()[i].idle());
    }
    ledger.align_clocks();
    for (const auto& m : ledger.members())
      CHECK(m.clock == ledger.members().front().clock);
  }
}

TEST_CASE("addresses: what is accepted comes back, what is not is quoted with its option and an example") {
  for (const std::string text : {"127.0.0.1:7070", "localhost:0", "[::1]:65535", "host-1.example:1"}) {
    const auto a = parse_address(text, "--listen");
    REQUIRE_MESSAGE(a.ok(), a.error().message);
    CHECK(to_string(*a) == text);
  }
  CHECK(parse_address("[::1]:7", "--join")->host == "::1");
  for (const std::string text : {"", "7070", "host", "host:", ":7070", "host:x", "host:70000", "host:-1",
                                 "host:7 ", "host:+7", "host:7:", "[]:7"}) {
    const auto a = parse_address(text, "--listen");
    REQUIRE_MESSAGE(!a.ok(), text);
    CHECK(a.error().kind == error_kind::configuration);
    CHECK(a.error().message.find("--listen " + text + ": ") == 0);
    CHECK(a.error().message.find("127.0.0.1:7070") != std::string::npos);
  }
}
