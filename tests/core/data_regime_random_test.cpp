#include "core/data_split.hpp"
#include "core/regimes.hpp"
#include "core/rng.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <map>
#include <numeric>
#include <set>
#include <vector>

// Splits, regimes and standardisation over random data sets, against what their headers promise and against
// plain computations in double precision.

using namespace triage;

namespace {

/// Points that know their number (feature 0) and their class (feature 1); classes of random, also zero, size.
dataset random_set(rng& random, bool bytes = false) {
  dataset set;
  set.shape = {2, 1, 1};
  set.classes = 2 + static_cast<std::int64_t>(random.below(6));
  for (std::int64_t c = 0; c < set.classes; ++c)
    set.labels.insert(set.labels.end(), random.below(40), static_cast<std::int32_t>(c));
  if (set.labels.empty())
    set.labels.push_back(0);
  shuffle(set.labels, random);
  set.size = set.labels.size();
  for (std::size_t i = 0; i < set.size; ++i) {
    if (bytes)
      set.bytes.insert(set.bytes.end(),
                       {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(set.labels[i])});
    else
      set.floats.insert(set.floats.end(), {static_cast<float>(i), static_cast<float>(set.labels[i])});
  }
  return set;
}

std::vector<std::size_t> class_sizes(const dataset& set) {
  std::vector<std::size_t> out(static_cast<std::size_t>(set.classes));
  for (const auto l : set.labels)
    ++out[static_cast<std::size_t>(l)];
  return out;
}

std::vector<float> numbers_of(const dataset& set) {
  std::vector<float> out;
  for (std::size_t i = 0; i < set.size; ++i)
    out.push_back(set.floats[2 * i]);
  return out;
}

/// Labels still belong to their points.
bool labels_match(const dataset& set) {
  for (std::size_t i = 0; i < set.size; ++i)
    if (set.floats[2 * i + 1] != static_cast<float>(set.labels[i]))
      return false;
  return true;
}

} // namespace

TEST_CASE("split random: ids are ascending and unique, stratified to one sample, and no class vanishes") {
  rng random(1, 0);
  for (int round = 0; round < 500; ++round) {
    const auto set = random_set(random);
    const double fraction = random.uniform() * 0.9;
    const auto ids = choose_held_out(set, fraction, {static_cast<std::uint64_t>(round), 1});
    CHECK(std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end());
    const auto before = class_sizes(set);
    std::vector<std::size_t> taken(before.size());
    for (const auto id : ids) {
      REQUIRE(id < set.size);
      ++taken[static_cast<std::size_t>(set.labels[id])];
    }
    std::size_t limited = 0;
    for (std::size_t c = 0; c < before.size(); ++c) {
      const double share = fraction * static_cast<double>(before[c]);
      CHECK(std::abs(static_cast<double>(taken[c]) - share) <= 1.0);
      CHECK((before[c] == 0 || taken[c] < before[c]));
      limited += before[c] > 0 && std::ceil(share) >= static_cast<double>(before[c]) ? 1 : 0;
    }
    const double total = std::round(fraction * static_cast<double>(set.size));
    CHECK(std::abs(static_cast<double>(ids.size()) - total) <= static_cast<double>(limited));
  }
}

TEST_CASE("split random: what is taken and what stays are the whole, each in its order") {
  rng random(2, 0);
  for (int round = 0; round < 300; ++round) {
    auto set = random_set(random);
    const auto whole = numbers_of(set);
    const auto ids = choose_held_out(set, random.uniform(), {static_cast<std::uint64_t>(round), 1});
    const auto out = take_samples(set, ids);
    CHECK(out.size == ids.size());
    CHECK(labels_match(set));
    CHECK(labels_match(out));
    const auto kept = numbers_of(set);
    const auto taken = numbers_of(out);
    CHECK(std::is_sorted(kept.begin(), kept.end()));
    CHECK(std::equal(taken.begin(), taken.end(), ids.begin(), ids.end(),
                     [](float a, std::uint32_t b) { return a == static_cast<float>(b); }));
    std::vector<float> both;
    std::merge(kept.begin(), kept.end(), taken.begin(), taken.end(), std::back_inserter(both));
    CHECK(both == whole);
  }
}

TEST_CASE("split random: each sample is held out about as often as the fraction says") {
  rng random(3, 0);
  dataset set;
  set.shape = {1, 1, 1};
  set.size = 50;
  set.outputs = 1;
  set.targets.resize(50);
  set.floats.resize(50);
  std::vector<int> held(50);
  for (std::uint64_t seed = 0; seed < 2000; ++seed)
    for (const auto id : choose_held_out(set, 0.3, {seed, 1}))
      ++held[id];
  for (const int h : held)
    CHECK(std::abs(h - 600) < 5.0 * std::sqrt(2000 * 0.3 * 0.7));
}

TEST_CASE(
    "regimes random: any combination keeps labels in range, sizes consistent, and is the same for a seed") {
  rng random(4, 0);
  for (int round = 0; round < 300; ++round) {
    const auto original = random_set(random);
    regime_options o;
    o.subset = random.below(2) == 0 ? 1.0 : 0.05 + 0.95 * random.uniform();
    o.imbalance = random.below(2) == 0 ? 1.0 : std::exp(5.0 * random.uniform());
    o.duplication = 1 + static_cast<std::int64_t>(random.below(4));
    o.label_noise = random.below(2) == 0 ? 0.0 : random.uniform();
    auto set = original;
    const auto seed = static_cast<std::uint64_t>(round);
    REQUIRE(apply_regimes(set, o, seed).ok());
    auto again = original;
    REQUIRE(apply_regimes(again, o, seed).ok());
    CHECK(again.labels == set.labels);
    CHECK(again.floats == set.floats);
    REQUIRE(check_dataset(set, "training").ok());
    CHECK(set.size % static_cast<std::size_t>(o.duplication) == 0);
    CHECK(set.size <= original.size * static_cast<std::size_t>(o.duplication));
    // Feature 1 still says which class a point had: noise is counted exactly, and no class is lost.
    std::size_t noisy = 0;
    std::set<float> classes;
    for (std::size_t i = 0; i < set.size; ++i) {
      noisy += set.floats[2 * i + 1] != static_cast<float>(set.labels[i]) ? 1 : 0;
      classes.insert(set.floats[2 * i + 1]);
    }
    CHECK(noisy == static_cast<std::size_t>(std::llround(o.label_noise * static_cast<double>(set.size))));
    CHECK(classes == std::set<float>(original.labels.begin(), original.labels.end()));
    // Each point occurs as often as any other, and copies follow behind the whole set.
    const auto numbers = numbers_of(set);
    const std::size_t once = set.size / static_cast<std::size_t>(o.duplication);
    CHECK(std::is_sorted(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(once)));
    for (std::size_t i = once; i < set.size; ++i)
      REQUIRE(numbers[i] == numbers[i - once]);
  }
}

TEST_CASE("regimes random: switches that are off change nothing, and each has a random stream of its own") {
  rng random(5, 0);
  const auto original = random_set(random);
  auto set = original;
  REQUIRE(apply_regimes(set, {}, 9).ok());
  CHECK(set.floats == original.floats);
  CHECK(set.labels == original.labels);
  // Which points a subset keeps does not depend on the noise.
  regime_options subset;
  subset.subset = 0.5;
  auto plain = original;
  REQUIRE(apply_regimes(plain, subset, 9).ok());
  subset.label_noise = 0.5;
  auto noisy = original;
  REQUIRE(apply_regimes(noisy, subset, 9).ok());
  CHECK(noisy.floats == plain.floats);
}

TEST_CASE("regimes: the new label of a noisy point is any other class, equally often") {
  dataset set;
  set.shape = {1, 1, 1};
  set.size = 30000;
  set.classes = 4;
  set.labels.assign(set.size, 2);
  set.floats.assign(set.size, 0.0F);
  regime_options o;
  o.label_noise = 1.0;
  REQUIRE(apply_regimes(set, o, 3).ok());
  const auto sizes = class_sizes(set);
  CHECK(sizes[2] == 0);
  for (const std::size_t c : {0U, 1U, 3U})
    CHECK(std::abs(static_cast<double>(sizes[c]) - 10000.0) < 5.0 * std::sqrt(30000.0 * 2.0 / 9.0));
}

TEST_CASE("regimes: a set that would not fit the index is refused before memory is taken") {
  dataset set;
  set.shape = {1, 1, 1};
  set.classes = 2;
  set.size = std::size_t{1} << 31U; // says so; holds nothing
  regime_options o;
  o.duplication = 2;
  const auto applied = apply_regimes(set, o, 1);
  REQUIRE_FALSE(applied.ok());
  CHECK(applied.error().message.find("\"duplication\"") != std::string::npos);
}

TEST_CASE(
    "standardisation random: scale and shift are those of a plain two-pass computation, bytes and floats") {
  rng random(6, 0);
  for (int round = 0; round < 60; ++round) {
    dataset set;
    set.shape = {1 + static_cast<std::int64_t>(random.below(4)),
                 1 + static_cast<std::int64_t>(random.below(4)),
                 1 + static_cast<std::int64_t>(random.below(4))};
    set.size = 2 + random.below(50);
    set.outputs = 1;
    set.targets.resize(set.size);
    const auto values = set.size * static_cast<std::size_t>(set.shape.size());
    const bool bytes = random.below(2) == 0;
    const double center = 1000.0 * random.normal();
    for (std::size_t i = 0; i < values; ++i)
      if (bytes)
        set.bytes.push_back(static_cast<std::uint8_t>(random.below(256)));
      else
        set.floats.push_back(static_cast<float>(center + random.normal()));
    const auto s = measure_standardisation(set, true);
    const auto channels = static_cast<std::size_t>(set.shape.channels);
    const auto plane = static_cast<std::size_t>(set.shape.height * set.shape.width);
    const auto value = [&](std::size_t i, std::size_t c, std::size_t p) {
      const auto k = (i * channels + c) * plane + p;
      return bytes ? static_cast<long double>(set.bytes[k]) : static_cast<long double>(set.floats[k]);
    };
    REQUIRE(s.scale.size() == channels);
    for (std::size_t c = 0; c < channels; ++c) {
      long double mean = 0;
      long double square = 0;
      for (std::size_t i = 0; i < set.size; ++i)
        for (std::size_t p = 0; p < plane; ++p)
          mean += value(i, c, p);
      mean /= static_cast<long double>(set.size * plane);
      for (std::size_t i = 0; i < set.size; ++i)
        for (std::size_t p = 0; p < plane; ++p)
          square += (value(i, c, p) - mean) * (value(i, c, p) - mean);
      const auto deviation = std::sqrt(static_cast<double>(square) / static_cast<double>(set.size * plane));
      CHECK(static_cast<double>(s.scale[c]) == doctest::Approx(1.0 / deviation).epsilon(1e-6));
      CHECK(static_cast<double>(s.shift[c]) ==
            doctest::Approx(-static_cast<double>(mean) / deviation).epsilon(1e-6));
    }
    // A sample gathered alone equals the same sample gathered in company.
    std::vector<std::uint32_t> ids(set.size);
    std::iota(ids.begin(), ids.end(), 0U);
    shuffle(ids, random);
    const auto width = static_cast<std::size_t>(set.shape.size());
    std::vector<float> all(ids.size() * width);
    gather_samples(set, s, ids, all);
    std::vector<float> one(width);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      gather_samples(set, s, std::span(ids).subspan(i, 1), one);
      REQUIRE(std::equal(one.begin(), one.end(), all.begin() + static_cast<std::ptrdiff_t>(i * width)));
    }
  }
}

TEST_CASE("fingerprint random: any change of any part of any set gives another one") {
  rng random(7, 0);
  for (int round = 0; round < 200; ++round) {
    const auto train = random_set(random, true);
    const auto validation = random_set(random);
    const auto test = random_set(random);
    const auto base = fingerprint_of(train, validation, test);
    CHECK(fingerprint_of(train, validation, test) == base);
    dataset sets[] = {train, validation, test};
    auto& set = sets[random.below(3)];
    switch (random.below(4)) {
    case 0:
      set.labels[random.below(set.size)] += 1;
      break;
    case 1:
      if (set.is_bytes())
        set.bytes[random.below(set.bytes.size())] ^= 1U;
      else
        set.floats[random.below(set.floats.size())] += 0.5F;
      break;
    case 2:
      set.classes += 1;
      break;
    default:
      set.shape = {1, 2, 1};
    }
    CHECK(fingerprint_of(sets[0], sets[1], sets[2]) != base);
  }
}
