#pragma once

#include "tests/nn/layers/layer_runner.hpp"

#include <map>
#include <string>

// The cases of tests over the whole table of layers.

namespace triage {

/// The options to try beside the defaults; a layer with required options needs at least one.
inline const std::map<std::string_view, std::vector<std::string>>& variants() {
  static const std::map<std::string_view, std::vector<std::string>> table{
      {"dense",
       {R"("units": 5)", R"("units": 17, "activation": "tanh")", R"("units": 20, "activation": "relu")",
        R"("units": 4, "activation": "leaky_relu")",
        R"("units": 3, "activation": "sigmoid", "bias": false)"}},
      {"conv2d",
       {R"("filters": 5)", R"("filters": 20, "activation": "relu")",
        R"("filters": 6, "groups": 3, "stride": 2, "padding": 1, "activation": "tanh")",
        R"("filters": 3, "kernel": 2, "padding": "valid", "activation": "sigmoid")",
        R"("filters": 4, "kernel": 4, "stride": 3, "padding": "same", "bias": false)"}},
      {"max_pool",
       {R"("size": 3, "stride": 2, "padding": "same")", R"("size": 3, "stride": 1, "padding": 1)"}},
      {"avg_pool",
       {R"("size": 3, "stride": 2, "padding": "same")", R"("size": 3, "stride": 1, "padding": 1)"}},
      {"leaky_relu", {R"("slope": 0.3)"}},
      {"synthetic_wait", {R"("milliseconds": 0)", R"("milliseconds": 0, "parameters": 20)"}},
      {"dropout", {R"("rate": 0)", R"("rate": 0.3)"}},
      {"group_norm", {R"("groups": 3)"}},
      {"residual",
       {R"("layers": ["tanh"])",
        R"("layers": [{"type": "conv2d", "filters": 20, "stride": 2}, "group_norm"],
           "shortcut": [{"type": "conv2d", "filters": 20, "kernel": 1, "stride": 2}])"}}};
  return table;
}

inline std::vector<std::string> descriptions_of(std::string_view name) {
  std::vector<std::string> all{"{\"type\": \"" + std::string(name) + "\"}"};
  if (const auto more = variants().find(name); more != variants().end())
    for (const auto& options : more->second)
      all.push_back("{\"type\": \"" + std::string(name) + "\", " + options + "}");
  return all;
}

inline bool builds(const std::string& chain, const sample_shape& shape) {
  return make_layers(json_text(chain), {"test.json", ""}, shape, {}).ok();
}

/// Calls check(runner) for every layer and variant on vectors, on images, and behind convolutions whose
/// outputs have a blocked and padded layout, or one with channels innermost.
template <class Check>
void for_every_layer(const Check& check) {
  for (const auto name : names_of(layers())) {
    int accepted = 0;
    for (const auto& description : descriptions_of(name))
      for (const std::string front :
           {"", R"({"type": "conv2d", "filters": 18},)", R"({"type": "conv2d", "filters": 6},)"})
        for (const sample_shape shape : {sample_shape{6, 1, 1}, sample_shape{3, 6, 5}}) {
          const std::string chain = "[" + front + description + "]";
          if (!builds(chain, shape))
            continue;
          ++accepted;
          CAPTURE(chain);
          CAPTURE(to_string(shape));
          layer_runner runner(chain, shape);
          check(runner);
        }
    CHECK_MESSAGE(accepted > 0, "no case in variants() fits the layer ", name);
  }
}

} // namespace triage
