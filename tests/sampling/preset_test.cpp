#include "sampling/presets.hpp"

#include "core/npy.hpp"
#include "sampling/sampling_description.hpp"
#include "sampling/weights.hpp"
#include "tests/support/json_text.hpp"

#include <doctest/doctest.h>
#include <filesystem>

using namespace triage;

TEST_CASE("presets: options given inside a group leave the group's others as the preset has them") {
  const auto expanded = expand_preset(json_text(
      R"({"type": "auto", "guard": {"suspect_share": 0.2}, "weights": {"beta": 0.25}, "gate": {"mode": "off"}})"));
  CHECK(expanded.find("guard")->find("mode")->as_string() == "pass_over");
  CHECK(expanded.find("guard")->find("suspect_share")->as_number() == 0.2);
  CHECK(expanded.find("weights")->find("type")->as_string() == "ht");
  CHECK(expanded.find("weights")->find("beta")->as_number() == 0.25);
  CHECK(expanded.find("gate")->find("mode")->as_string() == "off");
  const auto other = expand_preset(json_text(R"({"type": "auto", "weights": {"type": "none"}})"));
  CHECK(other.find("weights")->find("beta") == nullptr); // another component, with its own options
}

TEST_CASE("presets: every one is a description that can be read, and writes itself out") {
  const auto file = (std::filesystem::temp_directory_path() / "triage_preset_il.npy").string();
  REQUIRE(write_npy(file, {1}, std::vector<float>{0.0F}).ok());
  for (const auto& preset : sampling_presets()) {
    CAPTURE(preset.name);
    json_value description;
    description.set("type", json_value(std::string(preset.name)));
    if (preset.name == "rho_loss")
      description.set("score", *parse_json(R"({"type": "rho", "irreducible_losses": ")" + file + "\"}", "p"));
    const auto made = make_sampling(description, {"p", ""});
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    // What it resolves to reads as the same again.
    const auto again = make_sampling(made->resolved, {"p", ""});
    REQUIRE_MESSAGE(again.ok(), again.error().message);
    CHECK(dump_json(again->resolved) == dump_json(made->resolved));
  }
  std::filesystem::remove(file);
}

TEST_CASE("presets: what the description says wins over the preset") {
  const auto made = make_sampling(*parse_json(R"({"type": "random_subset", "kappa": 0.5})", "p"), {"p", ""});
  REQUIRE(made.ok());
  CHECK(made->resolved.find("kappa")->as_number() == 0.5);
  CHECK(made->resolved.find("alpha")->as_number() == 0.0);
}

TEST_CASE("parts that cannot work together are refused with a way out") {
  const auto message = [](const char* json) {
    const auto made = make_sampling(*parse_json(json, "run.json"), {"run.json", "/sampling"});
    REQUIRE(!made.ok());
    return made.error().message;
  };
  CHECK(message(R"({"type": "multinomial", "estimator": "presample"})").find("candidates") !=
        std::string::npos);
  CHECK(message(R"({"type": "topk_shard", "score": "projection"})").find("renew_round_robin") !=
        std::string::npos);
  CHECK(message(R"({"type": "topk_shard", "gate": {"mode": "gain"}})").find("\"off\"") != std::string::npos);
  CHECK(message(R"({"type": "katharopulos"})").find("katharopoulos") != std::string::npos);
}

TEST_CASE("biased_k: between no weights and full ones, with the sum of weighted frequencies kept") {
  const std::vector<double> r = {0.25, 1.0, 4.0};
  std::vector<float> w(3);
  const auto half = make_weight_policy(*parse_json(R"({"type": "biased_k", "k": 0.5})", "w"), {"w", ""});
  REQUIRE(half.ok());
  (*half)->apply(r, 0.25, 0.0, w);
  double sum = 0.0;
  for (std::size_t i = 0; i < 3; ++i)
    sum += r[i] * static_cast<double>(w[i]);
  CHECK(sum == doctest::Approx(3.0)); // as with full weights
  CHECK(w[0] / w[2] == doctest::Approx(4.0));
  const auto full = make_weight_policy(*parse_json(R"({"type": "biased_k", "k": 1})", "w"), {"w", ""});
  (*full)->apply(r, 0.25, 0.0, w);
  CHECK(w[0] == doctest::Approx(4.0));
}
