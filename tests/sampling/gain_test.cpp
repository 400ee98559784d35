#include "sampling/gain_meter.hpp"
#include "sampling/inclusion.hpp"
#include "source_support.hpp"
#include "statistics_support.hpp"

#include <algorithm>
#include <limits>

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t points = 2000;

/// The ratio of second moments of one term of a step, uniform over planned, from plans that were really made:
/// mean(s^2) mean(w)^2 / mean(w^2 s^2).
double measured_ratio(selector& chosen, const priority_table& table, int plans) {
  const priority_view view(table, 1);
  auto ids = numbers_below(table.size());
  rng random(3, 9);
  double weights = 0.0;
  double squares = 0.0;
  double count = 0.0;
  constexpr std::size_t batch = 100;
  const std::size_t wanted = chosen.candidates(batch, table.size());
  for (int k = 0; k < plans; ++k) {
    shuffle(ids, random);
    selection_plan plan;
    chosen.plan({std::span(ids).first(wanted), view, {}, batch}, random, plan);
    for (std::size_t i = 0; i < plan.ids.size(); ++i) {
      const auto w = static_cast<double>(plan.weights[i]);
      const auto s = static_cast<double>(table.value(plan.ids[i]));
      weights += w;
      squares += w * w * s * s;
      count += 1.0;
    }
  }
  double uniform = 0.0;
  for (std::uint32_t id = 0; id < table.size(); ++id)
    uniform += static_cast<double>(table.value(id)) * static_cast<double>(table.value(id));
  uniform /= static_cast<double>(table.size());
  return uniform * (weights / count) * (weights / count) / (squares / count);
}

} // namespace

TEST_CASE("gain: what selectors promise is the measured ratio of second moments, within 10 %") {
  const auto table = table_of(heavy_scores(points, 6, 1.0));
  const priority_view view(table, 1);
  for (
      const char* description : {
          R"({"type": "pps_epoch", "blocks_per_pass": 1, "winsor_quantile": 1})",
          R"({"type": "pps_epoch", "blocks_per_pass": 1, "winsor_quantile": 1, "pi_max": 3, "noise_budget": 0.6})",
          R"({"type": "pps_epoch", "blocks_per_pass": 1, "winsor_quantile": 1, "alpha": 0.5, "kappa": 0.5})",
          R"({"type": "infobatch"})",
          R"({"type": "multinomial", "uniform_share": 0.1})",
          R"({"type": "multinomial", "uniform_share": 0, "alpha": 0.6, "smoothing": 0.2})",
      }) {
    CAPTURE(std::string(description));
    auto chosen = selector_of(description, points);
    for (std::uint32_t id = 0; id < points; ++id)
      chosen->priority_changed(id, table.value(id));
    const auto promised = chosen->potential_gain(view);
    REQUIRE(promised);
    CHECK(*promised > 1.05);
    CHECK(measured_ratio(*chosen, table, 300) == doctest::Approx(*promised).epsilon(0.1));
    // A plan's own figure, where it has one, says the same.
    if (const auto f = chosen->figures(); f.predicted_gain)
      CHECK(*f.predicted_gain == doctest::Approx(*promised).epsilon(0.02));
  }
}

TEST_CASE(
    "gain: in proportion to the scores it is tau squared = 1 + CV^2, to 1e-12, and its threshold of 2.5^2 is "
    "where presampling three candidates pays") {
  const auto scores = heavy_scores(points, 6, 1.0);
  const auto table = table_of(scores);
  double sum = 0.0;
  double squares = 0.0;
  for (const float s : scores) {
    sum += static_cast<double>(s);
    squares += static_cast<double>(s) * static_cast<double>(s);
  }
  const double mean = sum / points;
  const double variance = squares / points - mean * mean;
  const auto chosen = selector_of(R"({"type": "katharopoulos"})", points);
  CHECK(*chosen->potential_gain(priority_view(table, 1)) ==
        doctest::Approx(1.0 + variance / (mean * mean)).epsilon(1e-12));
  const auto resolved = describe_sampling(R"({"type": "katharopoulos"})").resolved;
  CHECK(resolved.find("gate")->find("gain_min")->as_number() == 2.5 * 2.5);
}

TEST_CASE("gain: constant scores promise exactly 1, whatever the selector, and its gate stays closed") {
  const std::vector<float> alike(points, 0.4F);
  const auto table = table_of(alike);
  const priority_view view(table, 1);
  int stated = 0;
  for (const auto& entry : selectors()) {
    CAPTURE(entry.name);
    json_value description;
    description.set("type", json_value(entry.name));
    const auto made = describe_sampling(description);
    made.selector->start(points);
    const auto gain = made.selector->potential_gain(view);
    if (!gain)
      continue;
    ++stated;
    CHECK(*gain == doctest::Approx(1.0).epsilon(1e-6));
    if (!made.selector->unbiased())
      continue;
    description.set("gate", *parse_json(R"({"mode": "gain"})", "test"));
    description.set("warm_epochs", json_value(0));
    auto source = source_of(description, points, 100);
    record_all(source, alike);
    drawn_batch b;
    for (int i = 0; i < 60; ++i) {
      REQUIRE(source.draw(0.0, 1, b));
      REQUIRE(source.figures(1).selector.phase == "gated off");
    }
    CHECK(source.figures(1).samples_prioritized == 0);
    CHECK(*source.figures(1).gate_worth == doctest::Approx(1.0).epsilon(1e-6));
  }
  CHECK(stated == 3); // pps_epoch, infobatch, multinomial
}

TEST_CASE("gain: nothing is promised before half of the points were measured") {
  for (const char* type : {"pps_epoch", "infobatch", "multinomial"}) {
    CAPTURE(std::string(type));
    json_value description;
    description.set("type", json_value(type));
    const auto made = describe_sampling(description);
    made.selector->start(points);
    priority_table table(points);
    for (std::uint32_t id = 0; id < points / 2 - 1; ++id)
      table.record(id, 1.0F + static_cast<float>(id), 1);
    CHECK(!made.selector->potential_gain(priority_view(table, 1)));
    table.record(points / 2, 3.0F, 1);
    CHECK(made.selector->potential_gain(priority_view(table, 1)));
  }
}

TEST_CASE("gain meter: any number of batches gives the ratio of all of them, though parts are merged") {
  rng random(7, 7);
  gain_meter meter;
  double count = 0.0;
  double inverse = 0.0;
  double uniform = 0.0;
  double weight = 0.0;
  double weighted = 0.0;
  for (int k = 0; k < 4000; ++k) {
    const std::size_t n = 1 + random.below(90);
    std::vector<float> frequencies(n);
    std::vector<float> weights(n);
    std::vector<float> sizes(n);
    for (std::size_t i = 0; i < n; ++i) {
      frequencies[i] = 0.1F + random.uniform_float();
      sizes[i] = static_cast<float>(std::exp(random.normal()));
      weights[i] = 0.5F + random.uniform_float();
      const double w = 1.0 / static_cast<double>(frequencies[i]);
      const auto v = static_cast<double>(weights[i]);
      const auto s = static_cast<double>(sizes[i]);
      count += 1.0;
      inverse += w;
      uniform += w * s * s;
      weight += v;
      weighted += v * v * s * s;
    }
    meter.add(frequencies, weights, sizes);
    REQUIRE(meter.samples() == static_cast<std::uint64_t>(count));
    if (const auto gain = meter.gain()) {
      // E[s^2] of a uniform step over E[(v s)^2] / E[v]^2 of these.
      const double mean = weight / count;
      REQUIRE(gain->value == doctest::Approx(uniform / inverse / (weighted / count / (mean * mean))));
      REQUIRE(gain->low > 0.0); // of a factor
      REQUIRE(gain->low <= gain->value);
      REQUIRE(gain->value <= gain->high);
    } else {
      REQUIRE(count < 6.0 * 4096.0); // four parts of that size, and some
    }
  }
  CHECK(meter.gain());
}

TEST_CASE("gain meter: sizes that are not finite do not count, and missing ones neither") {
  gain_meter meter;
  const std::vector<float> frequencies(3, 0.5F);
  meter.add(frequencies, frequencies,
            std::vector<float>{1.0F, std::numeric_limits<float>::quiet_NaN(),
                               std::numeric_limits<float>::infinity()});
  CHECK(meter.samples() == 1);
  meter.add(frequencies, frequencies, std::vector<float>{1.0F});
  CHECK(meter.samples() == 2);
  for (int k = 0; k < 1000; ++k)
    meter.add(std::vector<float>(64, 1.0F), std::vector<float>(64, 1.0F),
              std::vector<float>(64, 0.0F)); // learned by heart: no size at all
  CHECK(std::isfinite(meter.gain()->value));
}

TEST_CASE("gain meter: it is that of the weights in use: most with 1/r, none with those that take the choice "
          "back") {
  // Chosen in proportion to its size: sizes 0.2 and 1.8 with probabilities 0.1 and 0.9, of as many points
  // each.
  const auto gain_with = [](double beta) {
    gain_meter meter;
    rng random(7, 8);
    for (int k = 0; k < 2000; ++k) {
      std::vector<float> frequencies;
      std::vector<float> weights;
      while (frequencies.size() < 64) {
        frequencies.push_back(random.uniform() < 0.9 ? 1.8F : 0.2F);
        weights.push_back(std::pow(frequencies.back(), static_cast<float>(-beta)));
      }
      meter.add(frequencies, weights, frequencies);
    }
    return meter.gain()->value;
  };
  CHECK(gain_with(1.0) == doctest::Approx(1.64).epsilon(0.03)); // (0.04 + 3.24) / 2
  // mean(v)^2 / mean(v^2 s^2), times 1.64, of v = s^-0.5: (0.9 / 1.342 + 0.1 / 0.447)^2 / (0.9 * 1.8 + 0.1 *
  // 0.2)
  CHECK(gain_with(0.5) == doctest::Approx(0.8).epsilon(0.03));
  // Without weights steps are longer on the large ones: noisier than uniform ones of the same length.
  CHECK(gain_with(0.0) == doctest::Approx(1.64 / (0.9 * 3.24 + 0.1 * 0.04)).epsilon(0.03));
}

TEST_CASE("gain meter: a saved state that is too short or too full is refused") {
  gain_meter meter;
  meter.add(std::vector<float>{1.0F}, std::vector<float>{1.0F}, std::vector<float>{1.0F});
  auto state = meter.save();
  state.put("sums", std::vector<double>{1.0, 2.0});
  CHECK(!gain_meter().load(state).ok());
  state = meter.save();
  state.put("counts", std::vector<std::uint64_t>{1000, 4096, 1});
  CHECK(!gain_meter().load(state).ok());
  CHECK(!gain_meter().load(saved_state{}).ok());
}

TEST_CASE("gain meter: an offer is what unbiased weights would gain on the sizes that were found, whatever "
          "the weights") {
  // Planned from sizes that have changed since: what is found is less than the plan promised.
  rng random(3, 4);
  constexpr std::size_t n = 4000;
  std::vector<double> planned(n);
  std::vector<double> true_sizes(n);
  for (std::size_t i = 0; i < n; ++i) {
    planned[i] = std::exp(random.normal());
    true_sizes[i] = std::pow(planned[i], 0.3) * std::exp(0.3 * random.normal());
  }
  inclusion_plan plan;
  plan_inclusion(planned, planned, {0.1, 1.0, 10.0, 0.3, 0.0}, plan);
  double squares = 0.0;
  double included = 0.0;
  double weighted = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    squares += true_sizes[i] * true_sizes[i];
    included += plan.probability[i];
    weighted += true_sizes[i] * true_sizes[i] / plan.probability[i];
  }
  const double expected = n * squares / (included * weighted);
  REQUIRE(expected < 0.9 * plan.gain);
  for (const double beta : {1.0, 0.5, 0.0}) {
    CAPTURE(beta);
    gain_meter meter;
    for (int pass = 0; pass < 60; ++pass) {
      std::vector<float> r;
      std::vector<float> v;
      std::vector<float> s;
      systematic_sample(plan.probability, random, [&](std::size_t i, std::uint32_t) {
        r.push_back(static_cast<float>(plan.probability[i]));
        v.push_back(static_cast<float>(std::pow(plan.probability[i], -beta)));
        s.push_back(static_cast<float>(true_sizes[i]));
      });
      if (pass == 0) {
        gain_meter fresh;
        fresh.add(std::span(r).first(100), std::span(v).first(100), std::span(s).first(100));
        CHECK(!fresh.take_offer()); // too little is known
      }
      meter.add(r, v, s);
    }
    gain_meter copy;
    REQUIRE(copy.load(meter.save()).ok());
    const auto offer = meter.take_offer();
    REQUIRE(offer);
    CHECK(*offer == doctest::Approx(expected).epsilon(0.05));
    CHECK(*copy.take_offer() == *offer);
    CHECK(!meter.take_offer()); // what was answered is not counted again
  }
}

TEST_CASE("gain: what the gate goes by is what was found, within 10 %, where scores have grown old") {
  for (const char* type : {"pps", "auto", "auto_biased"}) {
    CAPTURE(std::string(type));
    constexpr std::size_t many = 8000;
    json_value description;
    description.set("type", json_value(type));
    description.set("warm_epochs", json_value(0));
    description.set("gate",
                    *parse_json(R"({"gain_min": 1, "hysteresis": 10})", "test")); // never closes again
    auto source = source_of(description, many, 64);
    const auto believed = heavy_scores(many, 5, 1.0);
    auto sizes = believed;
    rng random(9, 9);
    for (float& s : sizes)
      s = std::pow(s, 0.3F) * static_cast<float>(std::exp(0.3 * random.normal()));
    record_all(source, believed);
    drawn_batch b;
    double squares = 0.0;
    double inverse = 0.0;
    double uniform = 0.0;
    double count = 0.0;
    double promised = 0.0;
    while (source.samples_drawn() < 6 * many) {
      REQUIRE(source.draw(0.0, 1, b));
      if (promised == 0.0)
        promised = *source.figures(1).gate_worth;
      std::vector<float> found(b.ids.size());
      std::vector<float> before(b.ids.size());
      for (std::size_t i = 0; i < b.ids.size(); ++i) {
        found[i] = sizes[b.ids[i]];
        before[i] = believed[b.ids[i]];
        if (b.frequencies.empty() || source.samples_drawn() < 2 * many)
          continue;
        const double w = 1.0 / static_cast<double>(b.frequencies[i]);
        const double s = static_cast<double>(found[i]);
        count += 1.0;
        inverse += w;
        uniform += w * s * s;
        squares += w * w * s * s;
      }
      source.record_byproducts(b, found, 1);
      source.record(b.ids, before, 1); // the table stays as wrong as it was
    }
    const double found = uniform * inverse / (count * squares);
    CHECK(promised > 1.2 * found); // what the scores alone would say
    CHECK(*source.figures(1).gate_worth == doctest::Approx(found).epsilon(0.1));
  }
}

TEST_CASE("gain: scores that are no sizes of gradients say nothing of the noise of steps") {
  for (const char* score : {"loss", "gnorm_last"}) {
    CAPTURE(std::string(score));
    auto source = source_of(std::string(R"({"type": "infobatch", "score": ")") + score + "\"}", points, 100);
    record_all(source, heavy_scores(points, 5));
    drawn_batch b;
    for (int i = 0; i < 400; ++i) {
      REQUIRE(source.draw(0.0, 1, b));
      source.record_byproducts(b, std::vector<float>(b.ids.size(), 1.0F), 1);
    }
    CHECK(source.figures(1).measured_gain.has_value() == (std::string(score) == "gnorm_last"));
  }
}
