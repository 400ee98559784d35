#include "actors/run_setup.hpp"
#include "apps/race/plan.hpp"
#include "command_support.hpp"
#include "core/dataset.hpp"
#include "core/npy.hpp"
#include "race_support.hpp"

#include <doctest/doctest.h>
#include <filesystem>

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t points = 2000;

/// Small images instead of the real ones, which need not be installed; changes of the training set stay.
json_value with_small_images(json_value description) {
  auto images = json_text(R"({"format":"synthetic","kind":"images","height":28,"width":28,"classes":10})");
  images.set("train_size", json_value(std::int64_t{points}));
  if (const auto* regime = description.find("data")->find("regime"))
    images.set("regime", *regime);
  description.set("data", images);
  return description;
}

/// What somebody who follows the race's page has made before.
json_value with_irreducible_losses(json_value description, const std::string& file) {
  const json_value* guard =
      description.find("sampling")->is_object() ? description.find("sampling")->find("guard") : nullptr;
  if (guard == nullptr || guard->find("irreducible_losses") == nullptr)
    return description;
  json_value sampling = *description.find("sampling");
  json_value changed = *guard;
  changed.set("irreducible_losses", json_value(file));
  sampling.set("guard", changed);
  description.set("sampling", sampling);
  return description;
}

} // namespace

TEST_CASE("examples: every arm of every race describes a run that can be trained") {
  int arms = 0;
  const scratch_folder folder;
  const auto losses = folder.path("losses.npy");
  REQUIRE(write_npy(losses, {points}, std::vector<float>(points, 1.0F)).ok());
  for (const auto& entry : std::filesystem::directory_iterator(TRIAGE_SOURCE_DIR "/examples/races")) {
    const std::string file = entry.path().string();
    CAPTURE(file);
    const auto text = read_json_file(file);
    REQUIRE_MESSAGE(text.ok(), text.error().message);
    const auto spec = read_race_spec(*text, file);
    REQUIRE_MESSAGE(spec.ok(), spec.error().message);
    for (std::size_t arm = 0; arm < spec->arms.size(); ++arm, ++arms) {
      const auto points = grid_points(spec->arms[arm]);
      const auto description = describe_run(
          *spec, arm, points.empty() ? std::vector<path_value>{} : points.back().values, spec->seeds.front());
      REQUIRE_MESSAGE(description.ok(), description.error().message);
      const auto data = check_data_description(*description->find("data"), {file, "/data"});
      CHECK_MESSAGE(data.ok(), data.error().message);
      const auto setup = prepare_run(with_irreducible_losses(with_small_images(*description), losses), file);
      CHECK_MESSAGE(setup.ok(), setup.error().message);
    }
  }
  CHECK(arms >= 20);
}
