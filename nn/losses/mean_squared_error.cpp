#include "nn/losses/losses.hpp"

#include <fmt/format.h>

namespace triage {

namespace {

/// The mean over the outputs of (z - t)^2; no factor 1/2.
class mean_squared_error : public loss_function {
public:
  void evaluate(std::span<const float> outputs, std::int64_t width, const batch_targets& targets,
                std::span<float> loss, std::span<float> gradient) const override {
    const auto w = static_cast<std::size_t>(width);
    const double share = 1.0 / static_cast<double>(width);
    const auto slope = static_cast<float>(2.0 * share);
    for (std::size_t i = 0; i < loss.size(); ++i) {
      double sum = 0.0;
      for (std::size_t k = i * w; k < (i + 1) * w; ++k) {
        const float difference = outputs[k] - targets.values[k];
        sum += static_cast<double>(difference) * static_cast<double>(difference);
        if (!gradient.empty())
          gradient[k] = slope * difference;
      }
      loss[i] = static_cast<float>(sum * share);
    }
  }

  void to_prediction(std::span<float>, std::int64_t) const override {}
  [[nodiscard]] bool has_accuracy() const override { return false; }
  [[nodiscard]] bool is_correct(std::span<const float>, const batch_targets&, std::size_t) const override {
    return false;
  }

  [[nodiscard]] result<void> check(std::int64_t classes, std::int64_t outputs,
                                   std::int64_t width) const override {
    if (classes > 0)
      return configuration_error(
          "mean_squared_error needs numbers as targets, and the data has class labels: use "
          "\"softmax_cross_entropy\", or, where they are numbers to predict, say \"task\": \"regression\" in "
          "the data (CSV) or store them as floats (npy)");
    if (width != outputs)
      return configuration_error(
          fmt::format("mean_squared_error on {} target values needs a network with {} outputs, "
                      "not {}: change the last layer",
                      outputs, outputs, width));
    return {};
  }

  [[nodiscard]] std::int64_t output_width(std::int64_t classes, std::int64_t outputs) const override {
    return classes > 0 ? classes : outputs;
  }
};

} // namespace

std::unique_ptr<loss_function> make_mean_squared_error() {
  return std::make_unique<mean_squared_error>();
}

} // namespace triage
