#include "nn/schedule.hpp"

#include "core/rng.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <string>
#include <vector>

// Schedules with random options over random runs: continuity, ends, monotony, and the same answer for the
// same part of a run, whichever budget it is measured by.

using namespace triage;

namespace {

std::unique_ptr<schedule> from(const json_value& d) {
  auto made = make_schedule(d, {"test", ""});
  REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message));
  return made.take();
}

/// Random options of every shape that follows the length of the run.
json_value random_description(rng& random, std::string_view name) {
  json_value d(json_value::object{{"type", json_value(name)}});
  if (name == "cosine" || name == "one_cycle")
    d.set("final_factor", json_value(random.uniform()));
  if (name == "exponential")
    d.set("final_factor", json_value(0.001 + 0.9 * random.uniform()));
  if (name == "one_cycle") {
    d.set("initial_factor", json_value(random.uniform()));
    d.set("peak_at", json_value(random.uniform()));
  }
  if (name == "step") {
    d.set("drop", json_value(random.uniform()));
    json_value::array points;
    for (auto n = random.below(4); n > 0; --n)
      points.emplace_back(static_cast<std::int64_t>(random.below(101)));
    d.set("at_percent", json_value(std::move(points)));
  }
  return d;
}

training_progress by_epochs(double part, double length) {
  return {.epochs = part * length, .seconds = 12345.0, .total_epochs = length, .total_seconds = {}};
}
training_progress by_seconds(double part, double length) {
  return {.epochs = 678.0, .seconds = part * length, .total_epochs = {}, .total_seconds = length};
}

template <class Check>
void for_random_schedules(int rounds, const Check& check) {
  rng random(1, 0);
  for (const auto name : names_of(schedules()))
    for (int round = 0; round < rounds; ++round) {
      const auto d = random_description(random, name);
      CAPTURE(dump_json(d));
      check(random, d, *from(d));
    }
}

} // namespace

TEST_CASE(
    "schedule random: the same part of a run gives the same factor, by epochs, by seconds, short or long") {
  for_random_schedules(50, [](rng& random, const json_value&, const schedule& s) {
    for (int i = 0; i < 20; ++i) {
      // Multiples of 1/64 and lengths that are powers of two: the part is exact.
      const double part = static_cast<double>(random.below(65)) / 64.0;
      const double factor = s.factor(by_epochs(part, 16.0));
      CHECK(factor >= 0.0);
      CHECK(factor <= 1.0 + 1e-12);
      CHECK(s.factor(by_seconds(part, 16.0)) == factor);
      CHECK(s.factor(by_epochs(part, 1024.0)) == factor);
      CHECK(s.factor(by_seconds(part, 0.5)) == factor);
    }
  });
}

TEST_CASE("schedule random: of two budgets the one that is used up further counts") {
  for_random_schedules(30, [](rng& random, const json_value&, const schedule& s) {
    const double a = random.uniform();
    const double b = random.uniform();
    const training_progress both{
        .epochs = 8.0 * a, .seconds = 4.0 * b, .total_epochs = 8.0, .total_seconds = 4.0};
    CHECK(s.factor(both) == doctest::Approx(s.factor(by_epochs(std::max(a, b), 8.0))).epsilon(1e-9));
  });
}

TEST_CASE("schedule random: the factor at the end holds after it, and a run of no length is at its end") {
  for_random_schedules(30, [](rng&, const json_value&, const schedule& s) {
    const double end = s.factor(by_epochs(1.0, 10.0));
    CHECK(s.factor(by_epochs(1.5, 10.0)) == end);
    CHECK(s.factor(by_seconds(7.0, 10.0)) == end);
    CHECK(s.factor({.epochs = 0.0, .seconds = 0.0, .total_epochs = 0.0, .total_seconds = {}}) == end);
  });
}

TEST_CASE("schedule random: ends are those of the options") {
  for_random_schedules(30, [](rng&, const json_value& d, const schedule& s) {
    const auto& name = d.find("type")->as_string();
    const auto option = [&](const char* key) { return d.find(key)->as_number(); };
    const double begin = s.factor(by_epochs(0.0, 10.0));
    const double end = s.factor(by_epochs(1.0, 10.0));
    if (name == "one_cycle") {
      CHECK(begin == doctest::Approx(option("initial_factor")));
      CHECK(end == doctest::Approx(option("final_factor")));
      CHECK(s.factor(by_epochs(option("peak_at"), 1.0)) == doctest::Approx(1.0));
    } else if (name == "step") {
      const auto& points = d.find("at_percent")->as_array();
      CHECK(end == doctest::Approx(std::pow(option("drop"), static_cast<double>(points.size()))));
    } else {
      CHECK(begin == 1.0);
      CHECK(end == doctest::Approx(name == "constant" ? 1.0 : option("final_factor")));
    }
  });
}

TEST_CASE("schedule random: no jump but those of steps, which are where they are asked for") {
  constexpr int pieces = 4000;
  for_random_schedules(10, [](rng&, const json_value& d, const schedule& s) {
    const auto& name = d.find("type")->as_string();
    if (name == "one_cycle" &&
        (d.find("peak_at")->as_number() < 0.02 || d.find("peak_at")->as_number() > 0.98))
      return; // a ramp of no width is a jump
    int jumps = 0;
    double before = s.factor(by_epochs(0.0, pieces));
    for (int i = 1; i <= pieces; ++i) {
      const double now = s.factor(by_epochs(i / static_cast<double>(pieces), pieces));
      jumps += std::abs(now - before) > 0.1 / 4 ? 1 : 0;
      before = now;
    }
    CHECK(jumps <= (name == "step" ? static_cast<int>(d.find("at_percent")->as_array().size()) : 0));
  });
}

TEST_CASE("schedule random: what only falls never rises, and one_cycle rises once") {
  for_random_schedules(30, [](rng&, const json_value& d, const schedule& s) {
    int turns = 0;
    bool rising = false;
    for (int i = 1; i <= 1000; ++i) {
      const double step = s.factor(by_epochs(i / 1000.0, 1.0)) - s.factor(by_epochs((i - 1) / 1000.0, 1.0));
      if (std::abs(step) < 1e-15 || (step > 0.0) == rising)
        continue;
      rising = step > 0.0;
      turns += rising ? 1 : 0;
    }
    CHECK(turns <= (d.find("type")->as_string() == "one_cycle" ? 1 : 0));
  });
}

TEST_CASE("schedule random: warm-up multiplies the shape by a ramp, and the slower of two ramps counts") {
  for_random_schedules(20, [](rng& random, const json_value& d, const schedule& plain) {
    const double epochs = 4.0 * random.uniform();
    const double seconds = 100.0 * random.uniform();
    auto warm_description = d;
    warm_description.set("warmup_epochs", json_value(epochs));
    warm_description.set("warmup_seconds", json_value(seconds));
    const auto warm = from(warm_description);
    for (int i = 0; i < 30; ++i) {
      const training_progress p{.epochs = 5.0 * random.uniform(),
                                .seconds = 120.0 * random.uniform(),
                                .total_epochs = 10.0,
                                .total_seconds = {}};
      const double ramp = std::min({1.0, p.epochs / epochs, p.seconds / seconds});
      CHECK(warm->factor(p) == doctest::Approx(ramp * plain.factor(p)).epsilon(1e-9));
    }
  });
}

TEST_CASE(
    "schedule random: periods of steps and powers per epoch or second do not know how long the run is") {
  rng random(3, 0);
  for (int round = 0; round < 100; ++round) {
    const double drop = 0.1 + 0.8 * random.uniform();
    const double every_epochs = 0.5 + 3.0 * random.uniform();
    const double every_seconds = 1.0 + 50.0 * random.uniform();
    const auto steps = from(json_value(json_value::object{{"type", json_value("step")},
                                                          {"drop", json_value(drop)},
                                                          {"every_epochs", json_value(every_epochs)},
                                                          {"every_seconds", json_value(every_seconds)}}));
    const auto powers = from(json_value(json_value::object{{"type", json_value("exponential")},
                                                           {"per_epoch", json_value(drop)},
                                                           {"per_second", json_value(0.99)}}));
    const double e = 20.0 * random.uniform();
    const double t = 200.0 * random.uniform();
    for (const auto total :
         {std::optional<double>{}, std::optional<double>{5.0}, std::optional<double>{500.0}}) {
      const training_progress p{.epochs = e, .seconds = t, .total_epochs = total, .total_seconds = {}};
      CHECK(steps->factor(p) ==
            doctest::Approx(std::pow(drop, std::floor(e / every_epochs) + std::floor(t / every_seconds))));
      CHECK(powers->factor(p) == doctest::Approx(std::pow(drop, e) * std::pow(0.99, t)));
    }
  }
}
