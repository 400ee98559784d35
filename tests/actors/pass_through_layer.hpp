#pragma once

#include "nn/layer.hpp"

#include <algorithm>
#include <memory>
#include <string_view>

namespace triage::test {

/// A layer that passes its input on, and calls `Fault` (with the pass and the first value of the output)
/// behind each forward: the place for tests to throw, or to spoil a value.
template <void (*Fault)(const pass&, float&)>
class pass_through_layer : public layer {
public:
  explicit pass_through_layer(std::string_view type) : type_(type) {}
  [[nodiscard]] std::string_view type() const override { return type_; }
  result<sample_shape> connect(const sample_shape& input) override { return output_ = input_ = input; }
  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    return std::make_unique<pass_through_stage>(r, input_);
  }

private:
  class pass_through_stage : public stage {
  public:
    pass_through_stage(const stage_request& r, const sample_shape& shape)
        : stage(tensor_layout::plain(r.batch, shape), tensor_layout::plain(r.batch, shape)),
          values_(static_cast<std::size_t>(r.batch * shape.size())) {}
    void forward(const pass& p) override {
      std::copy_n(buffers().input, values_, buffers().output);
      Fault(p, buffers().output[0]);
    }
    void backward(const pass&) override {
      if (buffers().input_gradient != nullptr)
        std::copy_n(buffers().output_gradient, values_, buffers().input_gradient);
    }

  private:
    std::size_t values_;
  };

  std::string_view type_;
};

} // namespace triage::test
