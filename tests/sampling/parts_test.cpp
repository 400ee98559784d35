#include "core/npy.hpp"
#include "sampling/epoch_order.hpp"
#include "sampling/inclusion.hpp"
#include "sampling/priority_table.hpp"
#include "sampling/score.hpp"
#include "sampling/sum_tree.hpp"

#include <array>
#include <cmath>
#include <doctest/doctest.h>
#include <filesystem>
#include <limits>
#include <numeric>

using namespace triage;

TEST_CASE("priority table: bad scores never enter and are counted") {
  priority_table t(4, 0.01);
  CHECK(!t.record(0, std::numeric_limits<float>::quiet_NaN(), 1));
  CHECK(!t.record(0, std::numeric_limits<float>::infinity(), 1));
  CHECK(t.rejected() == 2);
  CHECK(!t.seen(0));
  CHECK(t.value(0) == 0.01F);
  CHECK(t.record(0, -1.0F, 1)); // a projection may be negative: a rank, but no weight
  CHECK(t.signed_value(0) == -1.0F);
  CHECK(t.value(0) == 0.01F);
  CHECK(t.record(1, 0.0F, 1));
  CHECK(t.value(1) == 0.01F); // the floor
}

TEST_CASE("priority table: an older measurement does not replace a newer one") {
  priority_table t(2);
  CHECK(t.record(0, 1.0F, 10));
  CHECK(!t.record(0, 2.0F, 9));
  CHECK(t.record(0, 3.0F, 10));
  CHECK(t.value(0) == 3.0F);
  CHECK(t.version(0) == 10);
}

TEST_CASE("priority table: how long ago a point was trained, to a 64th of an epoch") {
  priority_table t(3);
  CHECK(t.epochs_since_trained(0, 7.5) == 7.5); // never
  t.mark_trained(1, 20.0);
  t.mark_trained(2, 1023.75);
  CHECK(t.epochs_since_trained(1, 20.0) == 0.0);
  CHECK(t.epochs_since_trained(1, 20.26) == 0.25);
  CHECK(t.epochs_since_trained(2, 1030.0) == 6.25);
  priority_table again(3);
  REQUIRE(again.load(t.save()).ok());
  CHECK(again.epochs_since_trained(2, 1030.0) == 6.25);
  priority_table untracked(3, 1e-6, false);
  untracked.mark_trained(1, 20.0);
  CHECK(untracked.epochs_since_trained(1, 21.0) == 21.0);
}

TEST_CASE("priority table: staleness and effective sample share") {
  priority_table t(1000);
  for (std::uint32_t i = 0; i < 500; ++i)
    t.record(i, 1.0F, i);
  const auto s = t.staleness(1000);
  CHECK(s.unseen_share == doctest::Approx(0.5));
  CHECK(s.median == doctest::Approx(750.0).epsilon(0.01));
  CHECK(s.p99 == doctest::Approx(995.0).epsilon(0.01));
  CHECK(t.effective_sample_share() == doctest::Approx(0.5).epsilon(0.01));
}

TEST_CASE("sum tree: a prefix query equals a linear scan, over random updates") {
  constexpr std::size_t n = 1000;
  sum_tree tree(n);
  std::vector<double> weights(n, 0.0);
  rng random(3, 1);
  for (int i = 0; i < 100000; ++i) {
    const auto k = static_cast<std::size_t>(random.below(n));
    const float w = random.uniform() < 0.2 ? 0.0F : random.uniform_float();
    weights[k] = static_cast<double>(w);
    tree.set(k, w);
    if (i % 500 != 0 || tree.total() <= 0.0)
      continue;
    const double mass = random.uniform() * tree.total();
    const auto found = tree.find(mass);
    REQUIRE(weights[found] > 0.0);
    const double before =
        std::accumulate(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(found), 0.0);
    CHECK(before <= mass + 1e-9);
    CHECK(before + weights[found] >= mass - 1e-9);
  }
  CHECK(tree.total() == doctest::Approx(std::accumulate(weights.begin(), weights.end(), 0.0)).epsilon(1e-12));
}

TEST_CASE("sum tree: no drift after ten million updates") {
  constexpr std::size_t n = 256;
  sum_tree tree(n);
  rng random(3, 2);
  std::vector<double> weights(n, 0.0);
  for (int i = 0; i < 10'000'000; ++i) {
    const auto k = static_cast<std::size_t>(random() % n);
    const float w = random.uniform_float();
    weights[k] = static_cast<double>(w);
    tree.set(k, w);
  }
  const double exact = std::accumulate(weights.begin(), weights.end(), 0.0);
  CHECK(std::abs(tree.total() - exact) / exact < 1e-9);
}

TEST_CASE("sum tree: many queries at once give what each gives alone, for every size of the tree") {
  for (const std::size_t n : {1U, 15U, 16U, 17U, 256U, 257U, 5000U}) {
    CAPTURE(n);
    sum_tree tree(n);
    rng random(9, n);
    std::vector<float> weights(n);
    for (auto& w : weights)
      w = random.uniform() < 0.3 ? 0.0F : random.uniform_float();
    weights[n / 2] = 1.0F;
    tree.assign(weights);
    std::vector<double> masses(100);
    for (auto& m : masses)
      m = random.uniform() * tree.total();
    masses[0] = 0.0;
    masses[1] = tree.total(); // rounding may ask for as much
    auto scratch = masses;
    std::vector<std::uint32_t> found(masses.size());
    tree.find(scratch, found);
    for (std::size_t i = 0; i < masses.size(); ++i) {
      REQUIRE(found[i] < n);
      CHECK(weights[found[i]] > 0.0F);
      CHECK(found[i] == tree.find(masses[i]));
    }
  }
}

TEST_CASE("the order of many points is a permutation, and no place is favoured") {
  constexpr std::size_t n = 400'000; // more than fit the cache: shuffled in buckets
  rng random(2, 2);
  epoch_order order;
  order.start(n);
  constexpr std::size_t parts = 8;
  std::array<std::array<double, parts>, parts> moved{};
  for (int pass = 0; pass < 2; ++pass) {
    order.begin_pass_if_needed(random);
    const auto ids = order.take(n);
    std::vector<bool> seen(n, false);
    for (std::size_t i = 0; i < n; ++i) {
      REQUIRE(!seen[ids[i]]);
      seen[ids[i]] = true;
      moved.at(i * parts / n).at(ids[i] * parts / n) += 1.0;
    }
  }
  for (const auto& row : moved)
    for (const double count : row) {
      const double expected = 2.0 * n / (parts * parts);
      CHECK(std::abs(count - expected) < 5.0 * std::sqrt(expected));
    }
}

TEST_CASE("an order that was never asked for takes no memory, and is saved and continued") {
  constexpr std::size_t n = 1000;
  epoch_order a;
  a.start(n);
  CHECK(a.left() == 0);
  epoch_order b;
  b.start(n);
  REQUIRE(b.load(a.save()).ok());
  rng random_a(2, 2);
  rng random_b(2, 2);
  for (int pass = 0; pass < 2; ++pass) { // the second one shuffles what the first has left
    a.begin_pass_if_needed(random_a);
    b.begin_pass_if_needed(random_b);
    const auto x = a.take(n);
    const auto y = b.take(n);
    CHECK(std::equal(x.begin(), x.end(), y.begin()));
    epoch_order c;
    c.start(n);
    REQUIRE(c.load(b.save()).ok());
    b = c;
  }
  epoch_order shorter;
  shorter.start(n - 1);
  CHECK(!shorter.load(b.save()).ok());
}

TEST_CASE("sum tree: all zero means uniform by position") {
  sum_tree tree(10);
  CHECK(tree.find(3.7) == 3);
  CHECK(tree.find(99.0) == 9);
}

TEST_CASE("scores: formulas and needs, over the whole table") {
  const std::vector<float> loss = {0.5F, 2.0F};
  const std::vector<float> residual = {0.1F, 1.0F};
  const std::vector<float> input = {3.0F, 0.0F};
  const std::vector<float> full = {4.0F, 5.0F};
  const std::vector<float> along = {-2.0F, 3.0F};
  const sample_signals signals{loss, residual, input, full, along, along};
  const std::vector<std::uint32_t> ids = {1, 0};
  for (const auto& entry : scores()) {
    if (entry.name == "rho")
      continue; // needs a file, and has a test of its own
    const auto s = entry.make();
    CHECK(s->needs() != 0U);
    std::vector<float> out(2);
    s->compute(signals, ids, out);
    for (const float v : out)
      CHECK(std::isfinite(v));
    if (entry.name == "gnorm_full")
      CHECK(out == full);
    if (entry.name == "projection" || entry.name == "projection_last") {
      CHECK(out == along);
      // Before there is a mean gradient, the gradient's length.
      s->compute({loss, residual, input, full, {}, {}}, ids, out);
      CHECK(out[1] == (entry.name == "projection" ? 5.0F : 1.0F));
    }
    if (entry.name == "gnorm_last")
      CHECK(out[0] == doctest::Approx(0.1 * std::sqrt(10.0)));
    if (entry.name == "gnorm_last_bound")
      CHECK(out[1] == 1.0F);
    if (entry.name == "loss")
      CHECK(out[1] == 2.0F);
  }
}

TEST_CASE("rho is the loss beyond the irreducible one of the same point, and its file must fit the data") {
  const auto file = (std::filesystem::temp_directory_path() / "triage_irreducible.npy").string();
  REQUIRE(write_npy(file, {2}, std::vector<float>{0.25F, 3.0F}).ok());
  const auto make = [&](const std::string& name) {
    return make_score(*parse_json(R"({"type": "rho", "irreducible_losses": ")" + name + "\"}", "s"),
                      {"s", ""});
  };
  const auto made = make(file);
  REQUIRE_MESSAGE(made.ok(), made.error().message);
  std::vector<float> out(2);
  (*made)->compute({std::vector<float>{0.5F, 2.0F}, {}, {}, {}, {}, {}}, std::vector<std::uint32_t>{1, 0},
                   out);
  CHECK(out == std::vector<float>{-2.5F, 1.75F});
  CHECK((*made)->check(2, "any").ok());
  const auto misfit = (*made)->check(3, "any");
  CHECK(misfit.error().message.find("holds 2") != std::string::npos);
  CHECK(make(file + ".none").error().message.find("triage irreducible") != std::string::npos);
  std::filesystem::remove(file);
}

TEST_CASE("inclusion: the plan meets its rule, and its gain is the measured ratio of second moments") {
  constexpr std::size_t n = 2000;
  std::vector<double> s(n);
  rng random(9, 4);
  for (auto& v : s)
    v = std::exp(1.5 * random.normal());
  for (const double ceiling : {1.0, 2.0}) {
    inclusion_plan plan;
    plan_inclusion(s, s, {0.1, ceiling, 0.25, 0.2, 0.0}, plan);
    CHECK(plan.kappa >= 0.2 - 1e-6);
    CHECK(plan.noise <= 0.25 + 1e-6);
    for (const double p : plan.probability) {
      CHECK(p >= 0.1);
      CHECK(p <= ceiling);
    }
    // Second moment of one term: uniform, and under the plan with weights 1/pi.
    double uniform = 0.0;
    double planned = 0.0;
    std::size_t taken = 0;
    for (int round = 0; round < 200; ++round)
      systematic_sample(plan.probability, random, [&](std::size_t i, std::uint32_t copies) {
        planned += copies * std::pow(s[i] / plan.probability[i], 2.0);
        taken += copies;
      });
    for (const double v : s)
      uniform += v * v / n;
    // With weights kappa/pi the mean step has the length of the uniform one.
    planned *= plan.kappa * plan.kappa / static_cast<double>(taken);
    CHECK(uniform / planned == doctest::Approx(plan.gain).epsilon(0.1));
  }
}

TEST_CASE("inclusion: systematic sampling takes each point as often as its probability says") {
  std::vector<double> p(50);
  rng random(1, 1);
  for (auto& v : p)
    v = 0.1 + 1.4 * random.uniform();
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  std::vector<double> counts(p.size(), 0.0);
  constexpr int rounds = 20000;
  for (int r = 0; r < rounds; ++r) {
    double total = 0.0;
    systematic_sample(p, random, [&](std::size_t i, std::uint32_t copies) {
      counts[i] += copies;
      total += copies;
    });
    REQUIRE(std::abs(total - sum) < 1.0);
  }
  for (std::size_t i = 0; i < p.size(); ++i)
    CHECK(counts[i] / rounds == doctest::Approx(p[i]).epsilon(0.03));
}

TEST_CASE("inclusion: fixed share, certain points, and scores that are all zero") {
  std::vector<double> s = {1.0, 2.0, 3.0, 4.0, -1.0};
  const std::vector<double> sizes = {1.0, 2.0, 3.0, 4.0, 0.0};
  inclusion_plan plan;
  plan_inclusion(s, sizes, {0.1, 1.0, 0.25, 0.3, 0.6}, plan);
  CHECK(plan.kappa == doctest::Approx(0.6).epsilon(1e-3));
  CHECK(plan.probability[4] == 1.0);
  const std::vector<double> zero(5, 0.0);
  plan_inclusion(zero, zero, {0.1, 1.0, 0.25, 0.3, 0.0}, plan);
  CHECK(std::isfinite(plan.gain));
}

TEST_CASE("winsorise lowers the top only") {
  std::vector<double> v = {1.0, 100.0, 2.0, 3.0, 4.0};
  std::vector<double> scratch;
  winsorise(v, 0.75, scratch);
  CHECK(v == std::vector<double>{1.0, 4.0, 2.0, 3.0, 4.0});
}
