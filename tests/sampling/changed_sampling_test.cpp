#include "source_support.hpp"

#include "sampling/presets.hpp"

// What a saved state is to a sampling that is not the one that was saved.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t points = 150;
constexpr std::size_t batch = 12;

/// All presets, as descriptions.
std::vector<json_value> all_presets(const irreducible_file& irreducible) {
  std::vector<json_value> out;
  for (const auto& preset : sampling_presets()) {
    json_value d;
    d.set("type", json_value(std::string(preset.name)));
    if (preset.name == "rho_loss")
      d.set("score", json_value(json_value::object{{"type", json_value("rho")},
                                                   {"irreducible_losses", json_value(irreducible.path())}}));
    out.push_back(d);
  }
  return out;
}

/// Without estimators nothing waits.
void train(sampling_source& source, int batches) {
  for (int i = 0; i < batches; ++i) {
    drawn_batch b;
    REQUIRE(source.draw(0.02 * i, static_cast<std::uint64_t>(i), b));
    const std::vector<float> losses(b.ids.size(), 0.5F + static_cast<float>(i % 3));
    source.record_byproducts(b, losses, static_cast<std::uint64_t>(i));
    source.observe_losses(b, losses);
  }
}

} // namespace

TEST_CASE("changed sampling: with other parts it says so and begins anew, and can be saved") {
  const irreducible_file irreducible(points);
  const auto all = all_presets(irreducible);
  for (const auto& before : all)
    for (const auto& after : all) {
      CAPTURE(dump_json(before));
      CAPTURE(dump_json(after));
      auto trained = source_of(before, points, batch);
      train(trained, 30);
      auto other = source_of(after, points, batch);
      const auto loaded = other.load(trained.save());
      REQUIRE_MESSAGE(loaded.ok(), loaded.error().message);
      const bool same = describe_sampling(before).parts() == describe_sampling(after).parts();
      CHECK((other.samples_drawn() == 0) == !same);
      CHECK((other.take_remark().find("begins anew") != std::string::npos) == !same);
      CHECK(other.take_remark().find("begins anew") == std::string::npos);
      train(other, 10);
      auto again = source_of(after, points, batch);
      CHECK(again.load(other.save()).ok());
      CHECK(again.samples_drawn() == other.samples_drawn());
    }
}

TEST_CASE(
    "changed sampling: another option of the same parts goes on, also a guard that is turned on or off") {
  std::vector<std::int32_t> labels(points);
  for (std::size_t i = 0; i < points; ++i)
    labels[i] = static_cast<std::int32_t>(i % 3);
  const auto source = [&](const std::string& guard) {
    return sampling_source(describe_sampling(R"({"type": "pps_epoch", "guard": {"mode": ")" + guard + "\"}}"),
                           points, batch, 7, {labels, 3});
  };
  for (const std::string before : {"close", "off"}) {
    const std::string after = before == "off" ? "close" : "off";
    CAPTURE(before);
    auto trained = source(before);
    train(trained, 30);
    auto other = source(after);
    const auto loaded = other.load(trained.save());
    REQUIRE_MESSAGE(loaded.ok(), loaded.error().message);
    CHECK(other.samples_drawn() == trained.samples_drawn());
    CHECK(other.take_remark().find("begins anew") == std::string::npos);
    train(other, 30);
  }
}

TEST_CASE("changed sampling: multinomial with another exponent draws by it, and by nothing that was saved") {
  for (const char* after : {R"({"type": "multinomial", "uniform_share": 0, "alpha": 0})",
                            R"({"type": "multinomial", "uniform_share": 0, "alpha": 2})"}) {
    CAPTURE(std::string(after));
    auto trained = source_of(R"({"type": "multinomial", "uniform_share": 0})", points, batch);
    record_all(trained, heavy_scores(points, 3));
    train(trained, 5);
    auto resumed = source_of(after, points, batch);
    REQUIRE(resumed.load(trained.save()).ok());
    auto fresh = source_of(after, points, batch);
    drawn_batch b;
    REQUIRE(resumed.draw(0.2, 9, b));
    REQUIRE(fresh.load(resumed.save()).ok());
    const auto most = *std::max_element(b.frequencies.begin(), b.frequencies.end());
    const auto least = *std::min_element(b.frequencies.begin(), b.frequencies.end());
    if (std::string(after).find("2}") == std::string::npos)
      CHECK(most == doctest::Approx(least)); // everybody alike
    else
      CHECK(most > 4.0F * least); // by the squares of what was scored
  }
}

TEST_CASE("changed sampling: a pool instead of all points, and all points instead of a pool") {
  const char* const pool = R"({"type": "multinomial", "candidates": 3})";
  const char* const all = R"({"type": "multinomial"})";
  for (const auto& [before, after] : {std::pair{pool, all}, {all, pool}}) {
    auto trained = source_of(before, points, batch);
    train(trained, 20);
    auto resumed = source_of(after, points, batch);
    const auto loaded = resumed.load(trained.save());
    REQUIRE_MESSAGE(loaded.ok(), loaded.error().message);
    train(resumed, 20);
  }
}

TEST_CASE("changed sampling: a history of another length keeps the newest") {
  for (const int length : {16, 64, 200}) {
    CAPTURE(length);
    auto trained = source_of(R"({"type": "cdf_beta", "history": 64})", points, batch);
    train(trained, 30);
    auto resumed =
        source_of(R"({"type": "cdf_beta", "history": )" + std::to_string(length) + "}", points, batch);
    const auto loaded = resumed.load(trained.save());
    REQUIRE_MESSAGE(loaded.ok(), loaded.error().message);
    train(resumed, 30);
  }
}
