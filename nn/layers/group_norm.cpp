#include "nn/layers/channel_norm.hpp"
#include "nn/layers/layers.hpp"
#include "nn/onnx/onnx_graph.hpp"

#include <fmt/format.h>

namespace triage {

namespace {

class group_norm_stage : public channel_norm_stage {
public:
  group_norm_stage(const channel_norm_layer& owner, const stage_request& r, std::size_t groups)
      : channel_norm_stage(owner, r), width_(channels() / groups) {}

protected:
  /// A set is a group of neighbouring channels of one sample.
  void average(std::span<double> per_channel) const override {
    const double share = 1.0 / static_cast<double>(width_ * geometry().plane);
    for (std::size_t sample = 0; sample < per_channel.size(); sample += geometry().channels())
      for (std::size_t group = 0; group < channels(); group += width_) {
        const auto members = per_channel.subspan(sample + group, width_);
        double sum = 0.0;
        for (const double v : members)
          sum += v;
        for (double& v : members)
          v = sum * share;
      }
  }

private:
  std::size_t width_;
};

/// Wu & He, "Group Normalization", ECCV 2018. Samples do not see each other, in training as in inference.
class group_norm : public channel_norm_layer {
public:
  [[nodiscard]] std::string_view type() const override { return "group_norm"; }
  void visit(option_visitor& v) override {
    v.field({.name = "groups", .doc = "groups of channels; must divide their number", .min = 1, .max = 1e6},
            groups_);
    channel_norm_layer::visit(v);
  }
  [[nodiscard]] bool has_sample_gradients() const override { return true; }
  result<sample_shape> connect(const sample_shape& input) override {
    if (input.channels % groups_ != 0)
      return configuration_error(fmt::format("{} groups do not divide {} channels", groups_, input.channels));
    return channel_norm_layer::connect(input);
  }
  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    return std::make_unique<group_norm_stage>(*this, r, static_cast<std::size_t>(groups_));
  }

  /// A group is an instance with its channels side by side.
  [[nodiscard]] result<onnx_value> draw(onnx_graph& graph, const onnx_value& input,
                                        const std::string& prefix) const override {
    const auto n = static_cast<std::size_t>(groups_);
    const auto by_group = graph.add(
        "Reshape",
        {input.name, graph.constant(std::vector<std::int64_t>{0, groups_, input_.size() / groups_})});
    const auto normal = graph.add("InstanceNormalization",
                                  {by_group, graph.constant({groups_}, std::vector<float>(n, 1.0F)),
                                   graph.constant({groups_}, std::vector<float>(n, 0.0F))},
                                  {{"epsilon", static_cast<float>(epsilon())}});
    const auto images = graph.as_images({normal, input_, false});
    const auto per_channel = [&](const std::string& tensor) {
      const auto shape = graph.constant(std::vector<std::int64_t>{input_.channels, 1, 1});
      return graph.add("Reshape", {graph.tensor(prefix + tensor), shape});
    };
    const auto out =
        graph.apply("Add", graph.apply("Mul", images, {per_channel("weight")}), {per_channel("bias")});
    return input.image ? out : graph.as_rows(out);
  }

private:
  std::int64_t groups_ = 1;
};

} // namespace

std::unique_ptr<layer> make_group_norm() {
  return std::make_unique<group_norm>();
}

} // namespace triage
