#pragma once

#include "nn/layer.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <stdexcept>

namespace triage::test {

/// What the breaking layer does in the passes that follow.
enum class breakage { none, throws, spoils };
inline std::atomic<breakage> present_breakage{breakage::none};

/// Passes its input on; breaks as told: throws, or writes a value that is not a number.
class breaking_layer : public layer {
public:
  [[nodiscard]] std::string_view type() const override { return "breaking"; }
  result<sample_shape> connect(const sample_shape& input) override { return output_ = input_ = input; }
  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    return std::make_unique<breaking_stage>(r, input_);
  }

private:
  class breaking_stage : public stage {
  public:
    breaking_stage(const stage_request& r, const sample_shape& shape)
        : stage(tensor_layout::plain(r.batch, shape), tensor_layout::plain(r.batch, shape)),
          values_(static_cast<std::size_t>(r.batch * shape.size())) {}
    void forward(const pass&) override {
      std::copy_n(buffers().input, values_, buffers().output);
      if (present_breakage == breakage::throws)
        throw std::runtime_error("the layer broke");
      if (present_breakage == breakage::spoils)
        buffers().output[0] = std::numeric_limits<float>::quiet_NaN();
    }
    void backward(const pass&) override {
      if (buffers().input_gradient != nullptr)
        std::copy_n(buffers().output_gradient, values_, buffers().input_gradient);
    }

  private:
    std::size_t values_;
  };
};

inline constexpr std::array breaking_table = {
    registry_entry<layer_factory>{"breaking", "breaks when told to",
                                  [] { return std::unique_ptr<layer>(std::make_unique<breaking_layer>()); }}};

/// The override that puts it into the model of small_run.
inline constexpr const char* breaking_model =
    R"(model=[{"type":"dense","units":16,"activation":"relu"},{"type":"breaking"},{"type":"dense","units":4}])";

/// Breaks while it lives.
struct broken_for_now {
  explicit broken_for_now(breakage how) { present_breakage = how; }
  ~broken_for_now() { present_breakage = breakage::none; }
  broken_for_now(const broken_for_now&) = delete;
  broken_for_now& operator=(const broken_for_now&) = delete;
};

} // namespace triage::test
