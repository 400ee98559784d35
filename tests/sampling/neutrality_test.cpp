#include "source_support.hpp"

#include <algorithm>
#include <set>

// Settings under which prioritization must change nothing, or nothing but how much is trained.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t points = 300;
constexpr std::size_t batch = 32;

std::vector<drawn_batch> draw_many(sampling_source source, int count, double fraction = 0.0) {
  std::vector<drawn_batch> out(static_cast<std::size_t>(count));
  for (auto& b : out)
    REQUIRE(source.draw(fraction, 1, b));
  return out;
}

bool same(const std::vector<drawn_batch>& a, const std::vector<drawn_batch>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.ids == y.ids && x.weights == y.weights; });
}

sampling_source filled(std::string_view description, const std::vector<float>& scores,
                       std::uint64_t seed = 4) {
  auto source = source_of(description, scores.size(), batch, seed);
  record_all(source, scores);
  return source;
}

} // namespace

TEST_CASE("neutrality: kappa 1 is the uniform order bit for bit, whatever the scores and the other options") {
  const auto uniform = draw_many(source_of(R"({"type": "uniform"})", points, batch, 4), 60);
  for (
      const char* description : {
          R"({"type": "pps_epoch", "kappa": 1, "warm_epochs": 0, "gate": {"mode": "off"}})",
          R"({"type": "pps_epoch", "kappa": 1, "warm_epochs": 0.3, "alpha": 2, "pi_max": 4, "blocks_per_pass": 7})",
          R"({"type": "auto", "kappa": 1, "warm_epochs": 0, "tail_uniform_fraction": 0})",
      }) {
    CAPTURE(std::string(description));
    CHECK(same(uniform, draw_many(filled(description, heavy_scores(points, 3)), 60)));
  }
}

TEST_CASE("neutrality: a closed gate, the warm-up and the uniform tail are the uniform order bit for bit") {
  const auto uniform = draw_many(source_of(R"({"type": "uniform"})", points, batch, 4), 60);
  const std::vector<float> alike(points, 0.3F);
  for (const char* preset : {"auto", "pps", "katharopoulos"}) {
    CAPTURE(std::string(preset));
    json_value description;
    description.set("type", json_value(preset));
    description.set("warm_epochs", json_value(0));
    auto source = source_of(description, points, batch, 4);
    record_all(source, alike);
    CHECK(same(uniform, draw_many(std::move(source), 60)));
  }
  CHECK(same(uniform,
             draw_many(filled(R"({"type": "pps", "warm_epochs": 1000})", heavy_scores(points, 3)), 60)));
  for (const char* type :
       {"multinomial", "rank_exp", "topk_shard", "infobatch", "cdf_beta", "presample_topb"}) {
    CAPTURE(std::string(type));
    json_value description;
    description.set("type", json_value(type));
    description.set("tail_uniform_fraction", json_value(0.25));
    auto source = source_of(description, points, batch, 4);
    record_all(source, heavy_scores(points, 3));
    CHECK(same(uniform, draw_many(std::move(source), 60, 0.75)));
  }
}

TEST_CASE("neutrality: alpha 0 is the random subset: a gain of 1, a step of the uniform length, and a choice "
          "that no score changes") {
  const char* description = R"({"type": "random_subset", "kappa": 0.4, "warm_epochs": 0})";
  auto source = filled(description, heavy_scores(points, 3));
  drawn_batch b;
  for (int i = 0; i < 30; ++i) {
    REQUIRE(source.draw(0.0, 1, b));
    for (const float w : b.weights)
      REQUIRE(w == doctest::Approx(1.0F).epsilon(1e-5));
  }
  const auto figures = source.figures(1).selector;
  CHECK(*figures.kappa == doctest::Approx(0.4).epsilon(1e-3));
  CHECK(*figures.predicted_gain == doctest::Approx(1.0).epsilon(1e-6));
  const auto one = draw_many(filled(description, heavy_scores(points, 3)), 40);
  const auto other = draw_many(filled(description, heavy_scores(points, 99)), 40);
  for (std::size_t i = 0; i < one.size(); ++i)
    REQUIRE(one[i].ids == other[i].ids);
}

TEST_CASE("neutrality: alpha 0 waits for no scores: the subset begins where warm_epochs ends") {
  for (const double warm : {0.0, 0.5}) {
    CAPTURE(warm);
    auto source =
        source_of(R"({"type": "random_subset", "kappa": 0.4, "warm_epochs": )" + std::to_string(warm) + "}",
                  points, batch, 4);
    drawn_batch b;
    std::multiset<std::uint32_t> seen;
    const auto before = static_cast<std::size_t>(warm * points);
    while (seen.size() < points) { // a whole pass would hold each once
      REQUIRE(source.draw(0.0, 1, b));
      seen.insert(b.ids.begin(), b.ids.end());
    }
    const std::set<std::uint32_t> different(seen.begin(), seen.end());
    CHECK(different.size() < points);
    CHECK(different.size() > before);
  }
}

TEST_CASE("neutrality: alpha 0 and pressure 1 draw as by chance, with weights that are all 1") {
  for (
      const char* description : {
          R"({"type": "multinomial", "alpha": 0, "weights": "full"})",
          R"({"type": "multinomial", "alpha": 0, "uniform_share": 0, "weights": "beta_maxnorm"})",
          R"({"type": "multinomial", "alpha": 0, "candidates": 3, "weights": {"type": "biased_k", "k": -2}})",
          R"({"type": "multinomial", "uniform_share": 1, "weights": "full"})",
          R"({"type": "rank_exp", "pressure": 1, "pressure_end": 1, "weights": "full"})",
          R"({"type": "rank_inv", "alpha": 0, "weights": {"type": "ht", "beta": 0.5}})",
      }) {
    CAPTURE(std::string(description));
    std::vector<double> counts(points, 0.0);
    double drawn = 0.0;
    for (const auto& b : draw_many(filled(description, heavy_scores(points, 3)), 2000)) {
      for (const float w : b.weights)
        REQUIRE(w == doctest::Approx(1.0F).epsilon(1e-4));
      for (const auto id : b.ids)
        counts[id] += 1.0;
      drawn += static_cast<double>(b.ids.size());
    }
    for (const double c : counts) // binomial: 5 standard deviations
      REQUIRE(std::abs(c - drawn / points) < 5.0 * std::sqrt(drawn / points));
  }
}

TEST_CASE("neutrality: equal scores give equal weights, for every selector that looks at scores and not at "
          "ranks") {
  for (const auto& entry : selectors()) {
    // Ranks are distinct even where scores are not: selectors by rank prefer among equals.
    if (entry.name == "rank_exp" || entry.name == "rank_inv")
      continue;
    CAPTURE(entry.name);
    json_value description;
    description.set("type", json_value(entry.name));
    description.set("warm_epochs", json_value(0));
    description.set("gate", *parse_json(R"({"mode": "off"})", "test"));
    auto source = source_of(description, points, batch);
    record_all(source, std::vector<float>(points, 0.7F));
    drawn_batch b;
    for (int i = 0; i < 40; ++i) {
      REQUIRE(source.draw(0.0, 1, b));
      for (const float w : b.weights)
        REQUIRE(w == doctest::Approx(b.weights[0]).epsilon(1e-5));
    }
  }
}

TEST_CASE("neutrality: selectors that thin a pass keep everything where nothing is to be dropped") {
  const std::vector<float> scores = heavy_scores(points, 3);
  for (const char* description :
       {R"({"type": "infobatch", "prune_probability": 0})", R"({"type": "cdf_beta", "beta": 0})",
        R"({"type": "presample_topb", "candidates": 1})"}) {
    CAPTURE(std::string(description));
    auto source = filled(description, scores);
    for (int pass = 0; pass < 3; ++pass) {
      std::set<std::uint32_t> visited;
      std::size_t drawn = 0;
      drawn_batch b;
      while (drawn < points) {
        REQUIRE(source.draw(0.0, 1, b));
        visited.insert(b.ids.begin(), b.ids.end());
        drawn += b.ids.size();
        for (const float w : b.weights)
          REQUIRE(w == 1.0F);
      }
      CHECK(drawn == points);
      CHECK(visited.size() == points);
    }
  }
}
