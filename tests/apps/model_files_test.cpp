#include "apps/model_files.hpp"

#include "actors/train.hpp"
#include "command_support.hpp"
#include "core/npy.hpp"
#include "core/rng.hpp"
#include "core/safetensors.hpp"

#include <algorithm>
#include <cmath>
#include <map>

// A finished run leaves its model in two files that other programs can use by themselves. Here they are used
// so: nothing but the files, and arithmetic.

using namespace triage;
using namespace triage::test;

namespace {

struct read_tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

/// The safetensors format as published: eight bytes of length, a JSON header, the data.
std::map<std::string, read_tensor> read_published_format(const std::string& bytes) {
  REQUIRE(bytes.size() > 8);
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < 8; ++i)
    n |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  const auto header = parse_json(bytes.substr(8, n), "header");
  REQUIRE(header.ok());
  std::map<std::string, read_tensor> out;
  for (const auto& [name, about] : header->as_object()) {
    if (name == "__metadata__")
      continue;
    CHECK(about.find("dtype")->as_string() == "F32");
    read_tensor t;
    std::int64_t count = 1;
    for (const auto& d : about.find("shape")->as_array()) {
      t.shape.push_back(d.as_integer());
      count *= d.as_integer();
    }
    const auto& offsets = about.find("data_offsets")->as_array();
    REQUIRE(offsets[1].as_integer() - offsets[0].as_integer() == 4 * count);
    t.values.resize(static_cast<std::size_t>(count));
    std::copy_n(bytes.data() + 8 + n + static_cast<std::size_t>(offsets[0].as_integer()), 4 * t.values.size(),
                reinterpret_cast<char*>(t.values.data()));
    out[name] = std::move(t);
  }
  return out;
}

std::vector<double> numbers(const json_value& list) {
  std::vector<double> out;
  for (const auto& v : list.as_array())
    out.push_back(v.as_number());
  return out;
}

/// A row-major matrix with one row for each output, times x, plus the bias.
std::vector<double> affine(const read_tensor& weight, const read_tensor& bias, const std::vector<double>& x) {
  REQUIRE(weight.values.size() == bias.values.size() * x.size());
  const bool rows_are_outputs = static_cast<std::size_t>(weight.shape[0]) == bias.values.size();
  std::vector<double> y;
  for (std::size_t o = 0; o < bias.values.size(); ++o) {
    double sum = static_cast<double>(bias.values[o]);
    for (std::size_t i = 0; i < x.size(); ++i)
      sum += x[i] * static_cast<double>(
                        weight.values[rows_are_outputs ? o * x.size() + i : i * bias.values.size() + o]);
    y.push_back(sum);
  }
  return y;
}

} // namespace

TEST_CASE("model files: with them alone, and arithmetic, one gets the program's predictions, also where the "
          "kernels "
          "store weights in blocks") {
  const scratch_folder folder;
  // 48 -> 64 -> 33: sizes for which blocked layouts are chosen, and one that fills no block.
  const auto file = folder.file("run.json", R"({
    "data": {"format": "synthetic", "kind": "blobs", "train_size": 300, "test_size": 50, "features": 48, "classes": 5},
    "model": [{"type": "dense", "units": 64, "activation": "relu"},
              {"type": "dense", "units": 33, "activation": "tanh"}, {"type": "dense", "units": 5}],
    "optimizer": {"type": "sgd", "learning_rate": 0.05}, "duration": {"epochs": 2}})");
  const auto run = folder.path("r");
  const auto trained = run_command({"train", file, "--run-dir", run, "--quiet"});
  REQUIRE_MESSAGE(trained.code == 0, trained.err);
  const auto tensors = read_published_format(text_of(run + "/model/model.safetensors"));
  const auto about = parse_json(text_of(run + "/model/model.json"), "model.json");
  REQUIRE(about.ok());
  CHECK(numbers(*about->find("input_shape")) == std::vector<double>{48, 1, 1});
  CHECK(about->find("model")->as_array().size() == 3);
  const auto scale = numbers(*about->find("standardisation")->find("scale"));
  const auto shift = numbers(*about->find("standardisation")->find("shift"));

  rng random(5, 5);
  std::vector<float> samples(20 * 48);
  for (float& v : samples)
    v = static_cast<float>(3.0 * random.normal());
  REQUIRE(write_npy(folder.path("in.npy"), {20, 48}, samples).ok());
  REQUIRE(run_command({"predict", run, "--input", folder.path("in.npy"), "--output", folder.path("out.npy")})
              .code == 0);
  const auto predicted = read_npy(folder.path("out.npy"));
  REQUIRE(predicted.ok());
  const auto& rows = std::get<std::vector<float>>(predicted->values);
  for (std::size_t s = 0; s < 20; ++s) {
    std::vector<double> x;
    for (std::size_t i = 0; i < 48; ++i) {
      const std::size_t c = scale.size() == 1 ? 0 : i;
      x.push_back(static_cast<double>(samples[48 * s + i]) * scale[c] + shift[c]);
    }
    x = affine(tensors.at("0.dense.weight"), tensors.at("0.dense.bias"), x);
    for (double& v : x)
      v = std::max(v, 0.0);
    x = affine(tensors.at("1.dense.weight"), tensors.at("1.dense.bias"), x);
    for (double& v : x)
      v = std::tanh(v);
    x = affine(tensors.at("2.dense.weight"), tensors.at("2.dense.bias"), x);
    double sum = 0.0;
    const double most = *std::max_element(x.begin(), x.end());
    for (double& v : x)
      sum += v = std::exp(v - most);
    for (std::size_t k = 0; k < 5; ++k)
      REQUIRE(static_cast<double>(rows[5 * s + k]) == doctest::Approx(x[k] / sum).epsilon(1e-3).scale(1.0));
  }
}

TEST_CASE("model files: a folder that cannot be made is an error of the file system with its path") {
  const auto setup = prepare_run_text(small_run_text);
  REQUIRE(setup.ok());
  const scratch_folder folder;
  const std::vector<float> parameters((*setup)->net->parameters().size());
  const auto below_file = folder.file("file", "") + "/model";
  const auto refused = write_model_files(**setup, parameters, below_file);
  REQUIRE(!refused.ok());
  CHECK(refused.error().kind == error_kind::io);
  CHECK(refused.error().message.find(below_file) != std::string::npos);
  REQUIRE(write_model_files(**setup, parameters, folder.path("a/b")).ok());
  CHECK(std::filesystem::exists(folder.path("a/b/model.json")));
}
