#include "core/mix.hpp"
#include "core/multiversion.hpp"
#include "nn/layers/layers.hpp"
#include "nn/quantised/quantised_stage.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace triage {

namespace {

/// out = factor * x where the element is kept, 0 elsewhere; `seed` decides which: backward finds the same
/// mask without storing it.
TRIAGE_MULTIVERSION void drop(const float* x, float* out, std::size_t n, std::uint64_t seed,
                              std::uint32_t threshold, float factor) {
  const auto low = static_cast<std::uint32_t>(seed);
  const auto high = static_cast<std::uint32_t>(seed >> 32U);
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t word = mix(mix(static_cast<std::uint32_t>(i) + low) ^ high);
    out[i] = word >= threshold ? factor * x[i] : 0.0F;
  }
}

/// Element-wise, so any layout will do; padding is zero and stays zero.
class dropout_stage : public stage {
public:
  dropout_stage(const stage_request& r, double rate)
      : stage(r.incoming, r.incoming), size_(r.incoming.floats()), training_(r.training),
        input_gradient_(r.input_gradient), threshold_(static_cast<std::uint32_t>(std::ldexp(rate, 32))),
        factor_(static_cast<float>(1.0 / (1.0 - rate))) {}

  [[nodiscard]] bool is_view() const override { return !training_ || threshold_ == 0; }
  void forward(const pass& p) override {
    drops_ = p.random != nullptr;
    if (!drops_) {
      std::copy_n(buffers().input, size_, buffers().output);
      return;
    }
    seed_ = p.random->next_u64();
    drop(buffers().input, buffers().output, size_, seed_, threshold_, factor_);
  }
  void backward(const pass&) override {
    if (input_gradient_ && !drops_)
      std::copy_n(buffers().output_gradient, size_, buffers().input_gradient);
    else if (input_gradient_)
      drop(buffers().output_gradient, buffers().input_gradient, size_, seed_, threshold_, factor_);
  }

  [[nodiscard]] bool backward_reads_input() const override { return false; }
  [[nodiscard]] bool backward_reads_output() const override { return false; }

private:
  std::size_t size_;
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
    return std::make_unique<dropout_stage>(r, rate_);
  }
  [[nodiscard]] std::unique_ptr<quantised_stage> quantise(const quantised_request& r) const override {
    return r.is_last ? nullptr : make_quantised_view(r.incoming);
  }

private:
  double rate_ = 0.5;
};

} // namespace

std::unique_ptr<layer> make_dropout() {
  return std::make_unique<dropout>();
}

} // namespace triage
