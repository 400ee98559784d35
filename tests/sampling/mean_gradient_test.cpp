#include "sampling/mean_gradient.hpp"

#include "source_support.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace triage;
using namespace triage::test;

TEST_CASE(
    "mean gradient: until everybody was seen it is the plain mean of all seen so far, in any portions") {
  rng random(3, 3);
  constexpr std::size_t points = 100;
  mean_gradient mean;
  std::vector<double> sum(5, 0.0);
  std::size_t seen = 0;
  while (seen < points) {
    const std::size_t n = std::min<std::size_t>(1 + random.below(20), points - seen);
    std::vector<float> part(5);
    for (std::size_t d = 0; d < part.size(); ++d) {
      part[d] = static_cast<float>(random.normal());
      sum[d] += static_cast<double>(n) * static_cast<double>(part[d]);
    }
    mean.add(part, n);
    seen += n;
    mean.commit(points);
    double length = 0.0;
    for (const double s : sum)
      length += s * s;
    for (std::size_t d = 0; d < sum.size(); ++d)
      REQUIRE(mean.direction().view()[d] == doctest::Approx(sum[d] / std::sqrt(length)).epsilon(1e-4));
  }
}

TEST_CASE(
    "mean gradient: several measurements of one iteration count together, by the number of their points") {
  mean_gradient one;
  mean_gradient parts;
  one.add(std::vector<float>{1.5F, 0.5F}, 40);
  parts.add(std::vector<float>{3.0F, 1.0F}, 10);
  parts.add(std::vector<float>{1.0F, 1.0F / 3.0F}, 30);
  one.commit(100);
  parts.commit(100);
  for (std::size_t d = 0; d < 2; ++d)
    CHECK(parts.direction().view()[d] == doctest::Approx(one.direction().view()[d]));
}

TEST_CASE("mean gradient: fab_compat computes (1 - f) f old + f sum once all were seen, as the first program "
          "does") {
  mean_gradient mean;
  mean.set_rule("fab_compat");
  mean.add(std::vector<float>{2.0F, 0.0F}, 10);
  mean.commit(10); // all seen: the plain mean
  mean.add(std::vector<float>{0.0F, 3.0F}, 4);
  mean.commit(10);
  const double f = 0.4;
  const double x = (1.0 - f) * f * 2.0;
  const double y = f * 4.0 * 3.0;
  CHECK(mean.direction().view()[0] == doctest::Approx(x / std::hypot(x, y)));
  CHECK(mean.direction().view()[1] == doctest::Approx(y / std::hypot(x, y)));
}

TEST_CASE("mean gradient: nothing measured, zeros and infinities give no direction instead of a wrong one") {
  mean_gradient mean;
  mean.commit(10);
  CHECK(mean.direction().empty());
  mean.add({}, 5);
  mean.add(std::vector<float>{1.0F}, 0);
  mean.commit(10);
  CHECK(mean.direction().empty());
  mean.add(std::vector<float>{0.0F, 0.0F}, 5);
  mean.commit(10);
  CHECK(mean.direction().empty());
  mean.add(std::vector<float>{std::numeric_limits<float>::infinity(), 0.0F}, 5);
  mean.commit(10);
  CHECK(mean.direction().empty());
}

TEST_CASE("mean gradient: what was measured and not yet committed survives a save; a torn state is refused") {
  mean_gradient mean;
  mean.add(std::vector<float>{1.0F, 0.0F}, 5);
  mean.commit(10);
  mean.add(std::vector<float>{0.0F, 1.0F}, 5);
  mean_gradient copy;
  REQUIRE(copy.load(mean.save()).ok());
  mean.commit(10);
  copy.commit(10);
  CHECK(copy.direction().view()[0] == mean.direction().view()[0]);
  CHECK(copy.direction().view()[1] == mean.direction().view()[1]);
  auto state = mean.save();
  state.put("pending_count", std::vector<std::uint64_t>{3});
  CHECK(!copy.load(state).ok());
  state = mean.save();
  state.put("pending", std::vector<double>{1.0, 2.0, 3.0});
  state.put("pending_count", std::vector<std::uint64_t>{3});
  CHECK(!copy.load(state).ok());
}

TEST_CASE("mean gradient: what was renewed since the last commit is handed out as it is, once, and only "
          "where asked for") {
  mean_gradient silent;
  mean_gradient mean;
  mean.keep_renewed();
  for (auto* m : {&silent, &mean}) {
    m->add(std::vector<float>{8.0F, 1.0F}, 10);
    m->commit(10);
    m->add(std::vector<float>{3.0F, 1.0F}, 1);
    m->add(std::vector<float>{1.0F, 2.0F}, 3);
    m->commit(10);
  }
  CHECK(silent.renewed().empty());
  REQUIRE(mean.renewed().size() == 2);
  CHECK(mean.renewed().view()[0] == 1.5F); // (3 + 3 * 1) / 4, whatever came before
  CHECK(mean.renewed().view()[1] == 1.75F);

  mean_gradient copy;
  copy.keep_renewed();
  REQUIRE(copy.load(mean.save()).ok());
  CHECK(copy.renewed().view()[1] == 1.75F);
  mean_gradient of_another_mind;
  REQUIRE(of_another_mind.load(mean.save()).ok());
  CHECK(of_another_mind.renewed().empty());
  for (const std::vector<float>& damaged :
       {std::vector{1.0F}, std::vector{1.0F, std::numeric_limits<float>::infinity()}}) {
    auto state = mean.save();
    state.put("renewed", damaged);
    CHECK(!copy.load(state).ok());
  }

  mean.commit(10); // nothing new
  CHECK(mean.renewed().empty());
  REQUIRE(copy.load(mean.save()).ok());
  CHECK(copy.renewed().empty());
  mean.add(std::vector<float>{std::numeric_limits<float>::quiet_NaN(), 1.0F}, 3);
  mean.commit(10);
  CHECK(mean.renewed().empty());
}

TEST_CASE(
    "renewed gradients: added to the batches of the next plan where asked for, and not in uniform order") {
  for (const bool add : {false, true}) {
    CAPTURE(add);
    auto source =
        source_of(add ? R"({"type": "zhou_gao_aggressive", "share": 0.2, "tail_uniform_fraction": 0.5})"
                      : R"({"type": "zhou_gao", "share": 0.2, "tail_uniform_fraction": 0.5})",
                  100, 10);
    source.set_estimators(1);
    const auto measure = [&](float gradient) {
      for (auto order = source.next_order(50, 1, 10.0); !order.ids.empty();
           order = source.next_order(50, 1, 10.0))
        source.order_measured(order.ticket, std::vector<float>(order.ids.size(), 1.0F), 1,
                              std::vector<float>{gradient, 0.0F});
    };
    const auto draw = [&](double fraction) {
      drawn_batch b;
      REQUIRE(source.draw(fraction, 1, b));
      return b.added_gradient;
    };
    measure(2.0F);
    const auto first = draw(0.0);
    CHECK(first.empty() != add);
    if (add)
      CHECK(first.view()[0] == 2.0F);
    CHECK(draw(0.1).data() == first.data()); // the same plan
    measure(6.0F);
    const auto second = draw(0.2);
    if (add)
      CHECK(second.view()[0] == 6.0F); // what was renewed since, not the running mean
    (void)draw(0.3);
    CHECK(draw(0.9).empty());
    measure(8.0F);
    CHECK(draw(0.95).empty());
  }
}
