#include "core/mix.hpp"
#include "core/multiversion.hpp"
#include "nn/kernels/channels.hpp"
#include "nn/layers/layers.hpp"
#include "nn/onnx/onnx_graph.hpp"
#include "nn/quantised/quantised_stage.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

namespace triage {

namespace {

/// Which elements are dropped; backward finds the same ones without storing a mask.
struct drop_rule {
  std::uint64_t seed;
  std::uint32_t threshold;
  float factor; ///< of what is kept

  [[nodiscard]] TRIAGE_INLINE float apply(float x, std::uint32_t element) const {
    const auto low = static_cast<std::uint32_t>(seed);
    const auto high = static_cast<std::uint32_t>(seed >> 32U);
    return mix(mix(element + low) ^ high) >= threshold ? factor * x : 0.0F;
  }
};

TRIAGE_MULTIVERSION void drop_plain(const float* x, float* out, std::size_t n, const drop_rule& rule) {
  const drop_rule r = rule;
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i)
    out[i] = r.apply(x[i], static_cast<std::uint32_t>(i));
}

/// Elements are numbered as in NCHW, so that what is dropped does not depend on which layout the kernels
/// around like.
TRIAGE_MULTIVERSION void drop_blocked(const channel_geometry& g, std::size_t channels, const float* x,
                                      float* out, const drop_rule& rule) {
  const drop_rule r = rule;
  for (std::size_t image = 0; image < g.batch; ++image)
    for (std::size_t block = 0; block < g.blocks; ++block)
      for (std::size_t pixel = 0; pixel < g.plane; ++pixel, x += g.block, out += g.block) {
        const std::size_t first = (image * channels + block * g.block) * g.plane + pixel;
        TRIAGE_INDEPENDENT
        for (std::size_t c = 0; c < g.block; ++c)
          out[c] = r.apply(x[c], static_cast<std::uint32_t>(first + c * g.plane));
      }
}

/// Works in the layout that comes in; padding is zero and stays zero.
class dropout_stage : public stage {
public:
  dropout_stage(const stage_request& r, const sample_shape& shape, double rate)
      : stage(r.incoming, r.incoming), size_(r.incoming.floats()),
        channels_(static_cast<std::size_t>(shape.channels)),
        blocked_(r.incoming == tensor_layout::plain(r.batch, shape)
                     ? std::nullopt
                     : channel_geometry::of(r.incoming, shape)),
        training_(r.training), input_gradient_(r.input_gradient),
        threshold_(static_cast<std::uint32_t>(std::ldexp(rate, 32))),
        factor_(static_cast<float>(1.0 / (1.0 - rate))) {}

  [[nodiscard]] bool is_view() const override { return !training_ || threshold_ == 0; }
  void forward(const pass& p) override {
    drops_ = p.random != nullptr;
    if (!drops_) {
      std::copy_n(buffers().input, size_, buffers().output);
      return;
    }
    seed_ = p.random->next_u64();
    drop(buffers().input, buffers().output);
  }
  void backward(const pass&) override {
    if (input_gradient_ && !drops_)
      std::copy_n(buffers().output_gradient, size_, buffers().input_gradient);
    else if (input_gradient_)
      drop(buffers().output_gradient, buffers().input_gradient);
  }

  [[nodiscard]] bool backward_reads_input() const override { return false; }
  [[nodiscard]] bool backward_reads_output() const override { return false; }

private:
  void drop(const float* x, float* out) const {
    const drop_rule rule{seed_, threshold_, factor_};
    blocked_ ? drop_blocked(*blocked_, channels_, x, out, rule) : drop_plain(x, out, size_, rule);
  }

  std::size_t size_;
  std::size_t channels_;
  std::optional<channel_geometry> blocked_; ///< null: plain
  bool training_;
  bool input_gradient_;
  std::uint32_t threshold_;
  float factor_;
  std::uint64_t seed_ = 0;
  bool drops_ = true; ///< in this pass
};

/// Srivastava et al., JMLR 2014, inverted: kept values are divided by 1 - rate in training, so that inference
/// does nothing.
class dropout : public layer {
public:
  [[nodiscard]] std::string_view type() const override { return "dropout"; }
  void visit(option_visitor& v) override {
    v.field({.name = "rate",
             .doc = "part of the values that is set to zero in training",
             .min = 0.0,
             .max = 0.999},
            rate_);
  }
  result<sample_shape> connect(const sample_shape& input) override { return output_ = input_ = input; }
  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    return std::make_unique<dropout_stage>(r, input_, rate_);
  }
  [[nodiscard]] std::unique_ptr<quantised_stage> quantise(const quantised_request& r) const override {
    return r.is_last ? nullptr : make_quantised_view(r.incoming);
  }
  [[nodiscard]] result<onnx_value> draw(onnx_graph&, const onnx_value& input,
                                        const std::string&) const override {
    return input;
  }

private:
  double rate_ = 0.5;
};

} // namespace

std::unique_ptr<layer> make_dropout() {
  return std::make_unique<dropout>();
}

} // namespace triage
