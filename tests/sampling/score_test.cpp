#include "core/npy.hpp"
#include "sampling/score.hpp"

#include "source_support.hpp"

#include <cmath>

using namespace triage;
using namespace triage::test;

TEST_CASE(
    "scores: every entry fills exactly what is asked, from the signals it says it needs and no others") {
  const irreducible_file irreducible(4);
  constexpr std::size_t n = 4;
  const std::vector<float> values = {0.5F, 2.0F, 0.0F, 7.0F};
  const std::vector<std::uint32_t> ids = {3, 1, 2, 0};
  for (const auto& entry : scores()) {
    CAPTURE(entry.name);
    json_value description;
    description.set("type", json_value(entry.name));
    if (entry.name == "rho")
      description.set("irreducible_losses", json_value(irreducible.path()));
    const auto made = make_score(description, {"run.json", "/sampling/score"});
    REQUIRE(made.ok());
    const auto needs = (*made)->needs();
    const auto given = [&](signal which) {
      return (needs & static_cast<signal_set>(which)) != 0 ? std::span<const float>(values)
                                                           : std::span<const float>();
    };
    const sample_signals signals{
        given(signal::loss),          given(signal::residual_norm), given(signal::last_input_norm),
        given(signal::gradient_norm), given(signal::projection),    given(signal::last_projection)};
    std::vector<float> out(n + 1, -77.0F);
    (*made)->compute(signals, ids, std::span(out).first(n));
    for (std::size_t i = 0; i < n; ++i) {
      CHECK(std::isfinite(out[i]));
      CHECK(out[i] != -77.0F);
    }
    CHECK(out[n] == -77.0F);
    // All built-in scores rise with their signals.
    CHECK(out[3] > out[0]);
  }
}

TEST_CASE(
    "rho: files that are not one float for each point are refused with the file and the way to make it") {
  const auto folder = std::filesystem::temp_directory_path();
  const auto file = (folder / ("triage_rho_" + std::to_string(::getpid()) + ".npy")).string();
  const auto refusal = [&] {
    json_value d;
    d.set("type", json_value("rho"));
    d.set("irreducible_losses", json_value(file));
    const auto made = make_score(d, {"run.json", "/sampling/score"});
    REQUIRE(!made.ok());
    CHECK(made.error().message.find(file) != std::string::npos);
    return made.error();
  };
  CHECK(refusal().message.find("/sampling/score/irreducible_losses") != std::string::npos); // not there
  REQUIRE(write_npy(file, {2, 2}, std::vector<float>(4, 1.0F)).ok());
  CHECK(refusal().kind == error_kind::data);
  REQUIRE(write_npy(file, {4}, std::vector<std::int64_t>(4, 1)).ok());
  CHECK(refusal().message.find("one float for each training point") != std::string::npos);
  REQUIRE(write_npy(file, {2}, std::vector<float>{1.0F, std::nanf("")}).ok());
  CHECK(refusal().message.find("the loss of point 1 is not finite") != std::string::npos);
  std::filesystem::remove(file);
}
