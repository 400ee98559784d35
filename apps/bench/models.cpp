#include "apps/bench/models.hpp"

#include "actors/train.hpp"
#include "core/overrides.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <stdexcept>

namespace triage {

namespace {

const std::array<bench_model, 3>& bench_models() {
  static const std::array<bench_model, 3> table = {
      bench_model{"mlp", R"(
  "data": {"format": "synthetic", "kind": "images", "height": 28, "width": 28, "classes": 10,
           "train_size": 20000, "test_size": 0},
  "model": [{"type": "dense", "units": 512, "activation": "relu"},
            {"type": "dense", "units": 256, "activation": "relu"},
            {"type": "dense", "units": 10}])"},
      bench_model{"cnn", R"(
  "data": {"format": "synthetic", "kind": "images", "height": 28, "width": 28, "classes": 10,
           "train_size": 20000, "test_size": 0},
  "model": [{"type": "conv2d", "filters": 32, "activation": "relu"}, {"type": "max_pool"},
            {"type": "conv2d", "filters": 64, "activation": "relu"}, {"type": "max_pool"},
            {"type": "dense", "units": 128, "activation": "relu"},
            {"type": "dense", "units": 10}])"},
      bench_model{"resnet8", R"(
  "data": {"format": "synthetic", "kind": "images", "channels": 3, "height": 32, "width": 32, "classes": 10,
           "train_size": 5000, "test_size": 0},
  "model": [
    {"type": "conv2d", "filters": 16, "bias": false}, {"type": "batch_norm"}, {"type": "relu"},
    {"type": "residual", "layers": [
      {"type": "conv2d", "filters": 16, "bias": false}, {"type": "batch_norm"}, {"type": "relu"},
      {"type": "conv2d", "filters": 16, "bias": false}, {"type": "batch_norm"}]}, {"type": "relu"},
    {"type": "residual", "layers": [
      {"type": "conv2d", "filters": 32, "stride": 2, "padding": 1, "bias": false}, {"type": "batch_norm"},
      {"type": "relu"}, {"type": "conv2d", "filters": 32, "bias": false}, {"type": "batch_norm"}],
     "shortcut": [{"type": "conv2d", "filters": 32, "kernel": 1, "stride": 2, "padding": 0, "bias": false},
                  {"type": "batch_norm"}]}, {"type": "relu"},
    {"type": "residual", "layers": [
      {"type": "conv2d", "filters": 64, "stride": 2, "padding": 1, "bias": false}, {"type": "batch_norm"},
      {"type": "relu"}, {"type": "conv2d", "filters": 64, "bias": false}, {"type": "batch_norm"}],
     "shortcut": [{"type": "conv2d", "filters": 64, "kernel": 1, "stride": 2, "padding": 0, "bias": false},
                  {"type": "batch_norm"}]}, {"type": "relu"},
    {"type": "global_avg_pool"}, {"type": "dense", "units": 10}])"},
  };
  return table;
}

} // namespace

const bench_model& find_bench_model(const std::string& name) {
  const auto& table = bench_models();
  const auto at = std::find_if(table.begin(), table.end(), [&](const auto& m) { return m.name == name; });
  if (at == table.end())
    throw std::runtime_error(fmt::format("there is no benchmark model \"{}\"", name));
  return *at;
}

std::string emulated_model(double milliseconds, int layers, int parameters) {
  std::string text = "model=[";
  for (int i = 0; i < layers; ++i)
    text += fmt::format(R"({{"type":"synthetic_wait","milliseconds":{:.4f},"parameters":{}}},)",
                        milliseconds / layers, parameters / layers);
  return text + R"({"type":"dense","units":10}])";
}

std::shared_ptr<const run_setup> make_bench_setup(const std::string& model, std::int64_t batch_size,
                                                  const std::vector<std::string>& overrides) {
  const std::string text = fmt::format(R"({{"schema_version": 1, "name": "bench",{},
  "optimizer": {{"type": "sgd", "learning_rate": 0.001, "momentum": 0.9, "nesterov": true, "weight_decay": 0.0005}},
  "batch_size": {}, "duration": {{"epochs": 1}}, "evaluation": {{"every_epochs": 0, "probe_size": 64}},
  "checkpoint": {{"every_epochs": 0}}, "runtime": {{"workers": 1, "estimators": 0}}}})",
                                       find_bench_model(model).description, batch_size);
  auto document = parse_json(text, "the benchmark " + model);
  if (!document.ok())
    throw std::runtime_error(document.error().message);
  if (auto changed = apply_overrides(*document, overrides); !changed.ok())
    throw std::runtime_error(changed.error().message);
  auto setup = prepare_run(*document, "the benchmark " + model);
  if (!setup.ok())
    throw std::runtime_error(setup.error().message);
  return setup.take();
}

} // namespace triage
