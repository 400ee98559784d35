#include "core/regimes.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <set>

using namespace triage;

namespace {

/// Points that know their number: value i, label i % classes.
dataset numbered(std::size_t n, std::int64_t classes) {
  dataset set;
  set.shape = {1, 1, 1};
  set.size = n;
  set.classes = classes;
  for (std::size_t i = 0; i < n; ++i) {
    set.floats.push_back(static_cast<float>(i));
    set.labels.push_back(static_cast<std::int32_t>(static_cast<std::int64_t>(i) % classes));
  }
  return set;
}

std::map<std::int32_t, std::size_t> counts(const dataset& set) {
  std::map<std::int32_t, std::size_t> out;
  for (const auto label : set.labels)
    ++out[label];
  return out;
}

} // namespace

TEST_CASE("label noise changes exactly the share, always to another class, the same for a seed") {
  const auto clean = numbered(1000, 5);
  auto noisy = clean;
  regime_options o;
  o.label_noise = 0.2;
  REQUIRE(apply_regimes(noisy, o, 7).ok());
  CHECK(noisy.floats == clean.floats); // a point keeps its place
  std::size_t changed = 0;
  std::set<std::int32_t> new_labels;
  for (std::size_t i = 0; i < 1000; ++i)
    if (noisy.labels[i] != clean.labels[i]) {
      ++changed;
      new_labels.insert(noisy.labels[i]);
    }
  CHECK(changed == 200);
  CHECK(new_labels.size() == 5);
  auto again = clean;
  auto other = clean;
  REQUIRE(apply_regimes(again, o, 7).ok());
  REQUIRE(apply_regimes(other, o, 8).ok());
  CHECK(again.labels == noisy.labels);
  CHECK(other.labels != noisy.labels);
}

TEST_CASE("imbalance makes class sizes fall geometrically to the ratio") {
  auto set = numbered(5000, 5);
  regime_options o;
  o.imbalance = 100.0;
  REQUIRE(apply_regimes(set, o, 1).ok());
  const auto n = counts(set);
  CHECK(n.at(0) == 1000);
  CHECK(n.at(4) == 10);
  CHECK(n.at(2) == 100);
  CHECK(std::is_sorted(set.floats.begin(), set.floats.end())); // those that stay keep their order
}

TEST_CASE("duplication repeats the whole set, copy by copy; a subset is stratified") {
  auto set = numbered(100, 4);
  regime_options o;
  o.subset = 0.2;
  o.duplication = 5;
  REQUIRE(apply_regimes(set, o, 1).ok());
  REQUIRE(set.size == 100);
  CHECK(set.floats.size() == 100);
  for (std::size_t i = 0; i < 80; ++i) {
    CHECK(set.floats[i] == set.floats[i + 20]);
    CHECK(set.labels[i] == set.labels[i + 20]);
  }
  for (const auto& [label, count] : counts(set))
    CHECK(count == 25);
}

TEST_CASE("regimes that need classes say so for a regression") {
  auto set = numbered(10, 2);
  set.classes = 0;
  set.outputs = 1;
  set.targets.assign(10, 1.0F);
  set.labels.clear();
  regime_options o;
  o.label_noise = 0.1;
  CHECK(apply_regimes(set, o, 1).error().message.find("classes") != std::string::npos);
  regime_options doubled;
  doubled.duplication = 2;
  REQUIRE(apply_regimes(set, doubled, 1).ok());
  CHECK(set.targets.size() == 20);
}

TEST_CASE("a data description applies its regime to the training set only") {
  const auto load = [](const char* regime) {
    const std::string text = std::string(R"({"format": "synthetic", "kind": "blobs", "train_size": 200,
        "test_size": 100, "classes": 4, "regime": )") +
                             regime + "}";
    const auto document = parse_json(text, "d");
    REQUIRE(document.ok());
    json_value resolved;
    auto data = load_data(*document, {"d", ""}, 3, &resolved);
    REQUIRE_MESSAGE(data.ok(), data.error().message);
    return data.take();
  };
  const auto plain = load("{}");
  const auto noisy = load(R"({"label_noise": 0.5})");
  CHECK(noisy.test.labels == plain.test.labels);
  CHECK(noisy.train.labels != plain.train.labels);
  CHECK(noisy.fingerprint != plain.fingerprint);
  CHECK(load(R"({"subset": 0.5, "duplication": 4})").train.size == 400);
}
