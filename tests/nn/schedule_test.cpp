#include "nn/schedule.hpp"

#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <vector>

using namespace triage;

namespace {

std::unique_ptr<schedule> schedule_from(const json_value& description) {
  auto made = make_schedule(description, {"test.json", "/schedule"});
  REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message));
  return made.take();
}

std::unique_ptr<schedule> schedule_from(const char* text) {
  return schedule_from(json_text(text));
}

training_progress at_epoch(double epochs) {
  return {.epochs = epochs, .seconds = 0.0, .total_epochs = 10.0, .total_seconds = {}};
}

training_progress at_second(double seconds) {
  return {.epochs = 0.0, .seconds = seconds, .total_epochs = {}, .total_seconds = 40.0};
}

template <class Check>
void for_every_schedule(const Check& check) {
  for (const auto name : names_of(schedules())) {
    CAPTURE(name);
    check(name);
  }
}

} // namespace

TEST_CASE("the fraction of a run is the larger of those known") {
  CHECK(training_progress{}.fraction() == 0.0);
  CHECK(training_progress{.epochs = 5, .seconds = 3, .total_epochs = {}, .total_seconds = {}}.fraction() ==
        0.0);
  CHECK(training_progress{.epochs = 5, .seconds = 3, .total_epochs = 10.0, .total_seconds = {}}.fraction() ==
        0.5);
  CHECK(
      training_progress{.epochs = 5, .seconds = 9, .total_epochs = 10.0, .total_seconds = 12.0}.fraction() ==
      0.75);
  CHECK(
      training_progress{.epochs = 11, .seconds = 0, .total_epochs = 10.0, .total_seconds = 12.0}.fraction() ==
      1.0);
  CHECK(training_progress{.epochs = 0, .seconds = 0, .total_epochs = 0.0, .total_seconds = {}}.fraction() ==
        1.0);
}

TEST_CASE("every schedule stays between 0 and 1, in epochs and in seconds alike, and beyond the end") {
  for_every_schedule([](std::string_view name) {
    const auto s = schedule_from(json_value(name));
    double largest = 0.0;
    for (int i = 0; i <= 1200; ++i) {
      const double f = s->factor(at_epoch(i / 100.0));
      CHECK_UNARY(f >= 0.0 && f <= 1.0);
      CHECK(f == doctest::Approx(s->factor(at_second(i / 25.0))));
      largest = std::max(largest, f);
    }
    CHECK(largest == doctest::Approx(1.0));
    CHECK(s->factor(at_epoch(12.0)) == s->factor(at_epoch(10.0)));
  });
}

TEST_CASE("every schedule warms up linearly from zero, by epochs and by seconds, and is itself afterwards") {
  for_every_schedule([](std::string_view name) {
    const auto cold = schedule_from(json_value(name));
    json_value d(json_value::object{{"type", json_value(name)}, {"warmup_epochs", json_value(0.5)}});
    const auto warm = schedule_from(d);
    CHECK(warm->factor(at_epoch(0.0)) == 0.0);
    CHECK(warm->factor(at_epoch(0.125)) == doctest::Approx(0.25 * cold->factor(at_epoch(0.125))));
    for (const double e : {0.5, 0.75, 5.0, 10.0})
      CHECK(warm->factor(at_epoch(e)) == cold->factor(at_epoch(e)));
    d.set("warmup_epochs", json_value(0.0));
    d.set("warmup_seconds", json_value(4.0));
    const auto timed = schedule_from(d);
    CHECK(timed->factor(at_second(1.0)) == doctest::Approx(0.25 * cold->factor(at_second(1.0))));
    CHECK(timed->factor(at_second(5.0)) == cold->factor(at_second(5.0)));
    d.set("warmup_epochs", json_value(1.0));
    const training_progress both{.epochs = 0.5, .seconds = 1.0, .total_epochs = {}, .total_seconds = {}};
    CHECK(schedule_from(d)->factor(both) ==
          doctest::Approx(0.25 * cold->factor(both))); // the slower one counts
  });
}

TEST_CASE("smooth schedules have no jump") {
  for (const auto name : {"constant", "exponential", "cosine", "one_cycle"}) {
    const auto s = schedule_from(json_value(name));
    for (int i = 0; i < 10000; ++i)
      CHECK(std::abs(s->factor(at_epoch((i + 1) / 1000.0)) - s->factor(at_epoch(i / 1000.0))) < 1e-3);
  }
}

TEST_CASE("cosine by hand") {
  const auto s = schedule_from(R"("cosine")");
  CHECK(s->factor(at_epoch(0.0)) == 1.0);
  CHECK(s->factor(at_epoch(5.0)) == doctest::Approx(0.5));
  CHECK(s->factor(at_epoch(10.0)) == 0.0);
  const auto raised = schedule_from(R"({"type": "cosine", "final_factor": 0.2})");
  CHECK(raised->factor(at_epoch(5.0)) == doctest::Approx(0.6));
  CHECK(raised->factor(at_epoch(10.0)) == doctest::Approx(0.2));
}

TEST_CASE("step by hand: default points, and periods") {
  const auto s = schedule_from(R"("step")");
  CHECK(s->factor(at_epoch(4.99)) == 1.0);
  CHECK(s->factor(at_epoch(5.0)) == doctest::Approx(0.1));
  CHECK(s->factor(at_epoch(7.5)) == doctest::Approx(0.01));
  const auto periods =
      schedule_from(R"({"type": "step", "drop": 0.5, "every_epochs": 3, "every_seconds": 100})");
  CHECK(periods->factor({.epochs = 6.5, .seconds = 99, .total_epochs = {}, .total_seconds = {}}) == 0.25);
  CHECK(periods->factor({.epochs = 6.5, .seconds = 101, .total_epochs = {}, .total_seconds = {}}) == 0.125);
}

TEST_CASE("exponential by hand: over the run, or per epoch and second") {
  CHECK(schedule_from(R"("exponential")")->factor(at_epoch(5.0)) == doctest::Approx(0.1));
  const auto s = schedule_from(R"({"type": "exponential", "per_epoch": 0.5, "per_second": 0.9})");
  CHECK(s->factor({.epochs = 2, .seconds = 1, .total_epochs = {}, .total_seconds = {}}) ==
        doctest::Approx(0.225));
}

TEST_CASE("one_cycle by hand") {
  const auto s =
      schedule_from(R"({"type": "one_cycle", "initial_factor": 0.1, "peak_at": 0.4, "final_factor": 0.01})");
  CHECK(s->factor(at_epoch(0.0)) == doctest::Approx(0.1));
  CHECK(s->factor(at_epoch(2.0)) == doctest::Approx(0.55));
  CHECK(s->factor(at_epoch(4.0)) == doctest::Approx(1.0));
  CHECK(s->factor(at_epoch(7.0)) == doctest::Approx(0.505));
  CHECK(s->factor(at_epoch(10.0)) == doctest::Approx(0.01));
  for (const auto* edge :
       {R"({"type": "one_cycle", "peak_at": 0})", R"({"type": "one_cycle", "peak_at": 1})"})
    for (const double e : {0.0, 3.0, 10.0})
      CHECK(std::isfinite(schedule_from(edge)->factor(at_epoch(e))));
}

TEST_CASE("bad schedules are refused") {
  for (const auto* text :
       {R"("cosin")", R"({"type": "cosine", "warmup_epochs": -1})", R"({"type": "constant", "drop": 1})"})
    CHECK_FALSE(make_schedule(json_text(text), {"run.json", "/schedule"}).ok());
}

TEST_CASE(
    "options of a schedule that exclude each other are named; what a finished description repeats is not") {
  const auto problem = [](const char* text) {
    const auto made = make_schedule(json_text(text), {"run.json", "/schedule"});
    return made.ok() ? std::string() : made.error().message;
  };
  CHECK(problem(R"({"type": "step", "at_percent": [30], "every_epochs": 2})").find("at_percent") !=
        std::string::npos);
  CHECK(problem(R"({"type": "exponential", "final_factor": 0.1, "per_second": 0.9})").find("final_factor") !=
        std::string::npos);
  CHECK(problem(R"({"type": "step", "at_percent": [50, 75], "every_seconds": 2})").empty());
  CHECK(problem(R"({"type": "step", "at_percent": [30], "every_epochs": null})").empty());
  CHECK(problem(R"({"type": "exponential", "final_factor": 0.01, "per_epoch": 0.9})").empty());
}
