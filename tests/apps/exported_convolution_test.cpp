#include "command_support.hpp"

#include "core/npy.hpp"
#include "core/rng.hpp"
#include "core/safetensors.hpp"

#include <algorithm>
#include <cmath>

// What an exported convolution means, spelled out as loops: channels first, windows not flipped, weights as
// (filter, channel, row, column), images flattened channel by channel.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t side = 6;
constexpr std::size_t filters = 5;
constexpr std::size_t pooled = side / 2;
constexpr std::size_t classes = 3;

struct tensors {
  explicit tensors(const std::string& file) {
    const auto read = decode_safetensors(text_of(file), file);
    REQUIRE_MESSAGE(read.ok(), (read.ok() ? "" : read.error().message));
    all = *read;
  }
  [[nodiscard]] const stored_tensor& find(const std::string& name) const {
    const auto at = std::find_if(all.begin(), all.end(), [&](const auto& t) { return t.name == name; });
    REQUIRE_MESSAGE(at != all.end(), name);
    return *at;
  }
  [[nodiscard]] const std::vector<float>& values(const std::string& name) const {
    return std::get<std::vector<float>>(find(name).values);
  }
  std::vector<stored_tensor> all;
};

/// 3x3 windows with zeros around, then relu, then the largest of each 2x2.
std::vector<double> convolve_and_pool(const std::vector<double>& image, const std::vector<float>& weight,
                                      const std::vector<float>& bias) {
  std::vector<double> out;
  for (std::size_t f = 0; f < filters; ++f)
    for (std::size_t py = 0; py < pooled; ++py)
      for (std::size_t px = 0; px < pooled; ++px) {
        double best = 0.0; // of a relu
        for (std::size_t y = 2 * py; y < 2 * py + 2; ++y)
          for (std::size_t x = 2 * px; x < 2 * px + 2; ++x) {
            double sum = static_cast<double>(bias[f]);
            for (std::size_t ky = 0; ky < 3; ++ky)
              for (std::size_t kx = 0; kx < 3; ++kx) {
                const auto iy = static_cast<std::ptrdiff_t>(y + ky) - 1;
                const auto ix = static_cast<std::ptrdiff_t>(x + kx) - 1;
                if (iy < 0 || ix < 0 || iy >= static_cast<std::ptrdiff_t>(side) ||
                    ix >= static_cast<std::ptrdiff_t>(side))
                  continue;
                sum += image[static_cast<std::size_t>(iy) * side + static_cast<std::size_t>(ix)] *
                       static_cast<double>(weight[(f * 3 + ky) * 3 + kx]);
              }
            best = std::max(best, sum);
          }
        out.push_back(best);
      }
  return out;
}

} // namespace

TEST_CASE("export: a convolution written for other programs gives the program's predictions when it is "
          "spelled out") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", R"({
    "data": {"format": "synthetic", "kind": "images", "train_size": 200, "test_size": 20, "classes": 3,
             "height": 6, "width": 6, "channels": 1},
    "model": [{"type": "conv2d", "filters": 5, "kernel": 3, "padding": "same", "activation": "relu"}, "max_pool",
              {"type": "dense", "units": 3}],
    "optimizer": {"type": "sgd", "learning_rate": 0.05}, "duration": {"epochs": 2}})");
  const auto run = folder.path("r");
  const auto trained = run_command({"train", file, "--run-dir", run, "--quiet"});
  REQUIRE_MESSAGE(trained.code == 0, trained.err);
  REQUIRE(run_command({"export", run, "--output", folder.path("m.safetensors")}).code == 0);
  const tensors model(folder.path("m.safetensors"));
  const auto& weight = model.find("0.conv2d.weight");
  CHECK(weight.shape == std::vector<std::int64_t>{5, 1, 3, 3});
  const auto about = parse_json(text_of(run + "/model/model.json"), "model.json");
  REQUIRE(about.ok());
  const double scale = about->find("standardisation")->find("scale")->as_array()[0].as_number();
  const double shift = about->find("standardisation")->find("shift")->as_array()[0].as_number();

  std::string dense = "2.dense.";
  for (const auto& t : model.all)
    if (t.name.ends_with("dense.weight"))
      dense = t.name.substr(0, t.name.size() - 6);
  const auto& dense_weight = model.values(dense + "weight");
  const auto& dense_bias = model.values(dense + "bias");
  const bool rows_are_outputs = model.find(dense + "weight").shape[0] == static_cast<std::int64_t>(classes);

  rng random(2, 2);
  constexpr std::size_t samples = 12;
  std::vector<std::uint8_t> pixels(samples * side * side);
  for (auto& p : pixels)
    p = static_cast<std::uint8_t>(random.below(256));
  REQUIRE(write_npy(folder.path("in.npy"), {samples, side, side}, pixels).ok());
  const auto predicted =
      run_command({"predict", run, "--input", folder.path("in.npy"), "--output", folder.path("out.npy")});
  REQUIRE_MESSAGE(predicted.code == 0, predicted.err);
  const auto array = read_npy(folder.path("out.npy"));
  REQUIRE(array.ok());
  const auto& rows = std::get<std::vector<float>>(array->values);
  for (std::size_t s = 0; s < samples; ++s) {
    std::vector<double> image;
    for (std::size_t i = 0; i < side * side; ++i)
      image.push_back(static_cast<double>(pixels[s * side * side + i]) * scale + shift);
    const auto hidden =
        convolve_and_pool(image, std::get<std::vector<float>>(weight.values), model.values("0.conv2d.bias"));
    std::vector<double> z;
    for (std::size_t o = 0; o < classes; ++o) {
      double sum = static_cast<double>(dense_bias[o]);
      for (std::size_t i = 0; i < hidden.size(); ++i)
        sum += hidden[i] *
               static_cast<double>(dense_weight[rows_are_outputs ? o * hidden.size() + i : i * classes + o]);
      z.push_back(sum);
    }
    const double most = *std::max_element(z.begin(), z.end());
    double total = 0.0;
    for (double& v : z)
      total += v = std::exp(v - most);
    for (std::size_t k = 0; k < classes; ++k)
      REQUIRE(static_cast<double>(rows[s * classes + k]) ==
              doctest::Approx(z[k] / total).epsilon(1e-3).scale(1.0));
  }
}
