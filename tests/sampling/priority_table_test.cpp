#include "sampling/priority_table.hpp"

#include "core/rng.hpp"
#include "sampling/priority_view.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

using namespace triage;

namespace {

std::unique_ptr<predictor> predictor_of(std::string_view description) {
  auto made = make_predictor(json_text(description), {"test", "/predictor"});
  REQUIRE(made.ok());
  return made.take();
}

} // namespace

TEST_CASE("priority table: over random measurements it is the newest finite one of each point") {
  constexpr std::size_t n = 60;
  constexpr float lowest = 0.01F;
  priority_table table(n, static_cast<double>(lowest));
  struct known {
    float value;
    std::uint64_t version;
  };
  std::map<std::uint32_t, known> reference;
  std::uint64_t rejected = 0;
  rng random(31, 1);
  for (int i = 0; i < 20'000; ++i) {
    const auto id = static_cast<std::uint32_t>(random.below(n - 5)); // five are never measured
    const std::uint64_t version = random.below(1000);
    float score = static_cast<float>(random.normal());
    const auto kind = random.below(20);
    if (kind == 0)
      score = std::numeric_limits<float>::quiet_NaN();
    if (kind == 1)
      score = -std::numeric_limits<float>::infinity();
    const auto at = reference.find(id);
    const bool bad = !std::isfinite(score);
    const bool old = !bad && at != reference.end() && version < at->second.version;
    rejected += bad ? 1 : 0;
    REQUIRE(table.record(id, score, version) == (!bad && !old));
    if (!bad && !old)
      reference[id] = {score, version};
  }
  CHECK(table.rejected() == rejected);
  float highest = lowest;
  for (std::uint32_t id = 0; id < n; ++id) {
    const auto at = reference.find(id);
    REQUIRE(table.seen(id) == (at != reference.end()));
    if (at == reference.end()) {
      CHECK(table.value(id) == lowest);
      CHECK(table.version(id) == 0);
      continue;
    }
    CHECK(table.signed_value(id) == at->second.value);
    CHECK(table.value(id) == std::max(at->second.value, lowest));
    CHECK(table.version(id) == at->second.version);
    CHECK(table.predicted(id, 5000, 1e9F) == at->second.value); // no predictor: the last measurement
    highest = std::max(highest, at->second.value);
  }
  CHECK(table.highest() == highest);
  CHECK(!table.extrapolates());
}

TEST_CASE("priority table: staleness is what sorting the ages says, of measured points only") {
  rng random(31, 2);
  for (const std::size_t n : {1U, 2U, 7U, 500U, 4096U}) {
    CAPTURE(n);
    priority_table table(n);
    CHECK(table.staleness(10).unseen_share == 1.0);
    CHECK(table.staleness(10).median == 0.0);
    std::vector<double> ages;
    for (std::uint32_t id = 0; id < n; ++id)
      if (n == 1 || random.uniform() < 0.7) {
        const auto version = random.below(900);
        table.record(id, 1.0F, version);
        ages.push_back(1000.0 - static_cast<double>(version));
      }
    if (ages.empty())
      continue;
    std::sort(ages.begin(), ages.end());
    const auto at = [&](double share) {
      return ages[static_cast<std::size_t>(share * static_cast<double>(ages.size() - 1))];
    };
    const auto s = table.staleness(1000);
    CHECK(s.median == at(0.5));
    CHECK(s.p99 == at(0.99));
    CHECK(s.unseen_share == doctest::Approx(1.0 - static_cast<double>(ages.size()) / static_cast<double>(n)));
  }
}

TEST_CASE(
    "priority table: a measurement that is ahead of the parameters is of age 0, not of a negative one") {
  priority_table table(3);
  for (std::uint32_t id = 0; id < 3; ++id)
    table.record(id, 1.0F, 500);
  CHECK(table.staleness(100).median == 0.0);
}

TEST_CASE(
    "priority table: the effective sample share is 1 for equal priorities and 1/n for a single large one") {
  constexpr std::size_t n = 1000;
  priority_table table(n, 1e-9);
  for (std::uint32_t id = 0; id < n; ++id)
    table.record(id, 3.0F, 1);
  CHECK(table.effective_sample_share() == doctest::Approx(1.0));
  for (std::uint32_t id = 1; id < n; ++id)
    table.record(id, 0.0F, 2);
  CHECK(table.effective_sample_share() == doctest::Approx(1.0 / n).epsilon(1e-4));
  CHECK(priority_table(0).effective_sample_share() == 1.0);
}

TEST_CASE("priority table: times of training are kept where they are asked for, and count from the start") {
  priority_table tracking(2, 1e-6, true);
  tracking.mark_trained(1, 2.5);
  CHECK(tracking.epochs_since_trained(1, 4.0) == doctest::Approx(1.5));
  CHECK(tracking.epochs_since_trained(0, 4.0) == 4.0);
  priority_table plain(2, 1e-6, false);
  plain.mark_trained(1, 2.5);
  CHECK(plain.epochs_since_trained(1, 4.0) == 4.0);
}

TEST_CASE("priority table: what is noted of one point leaves all others alone") {
  for (const bool tracks : {false, true})
    for (const std::size_t points : {1U, 5U, 6U, 7U, 61U}) {
      CAPTURE(tracks);
      CAPTURE(points);
      priority_table table(points, 0.01, tracks);
      std::vector<float> values(points, 0.01F);
      std::vector<double> trained(points, 0.0);
      rng random(32, points);
      for (int i = 0; i < 2000; ++i) {
        const auto id = static_cast<std::uint32_t>(random.below(points));
        if (random.below(2) == 0) {
          values[id] = 1.0F + random.uniform_float();
          REQUIRE(table.record(id, values[id], static_cast<std::uint64_t>(i)));
        } else {
          trained[id] = static_cast<double>(random.below(512)) / 64.0;
          table.mark_trained(id, trained[id]);
        }
        const auto other = static_cast<std::uint32_t>(random.below(points));
        REQUIRE(table.value(other) == values[other]);
        REQUIRE(table.epochs_since_trained(other, 9.0) == (tracks ? 9.0 - trained[other] : 9.0));
      }
      CHECK(table.highest() == *std::max_element(values.begin(), values.end()));
    }
}

TEST_CASE("priority table: saved and loaded it answers and goes on alike, with every predictor") {
  constexpr std::size_t n = 20;
  for (const auto& entry : predictors()) {
    CAPTURE(entry.name);
    const auto make = [&](std::size_t points) {
      return priority_table(points, 1e-3, true, predictor_of("\"" + std::string(entry.name) + "\""));
    };
    auto table = make(n);
    rng random(31, 3);
    const auto measure = [&](priority_table& t, rng& r, std::uint64_t from) {
      for (std::uint64_t v = from; v < from + 200; ++v) {
        const auto id = static_cast<std::uint32_t>(r.below(n));
        t.record(id, static_cast<float>(r.normal()), v);
        t.mark_trained(id, static_cast<double>(v) / 50.0);
      }
    };
    measure(table, random, 0);
    auto copy = make(n);
    REQUIRE(copy.load(table.save()).ok());
    rng one = random;
    rng other = random;
    measure(table, one, 300);
    measure(copy, other, 300);
    for (std::uint32_t id = 0; id < n; ++id) {
      CHECK(copy.signed_value(id) == table.signed_value(id));
      CHECK(copy.version(id) == table.version(id));
      CHECK(copy.predicted(id, 999, 1e6F) == table.predicted(id, 999, 1e6F));
      CHECK(copy.epochs_since_trained(id, 99.0) == table.epochs_since_trained(id, 99.0));
    }
    auto other_data = make(n + 1);
    const auto refused = other_data.load(table.save());
    REQUIRE(!refused.ok());
    CHECK(refused.error().kind == error_kind::data);
    CHECK(refused.error().message.find("20 points") != std::string::npos);
    CHECK(refused.error().message.find("21") != std::string::npos);
  }
}

TEST_CASE(
    "priority view: a sample is a fixed stride of the measured points, and nothing below half of them") {
  constexpr std::size_t n = 10'000;
  priority_table table(n);
  for (std::uint32_t id = 0; id < n; ++id)
    table.record(id, static_cast<float>(id), 1);
  const auto sample = priority_view(table, 1).sample();
  CHECK(sample.size() == 3334); // every third
  CHECK(sample[1] == 3.0);
  CHECK(sample[2] == 6.0);
  priority_table few(10);
  for (std::uint32_t id = 0; id < 4; ++id)
    few.record(id, 1.0F, 1);
  CHECK(priority_view(few, 1).sample().empty());
  few.record(4, 1.0F, 1);
  CHECK(priority_view(few, 1).sample().size() == 5);
}
