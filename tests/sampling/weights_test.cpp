#include "sampling/weights.hpp"

#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

using namespace triage;

namespace {

std::unique_ptr<weight_policy> policy_of(std::string_view description) {
  auto made = make_weight_policy(json_text(description), {"run.json", "/sampling/weights"});
  REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message));
  return made.take();
}

std::string refusal_of(std::string_view description) {
  const auto made = make_weight_policy(json_text(description), {"run.json", "/sampling/weights"});
  REQUIRE(!made.ok());
  CHECK(made.error().kind == error_kind::configuration);
  return made.error().message;
}

const std::vector<double> frequencies = {0.05, 0.3, 1.0, 1.0, 2.5, 9.0};

std::vector<float> weights_of(const weight_policy& policy, double fraction = 0.0) {
  std::vector<float> out(frequencies.size());
  policy.apply(frequencies, frequencies[0], fraction, out);
  return out;
}

} // namespace

TEST_CASE(
    "weights: every policy gives finite positive ones that never grow with the frequency, equal ones for "
    "equal frequencies") {
  for (const auto& entry : weight_policies()) {
    for (const double fraction : {0.0, 0.4, 1.0}) {
      CAPTURE(entry.name);
      const auto w = weights_of(*entry.make(), fraction);
      for (std::size_t i = 0; i < w.size(); ++i) {
        CHECK(std::isfinite(w[i]));
        CHECK(w[i] > 0.0F);
        if (i > 0)
          CHECK(w[i] <= w[i - 1]);
      }
      CHECK(w[2] == w[3]);
    }
  }
}

TEST_CASE("weights: whoever says unbiased gives inverse frequencies, and only who gives them says it") {
  for (const auto& entry : weight_policies()) {
    CAPTURE(entry.name);
    const auto policy = entry.make();
    const auto w = weights_of(*policy, 0.7);
    bool inverse = true;
    for (std::size_t i = 0; i < w.size(); ++i)
      inverse = inverse && std::abs(static_cast<double>(w[i]) * frequencies[i] - 1.0) < 1e-6;
    CHECK(policy->unbiased() == inverse);
  }
}

TEST_CASE("weights: ht goes from none to full with beta") {
  for (const double beta : {0.0, 0.25, 0.5, 1.0}) {
    const auto policy = policy_of(R"({"type": "ht", "beta": )" + std::to_string(beta) + "}");
    const auto w = weights_of(*policy);
    for (std::size_t i = 0; i < w.size(); ++i)
      CHECK(w[i] == doctest::Approx(std::pow(frequencies[i], -beta)));
    CHECK(policy->unbiased() == (beta == 1.0));
  }
}

TEST_CASE(
    "weights: beta_maxnorm is 1 at the rarest point, and its exponent reaches 1 at the end of the run") {
  const auto policy = policy_of(R"({"type": "beta_maxnorm", "beta": 0.4})");
  for (const double fraction : {0.0, 0.5, 1.0}) {
    const auto w = weights_of(*policy, fraction);
    CHECK(w[0] == 1.0F);
    const double beta = 0.4 + 0.6 * fraction;
    for (std::size_t i = 0; i < w.size(); ++i)
      CHECK(w[i] == doctest::Approx(std::pow(frequencies[0] / frequencies[i], beta)));
  }
}

TEST_CASE("weights: biased_k keeps the sum of weighted frequencies at that of full weights, for every k") {
  for (const double k : {-10.0, -1.0, 0.0, 0.5, 1.0}) {
    CAPTURE(k);
    const auto w = weights_of(*policy_of(R"({"type": "biased_k", "k": )" + std::to_string(k) + "}"));
    double weighted = 0.0;
    for (std::size_t i = 0; i < w.size(); ++i)
      weighted += frequencies[i] * static_cast<double>(w[i]);
    CHECK(weighted == doctest::Approx(static_cast<double>(w.size())).epsilon(1e-5));
    CHECK(static_cast<double>(w[1] / w[4]) == doctest::Approx(std::pow(frequencies[4] / frequencies[1], k)));
  }
}

TEST_CASE("weights: a bad description is refused with its pointer and a way out") {
  const auto unknown = refusal_of(R"("ful")");
  CHECK(unknown.find("/sampling/weights") != std::string::npos);
  CHECK(unknown.find("did you mean \"full\"") != std::string::npos);
  CHECK(refusal_of(R"({"type": "ht", "beta": 1.5})").find("/sampling/weights/beta") != std::string::npos);
  CHECK(refusal_of(R"({"type": "biased_k", "k": 2})").find("/sampling/weights/k") != std::string::npos);
  CHECK(refusal_of(R"({"type": "beta_maxnorm", "betta": 1})").find("did you mean \"beta\"") !=
        std::string::npos);
  CHECK(refusal_of(R"({"type": "full", "beta": 1})").find("/sampling/weights/beta") != std::string::npos);
  CHECK(refusal_of(R"({"beta": 1})").find("type") != std::string::npos);
  CHECK(refusal_of("3").find("/sampling/weights") != std::string::npos);
}
