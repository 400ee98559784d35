#include "nn/losses/losses.hpp"

#include <cmath>
#include <fmt/format.h>

namespace triage {

namespace {

/// -t log s(z) - (1 - t) log s(-z) with the logistic function s, averaged over the outputs. Targets are the
/// label of a two-class set (one output), or values in [0, 1], one per output.
class binary_cross_entropy : public loss_function {
public:
  void evaluate(std::span<const float> outputs, std::int64_t width, const batch_targets& targets,
                std::span<float> loss, std::span<float> gradient) const override {
    const auto w = static_cast<std::size_t>(width);
    const double share = 1.0 / static_cast<double>(width);
    for (std::size_t i = 0; i < loss.size(); ++i) {
      double sum = 0.0;
      for (std::size_t k = i * w; k < (i + 1) * w; ++k) {
        const double z = static_cast<double>(outputs[k]);
        const double t = target(targets, k);
        const double e = std::exp(-std::abs(z)); // never overflows
        const double large = 1.0 / (1.0 + e);
        const double small = e * large;
        // Each term times its weight, never a difference of near-equal numbers: tiny losses keep their
        // digits.
        const double softplus = std::log1p(e);
        const double negative_log_yes = (z < 0.0 ? -z : 0.0) + softplus;
        const double negative_log_no = (z > 0.0 ? z : 0.0) + softplus;
        sum += t * negative_log_yes + (1.0 - t) * negative_log_no;
        if (!gradient.empty()) {
          const double yes = z >= 0.0 ? large : small;
          const double no = z >= 0.0 ? small : large;
          gradient[k] = static_cast<float>(share * ((1.0 - t) * yes - t * no));
        }
      }
      loss[i] = static_cast<float>(sum * share);
    }
  }

  void to_prediction(std::span<float> outputs, std::int64_t) const override {
    for (float& z : outputs)
      z = static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(z))));
  }

  [[nodiscard]] std::string_view prediction_operator() const override { return "Sigmoid"; }

  [[nodiscard]] bool has_accuracy() const override { return true; }

  /// Every output lies on the side of one half where its target lies; an output of exactly one half says no.
  [[nodiscard]] bool is_correct(std::span<const float> row, const batch_targets& targets,
                                std::size_t index) const override {
    for (std::size_t j = 0; j < row.size(); ++j)
      if (std::isnan(row[j]) || (row[j] > 0.0F) != (target(targets, index * row.size() + j) > 0.5))
        return false;
    return true;
  }

  [[nodiscard]] result<void> check(std::int64_t classes, std::int64_t outputs,
                                   std::int64_t width) const override {
    if (classes > 2)
      return configuration_error(
          fmt::format("binary_cross_entropy needs two classes or targets in [0, 1], and the "
                      "data has {} classes: use \"softmax_cross_entropy\"",
                      classes));
    const std::int64_t wanted = output_width(classes, outputs);
    if (width != wanted)
      return configuration_error(
          fmt::format("binary_cross_entropy on this data needs a network with {} output{}, not "
                      "{}: change the last layer",
                      wanted, wanted == 1 ? "" : "s", width));
    return {};
  }

  [[nodiscard]] result<void> check_values(std::span<const float> values) const override {
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!(values[i] >= 0.0F && values[i] <= 1.0F))
        return data_error(
            fmt::format("binary_cross_entropy needs targets in [0, 1], and value {} of the data's "
                        "is {}: use \"mean_squared_error\", or scale them",
                        i, values[i]));
    return {};
  }

  [[nodiscard]] std::int64_t output_width(std::int64_t classes, std::int64_t outputs) const override {
    return classes > 0 ? 1 : outputs;
  }

private:
  /// Labels go with one output per sample, so their index is the element's.
  static double target(const batch_targets& targets, std::size_t k) {
    return targets.labels.empty() ? static_cast<double>(targets.values[k])
                                  : static_cast<double>(targets.labels[k]);
  }
};

} // namespace

std::unique_ptr<loss_function> make_binary_cross_entropy() {
  return std::make_unique<binary_cross_entropy>();
}

} // namespace triage
