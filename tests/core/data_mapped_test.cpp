#include "core/npy.hpp"
#include "core/rng.hpp"
#include "tests/core/data_support.hpp"
#include "tests/core/npy_support.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

// Samples that stay in their file are the same samples.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t train_size = 300;
constexpr std::size_t test_size = 40;

/// The same random images and labels in both formats, bytes and floats.
struct files {
  temp_folder folder;
  files() {
    rng random(3, 3);
    const auto images = [&](std::size_t n) {
      std::vector<std::uint8_t> values(n * 12);
      for (auto& v : values)
        v = static_cast<std::uint8_t>(random.below(256));
      return values;
    };
    const auto labels = [&](std::size_t n) {
      std::vector<std::uint8_t> values(n);
      for (std::size_t i = 0; i < n; ++i)
        values[i] = static_cast<std::uint8_t>(i % 3);
      return values;
    };
    for (const auto& [stem, n] : {std::pair{"train", train_size}, {"t10k", test_size}}) {
      const auto x = images(n);
      const auto y = labels(n);
      const auto count = static_cast<std::uint32_t>(n);
      folder.write(std::string(stem) + "-images-idx3-ubyte", idx_file({count, 3, 4}, raw(x)));
      folder.write(std::string(stem) + "-labels-idx1-ubyte", idx_file({count}, raw(y)));
      const auto signed_count = static_cast<std::int64_t>(n);
      folder.write(std::string(stem) + "_bytes.npy", encode_npy({signed_count, 3, 4}, x));
      folder.write(std::string(stem) + "_bytes_labels.npy", encode_npy({signed_count}, y));
      std::vector<float> f(x.begin(), x.end());
      for (auto& v : f)
        v = v * 0.25F - 7.0F;
      folder.write(std::string(stem) + "_floats.npy", encode_npy({signed_count, 3, 4}, f));
      folder.write(std::string(stem) + "_floats_labels.npy", encode_npy({signed_count}, y));
    }
  }
  [[nodiscard]] result<data_splits> load_as(const std::string& kind, const std::string& map,
                                            const std::string& more = {}) const {
    const auto source =
        kind == "idx"
            ? "'format': 'idx', 'path': '" + folder.path() + "'"
            : fmt::format("'format': 'npy', 'train': '{0}/train_{1}.npy', 'test': '{0}/t10k_{1}.npy'",
                          folder.path(), kind);
    return load(fmt::format("{{{}, 'map': '{}'{}}}", source, map, more));
  }
};

std::vector<float> all_samples(const dataset& set, const standardisation& s) {
  std::vector<std::uint32_t> ids(set.size);
  for (std::uint32_t i = 0; i < set.size; ++i)
    ids[i] = i;
  std::vector<float> out(set.size * static_cast<std::size_t>(set.shape.size()));
  gather_samples(set, s, ids, out);
  return out;
}

} // namespace

TEST_CASE(
    "mapped data: the same sets, standardisation and fingerprint as in memory, whatever is split off or "
    "changed") {
  const files f;
  for (const std::string kind : {"idx", "bytes", "floats"})
    for (const std::string more :
         {"", ", 'validation_fraction': 0.2", ", 'regime': {'duplication': 3, 'label_noise': 0.1}",
          ", 'regime': {'subset': 0.5, 'imbalance': 4}",
          ", 'standardize': false, 'validation_fraction': 0.1, 'regime': {'subset': 0.7, 'duplication': "
          "2}"}) {
      CAPTURE(kind);
      CAPTURE(more);
      const auto kept = f.load_as(kind, "never", more);
      const auto mapped = f.load_as(kind, "always", more);
      REQUIRE_MESSAGE(kept.ok(), kept.error().message);
      REQUIRE_MESSAGE(mapped.ok(), mapped.error().message);
      CHECK_FALSE(kept->train.is_mapped());
      REQUIRE(mapped->train.is_mapped());
      CHECK(mapped->train.bytes.empty());
      CHECK(mapped->train.floats.empty());
      CHECK(mapped->train.is_bytes() == kept->train.is_bytes());
      CHECK(mapped->fingerprint == kept->fingerprint);
      CHECK(mapped->standard.scale == kept->standard.scale);
      CHECK(mapped->standard.shift == kept->standard.shift);
      for (const auto& [a, b] : {std::pair{&kept->train, &mapped->train},
                                 {&kept->validation, &mapped->validation},
                                 {&kept->test, &mapped->test}}) {
        REQUIRE(a->size == b->size);
        CHECK(a->labels == b->labels);
        CHECK(all_samples(*a, kept->standard) == all_samples(*b, mapped->standard));
      }
    }
}

TEST_CASE("mapped data: small files are read, and what cannot stay in a file is read or refused as asked") {
  const files f;
  const auto small = f.load_as("idx", "auto");
  REQUIRE(small.ok());
  CHECK_FALSE(small->train.is_mapped());

  const temp_folder packed;
  for (const char* name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}) {
    std::ifstream in(f.folder.path(name), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    packed.write(std::string(name) + ".gz", gzip(bytes));
  }
  const auto description = [&](const char* map) {
    return "{'format': 'idx', 'path': '" + packed.path() + "', 'map': '" + map + "'}";
  };
  CHECK(load(description("auto")).ok());
  CHECK(contains(data_problem(load(description("always"))), "unpack it"));

  const temp_folder other;
  other.write("x.npy", npy_bytes("<f8", "(2, 3)", raw(std::vector<double>(6, 1.0))));
  other.write("x_labels.npy", encode_npy({2}, std::vector<std::uint8_t>{0, 1}));
  const auto doubles = [&](const char* map) {
    return "{'format': 'npy', 'train': '" + other.path("x.npy") + "', 'map': '" + map +
           "', 'test_fraction': 0}";
  };
  CHECK(load(doubles("auto")).ok());
  CHECK(contains(data_problem(load(doubles("always"))), "only float32 (from"));
  CHECK(contains(load("{'format': 'npy', 'path': 'a.npz', 'map': 'always'}").error().message, "archive"));
  CHECK(contains(load(doubles("perhaps")).error().message, "/data/map"));
}

TEST_CASE("mapped data: a damaged file is refused as in memory") {
  const files f;
  const auto file = f.folder.path("train-images-idx3-ubyte");
  const auto size = std::filesystem::file_size(file);
  std::filesystem::resize_file(file, size - 1);
  CHECK(contains(data_problem(f.load_as("idx", "always")), "truncated or damaged"));
  std::filesystem::resize_file(file, size + 1);
  CHECK(contains(data_problem(f.load_as("idx", "always")), "instead of"));
  const auto array = f.folder.path("train_floats.npy");
  std::filesystem::resize_file(array, std::filesystem::file_size(array) - 4);
  CHECK(contains(data_problem(f.load_as("floats", "always")), "it may be truncated"));
  std::filesystem::resize_file(array, 0);
  CHECK(contains(data_problem(f.load_as("floats", "always")), "is empty"));

  const files g;
  std::vector<float> values(train_size * 12, 1.0F);
  values[7 * 12 + 5] = std::numeric_limits<float>::quiet_NaN();
  g.folder.write("train_floats.npy", encode_npy({train_size, 3, 4}, values));
  CHECK(contains(data_problem(g.load_as("floats", "always")), "not finite at sample 7, position 5"));
}

TEST_CASE("mapped file: what is no file is refused by name") {
  const temp_folder folder;
  const auto missing = mapped_file::open(folder.path("none"));
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().kind == error_kind::data);
  CHECK(contains(missing.error().message, folder.path("none")));
  CHECK(contains(mapped_file::open(folder.path()).error().message, "is not a file"));
  const auto there = mapped_file::open(folder.write("a", "abc"));
  REQUIRE(there.ok());
  CHECK((*there)->bytes().size() == 3);
  (*there)->expect_random_access(100);
  (*there)->expect_random_access(100000);
  CHECK((*there)->bytes()[2] == 'c');
  CHECK(mapped_file::any_holds((*there)->bytes().data() + 2));
  CHECK_FALSE(mapped_file::any_holds(&there));
  const auto* const gone = (*there)->bytes().data();
  {
    auto other = mapped_file::open(folder.path("a"));
    REQUIRE(other.ok());
    CHECK(mapped_file::any_holds((*other)->bytes().data()));
  }
  CHECK(mapped_file::any_holds(gone));
}
