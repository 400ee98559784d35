#include "tests/core/data_support.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <map>

using namespace triage;
using namespace triage::test;

namespace {

result<data_splits> make(const std::string& options, std::uint64_t seed = 1) {
  return load("{'format': 'synthetic', 'standardize': false, " + options + "}", seed);
}

std::map<std::int32_t, std::size_t> counts(const dataset& set) {
  std::map<std::int32_t, std::size_t> out;
  for (const auto l : set.labels)
    ++out[l];
  return out;
}

/// Share of test samples whose nearest training sample has the same label: whether there is something to
/// learn.
double nearest_neighbour_accuracy(const data_splits& data) {
  const auto width = static_cast<std::size_t>(data.train.shape.size());
  const auto value = [&](const dataset& set, std::size_t at) {
    return set.is_bytes() ? static_cast<float>(set.bytes[at]) / 255.0F : set.floats[at];
  };
  std::size_t right = 0;
  for (std::size_t i = 0; i < data.test.size; ++i) {
    float best = 1e30F;
    std::int32_t label = -1;
    for (std::size_t j = 0; j < data.train.size; ++j) {
      float distance = 0.0F;
      for (std::size_t k = 0; k < width; ++k) {
        const float d = value(data.test, i * width + k) - value(data.train, j * width + k);
        distance += d * d;
      }
      if (distance < best) {
        best = distance;
        label = data.train.labels[j];
      }
    }
    right += label == data.test.labels[i] ? 1U : 0U;
  }
  return static_cast<double>(right) / static_cast<double>(data.test.size);
}

const std::vector<std::string> kinds = {"xor", "blobs", "spirals", "regression", "images"};

} // namespace

TEST_CASE("synthetic: every kind has the sizes asked for, is finite, and depends on the seed alone") {
  for (const auto& kind : kinds) {
    CAPTURE(kind);
    const auto options = "'kind': '" + kind + "', 'train_size': 90, 'test_size': 31";
    const auto a = make(options, 5);
    REQUIRE_MESSAGE(a.ok(), a.error().message);
    CHECK(a->train.size == 90);
    CHECK(a->test.size == 31);
    CHECK(check_dataset(a->train, "training").ok());
    CHECK(make(options, 5)->fingerprint == a->fingerprint);
    CHECK(make(options, 6)->fingerprint != a->fingerprint);
    CHECK(make(options + ", 'seed': 5", 6)->fingerprint == a->fingerprint);
    // The training set does not change with the size of the test set.
    const auto other = make("'kind': '" + kind + "', 'train_size': 90, 'test_size': 7", 5);
    CHECK(other->train.floats == a->train.floats);
    CHECK(other->train.bytes == a->train.bytes);
  }
}

TEST_CASE("synthetic: the classes can be told apart, and training samples say which") {
  for (const auto& kind : kinds) {
    if (kind == "regression")
      continue;
    const auto data = make("'kind': '" + kind + "', 'train_size': 600, 'test_size': 150, 'noise': 0.03");
    REQUIRE_MESSAGE(data.ok(), data.error().message);
    CHECK_MESSAGE(nearest_neighbour_accuracy(*data) > 0.9, kind);
  }
}

TEST_CASE("synthetic: shapes follow the options") {
  const auto images =
      make("'kind': 'images', 'channels': 3, 'height': 5, 'width': 7, 'classes': 4, 'train_size': 20");
  CHECK(images->train.shape == sample_shape{3, 5, 7});
  CHECK(images->train.bytes.size() == 20 * 105);
  CHECK(images->train.classes == 4);
  const auto regression = make("'kind': 'regression', 'features': 6, 'outputs': 2, 'train_size': 20");
  CHECK(regression->train.shape == sample_shape{6, 1, 1});
  CHECK(regression->train.targets.size() == 40);
  CHECK(make("'test_size': 0, 'test_fraction': 0.25, 'train_size': 100")->test.size == 25);
}

TEST_CASE("synthetic: label noise changes that share of the training labels and no test label") {
  const auto clean = make("'kind': 'blobs', 'train_size': 4000");
  const auto noisy = make("'kind': 'blobs', 'train_size': 4000, 'label_noise': 0.25");
  std::size_t changed = 0;
  for (std::size_t i = 0; i < 4000; ++i)
    changed += clean->train.labels[i] != noisy->train.labels[i] ? 1U : 0U;
  CHECK(changed > 850);
  CHECK(changed < 1150);
  CHECK(clean->test.labels == noisy->test.labels);
  const auto exact = make("'kind': 'regression', 'train_size': 50");
  const auto blurred = make("'kind': 'regression', 'train_size': 50, 'label_noise': 0.5");
  CHECK(exact->train.targets != blurred->train.targets);
  CHECK(exact->test.targets == blurred->test.targets);
}

TEST_CASE("synthetic: imbalance is the ratio of the first class to the last one") {
  const auto data =
      make("'kind': 'blobs', 'classes': 3, 'train_size': 1110, 'imbalance': 100, 'test_size': 30");
  auto train = counts(data->train);
  CHECK(train[0] == 1000);
  CHECK(train[1] == 100);
  CHECK(train[2] == 10);
  auto test = counts(data->test);
  CHECK(test[0] == 10);
  CHECK(test[2] == 10);
  for (auto& [label, count] : counts(make("'classes': 10, 'train_size': 20, 'imbalance': 1000000")->train))
    CHECK(count >= 1);
}

TEST_CASE("synthetic: impossible options are configuration errors") {
  for (const std::string options :
       {"'kind': 'xor', 'features': 1", "'kind': 'blobs', 'label_noise': 1.5",
        "'kind': 'images', 'train_size': 1000000000", "'kind': 'moons'", "'train_size': 0"}) {
    const auto data = make(options);
    REQUIRE(!data.ok());
    CHECK(data.error().kind == error_kind::configuration);
  }
}
