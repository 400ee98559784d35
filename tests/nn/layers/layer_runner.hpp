#pragma once

#include "core/rng.hpp"
#include "nn/stage_chain.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <span>
#include <string_view>
#include <vector>

namespace triage {

/// A chain of layers from a JSON array with parameters of its own, run without a network around it.
struct layer_runner {
  layer_runner(std::string_view text, const sample_shape& shape) : input_shape(shape) {
    auto made = make_layers(json_text(text), {"test.json", ""}, shape, {});
    REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message));
    chain = made.take();
    for (std::size_t i = 0; i < chain.size(); ++i)
      chain[i]->declare(layout, std::to_string(i) + ".", 8);
    layout.finish();
    for (const auto& l : chain)
      l->locate(layout);
    parameters.resize(layout.size());
    layout.initialise(parameters, 3);
    gradient.assign(layout.size(), 0.0F);
  }

  /// The output; in training also runs backward with `dy` (as long as the output) and fills dx and gradient.
  std::vector<float> run(const std::vector<float>& x, bool training, const std::vector<float>& dy = {}) {
    const auto batch = static_cast<std::int64_t>(x.size()) / input_shape.size();
    kernel_engine engine;
    stage_chain stages(chain, {engine, batch, tensor_layout::plain(batch, input_shape), training, training});
    dx.assign(x.size(), 0.0F);
    stages.bind(x.data(), training ? dx.data() : nullptr);
    const pass now{parameters, training ? std::span<float>(gradient) : std::span<float>{}, training,
                   training ? &random : nullptr};
    stages.forward(now);
    const auto size = static_cast<std::size_t>(batch * chain.back()->output_shape().size());
    std::vector<float> y(stages.output(), stages.output() + size);
    if (training && !dy.empty()) {
      std::copy(dy.begin(), dy.end(), stages.output_gradient());
      stages.backward(now);
    }
    return y;
  }

  /// One tensor of the block by the end of its name.
  std::span<float> tensor(std::span<float> block, std::string_view ending) const {
    for (const auto& t : layout.tensors())
      if (t.name.ends_with(ending))
        return block.subspan(t.offset, t.size);
    FAIL("no tensor ", ending);
    return {};
  }

  static std::vector<float> noise(std::size_t n, std::uint64_t stream) {
    rng r(41, stream);
    std::vector<float> v(n);
    for (float& x : v)
      x = static_cast<float>(1.0 + 2.0 * r.normal());
    return v;
  }

  sample_shape input_shape;
  parameter_layout layout;
  std::vector<std::unique_ptr<layer>> chain;
  std::vector<float> parameters;
  std::vector<float> gradient;
  std::vector<float> dx;
  rng random{5, rng_purpose::dropout};
};

} // namespace triage
