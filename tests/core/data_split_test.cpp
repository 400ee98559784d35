#include "core/data_split.hpp"
#include "core/regimes.hpp"
#include "tests/core/data_support.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>

using namespace triage;
using namespace triage::test;

namespace {

/// Byte images 1x1x2 whose first byte is the index; class sizes as given.
dataset bytes_of(const std::vector<std::size_t>& sizes) {
  dataset set;
  set.shape = {1, 1, 2};
  set.classes = static_cast<std::int64_t>(sizes.size());
  for (std::size_t c = 0; c < sizes.size(); ++c)
    set.labels.insert(set.labels.end(), sizes[c], static_cast<std::int32_t>(c));
  set.size = set.labels.size();
  rng random(1, 0);
  shuffle(set.labels, random);
  for (std::size_t i = 0; i < set.size; ++i)
    set.bytes.insert(set.bytes.end(),
                     {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(set.labels[i])});
  return set;
}

} // namespace

TEST_CASE("held-out samples are stratified, seeded and never a whole class") {
  const auto set = bytes_of({100, 50, 7, 1, 0});
  const auto ids = choose_held_out(set, 0.2, {1, rng_purpose::split, 0});
  CHECK(ids.size() == 32); // 31.6 rounded, of 20 + 10 + 1.4 + 0.2: the single sample of class 3 stays
  CHECK(std::is_sorted(ids.begin(), ids.end()));
  std::vector<int> taken(5);
  for (const auto id : ids)
    ++taken[static_cast<std::size_t>(set.labels[id])];
  CHECK(taken == std::vector<int>{20, 10, 2, 0, 0});
  CHECK(ids == choose_held_out(set, 0.2, {1, rng_purpose::split, 0}));
  CHECK(ids != choose_held_out(set, 0.2, {2, rng_purpose::split, 0}));
  CHECK(choose_held_out(set, 0.0, {1, rng_purpose::split, 0}).empty());
}

TEST_CASE("taking samples keeps order, contents and the buffer") {
  auto set = bytes_of({6, 6});
  const auto original = set;
  const auto* buffer = set.bytes.data();
  const auto out = take_samples(set, {0, 3, 4, 11});
  CHECK(set.size == 8);
  CHECK(out.size == 4);
  CHECK(set.bytes.data() == buffer);
  std::vector<int> kept;
  for (std::size_t i = 0; i < set.size; ++i) {
    kept.push_back(set.bytes[2 * i]);
    CHECK(set.bytes[2 * i + 1] == set.labels[i]);
  }
  CHECK(kept == std::vector<int>{1, 2, 5, 6, 7, 8, 9, 10});
  CHECK(out.bytes[2] == 3);
  CHECK(out.labels[3] == original.labels[11]);
  CHECK(check_dataset(out, "held-out").ok());
  CHECK(check_dataset(set, "training").ok());
}

TEST_CASE("splits of load_data are disjoint, complete and of the sizes asked for") {
  const std::string options =
      "{'format': 'synthetic', 'kind': 'regression', 'train_size': 200, 'test_size': 0, "
      "'validation_fraction': 0.1, 'test_fraction': 0.3, 'standardize': false}";
  const auto data = load(options);
  REQUIRE_MESSAGE(data.ok(), data.error().message);
  CHECK(data->train.size == 120);
  CHECK(data->validation.size == 20);
  CHECK(data->test.size == 60);
  std::vector<float> all;
  for (const auto* set : {&data->train, &data->validation, &data->test})
    all.insert(all.end(), set->targets.begin(), set->targets.end());
  std::sort(all.begin(), all.end());
  CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
  CHECK(load(options, 2)->fingerprint != data->fingerprint);
  CHECK(data->fingerprint.size() == 64);
  const auto greedy =
      load("{'format': 'synthetic', 'test_size': 0, 'validation_fraction': 0.6, 'test_fraction': 0.6}");
  REQUIRE(!greedy.ok());
  CHECK(contains(greedy.error().message, "leave nothing"));
}

TEST_CASE("the fingerprint sees every value, the shape and the split") {
  const auto set = bytes_of({3, 3});
  const auto base = fingerprint_of(set, {}, set);
  auto other = set;
  other.bytes[5] ^= 1U;
  CHECK(fingerprint_of(other, {}, set) != base);
  other = set;
  std::swap(other.shape.channels, other.shape.width);
  CHECK(fingerprint_of(other, {}, set) != base);
  other = set;
  other.labels[0] = 1 - other.labels[0];
  CHECK(fingerprint_of(other, {}, set) != base);
  CHECK(fingerprint_of(set, set, {}) != base);
}

TEST_CASE("standardised samples have mean 0 and deviation 1 per channel") {
  for (const bool images : {true, false}) {
    CAPTURE(images);
    const auto data =
        load(images ? "{'format': 'synthetic', 'kind': 'images', 'channels': 2, 'train_size': 100}"
                    : "{'format': 'synthetic', 'kind': 'blobs', 'features': 5, 'train_size': 300}");
    REQUIRE_MESSAGE(data.ok(), data.error().message);
    const auto& set = data->train;
    std::vector<std::uint32_t> ids(set.size);
    std::iota(ids.begin(), ids.end(), 0U);
    const auto size = static_cast<std::size_t>(set.shape.size());
    const auto plane = static_cast<std::size_t>(set.shape.height * set.shape.width);
    std::vector<float> out(set.size * size);
    gather_samples(set, data->standard, ids, out);
    for (std::size_t c = 0; c < static_cast<std::size_t>(set.shape.channels); ++c) {
      double sum = 0.0;
      double squares = 0.0;
      for (std::size_t i = 0; i < set.size; ++i)
        for (std::size_t p = 0; p < plane; ++p) {
          const double x = static_cast<double>(out[i * size + c * plane + p]);
          sum += x;
          squares += x * x;
        }
      const double n = static_cast<double>(set.size * plane);
      CHECK(std::abs(sum / n) < 1e-4);
      CHECK(squares / n == doctest::Approx(1.0).epsilon(1e-3));
    }
  }
}

TEST_CASE("gathering follows the ids, with repetition, and handles the empty list") {
  dataset set;
  set.shape = {2, 1, 2};
  set.size = 3;
  set.classes = 1;
  set.labels = {0, 0, 0};
  set.bytes = {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 255};
  const standardisation s{{2.0F, 0.5F}, {1.0F, -1.0F}};
  std::vector<float> out(12);
  gather_samples(set, s, std::vector<std::uint32_t>{2, 0, 2}, out);
  CHECK(out == std::vector<float>{41, 43, 10, 126.5F, 1, 3, 0, 0.5F, 41, 43, 10, 126.5F});
  gather_samples(set, s, {}, {});
}

TEST_CASE("channels without spread are centred and stay finite") {
  dataset set;
  set.shape = {3, 1, 1};
  set.size = 2;
  set.outputs = 1;
  set.targets = {0, 1};
  set.floats = {7.0F, 1e30F, 0.0F, 7.0F, 1e30F, 1e-38F};
  const auto s = measure_standardisation(set, true);
  CHECK(s.scale == std::vector<float>{1, 1, 1});
  CHECK(s.shift[0] == -7.0F);
  std::vector<float> out(6);
  gather_samples(set, s, std::vector<std::uint32_t>{0, 1}, out);
  CHECK(out[1] == 0.0F);
  CHECK(std::all_of(out.begin(), out.end(), [](float x) { return std::isfinite(x); }));
  const auto off = measure_standardisation(set, false);
  CHECK(off.scale == std::vector<float>{1, 1, 1});
  CHECK(off.shift == std::vector<float>{0, 0, 0});
  const auto bytes = bytes_of({2});
  CHECK(measure_standardisation(bytes, false).scale[0] == doctest::Approx(1.0 / 255.0));
}

TEST_CASE("check_dataset refuses what breaks a promise") {
  const auto good = bytes_of({3, 3});
  CHECK(check_dataset(good, "training").ok());
  const auto refused = [&](const auto& change) {
    auto set = good;
    change(set);
    const auto checked = check_dataset(set, "training");
    return !checked.ok() && checked.error().kind == error_kind::data;
  };
  CHECK(refused([](dataset& s) { s.size = 0; }));
  CHECK(refused([](dataset& s) { s.size = 5; }));
  CHECK(refused([](dataset& s) { s.bytes.pop_back(); }));
  CHECK(refused([](dataset& s) { s.labels[2] = 2; }));
  CHECK(refused([](dataset& s) { s.labels[2] = -1; }));
  CHECK(refused([](dataset& s) { s.labels.pop_back(); }));
  CHECK(refused([](dataset& s) { s.classes = 0; }));
  CHECK(refused([](dataset& s) { s.outputs = 1; }));
  CHECK(refused([](dataset& s) { s.shape.width = 0; }));
  CHECK(refused([](dataset& s) { s.floats.assign(12, 0.0F); }));
  CHECK(refused([](dataset& s) {
    s.bytes.clear();
    s.floats.assign(12, 0.0F);
    s.floats[3] = std::nanf("");
  }));
}

TEST_CASE(
    "samples keep the numbers of their rows, whatever is taken out, and copies have those of their first") {
  auto set = bytes_of({10, 10});
  CHECK(set.row_of(7) == 7);
  const auto taken = take_samples(set, {3, 4, 19});
  const auto again = take_samples(set, {0, 3}); // of what is left: rows 0 and 5
  CHECK(taken.rows == std::vector<std::uint32_t>{3, 4, 19});
  CHECK(again.rows == std::vector<std::uint32_t>{0, 5});
  for (std::size_t i = 0; i < set.size; ++i)
    CHECK(set.bytes[2 * i] == set.row_of(i));
  CHECK(check_dataset(set, "training").ok());
  regime_options copies;
  copies.duplication = 2;
  const std::size_t once = set.size;
  REQUIRE(apply_regimes(set, copies, 1).ok());
  for (std::size_t i = 0; i < once; ++i)
    CHECK(set.row_of(once + i) == set.row_of(i));
  CHECK(set.byte_rows()[1][0] == set.bytes[2]); // rows are of a file, not of memory
}
