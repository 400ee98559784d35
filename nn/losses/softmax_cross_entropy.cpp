#include "nn/kernels/softmax.hpp"
#include "nn/losses/losses.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numbers>
#include <numeric>

namespace triage {

namespace {

/// -log softmax(z)[label]. With label smoothing s the target is (1 - s) one-hot + s / classes (Szegedy et
/// al., CVPR 2016). Losses and gradients keep their relative precision down to 1e-38 for points that are
/// learned: their order is what priorities are made of.
class softmax_cross_entropy : public loss_function {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "label_smoothing",
             .doc = "share of the target that is spread evenly over all classes, also in the losses that are "
                    "reported",
             .min = 0.0,
             .max = 1.0},
            smoothing_);
  }

  void evaluate(std::span<const float> outputs, std::int64_t width, const batch_targets& targets,
                std::span<float> loss, std::span<float> gradient) const override {
    const auto w = static_cast<std::size_t>(width);
    for (std::size_t i = 0; i < loss.size(); ++i)
      loss[i] = evaluate_row(outputs.subspan(i * w, w), static_cast<std::size_t>(targets.labels[i]),
                             gradient.empty() ? gradient : gradient.subspan(i * w, w));
  }

  void to_prediction(std::span<float> outputs, std::int64_t width) const override {
    const auto w = static_cast<std::size_t>(width);
    for (std::size_t begin = 0; begin < outputs.size(); begin += w) {
      const auto row = outputs.subspan(begin, w);
      scale(row, static_cast<float>(1.0 / sum_exponentials(row, 0, row).total()));
    }
  }

  [[nodiscard]] std::string_view prediction_operator() const override { return "Softmax"; }

  [[nodiscard]] bool has_accuracy() const override { return true; }

  /// The largest output decides, the first of equals; a row with NaN at the label is wrong.
  [[nodiscard]] bool is_correct(std::span<const float> row, const batch_targets& targets,
                                std::size_t index) const override {
    const auto label = static_cast<std::size_t>(targets.labels[index]);
    for (std::size_t j = 0; j < row.size(); ++j)
      if (j != label && !(j < label ? row[label] > row[j] : row[label] >= row[j]))
        return false;
    return !std::isnan(row[label]);
  }

  [[nodiscard]] double loss_at_one_half(std::int64_t classes) const override {
    const auto others = static_cast<double>(std::max<std::int64_t>(classes - 1, 1));
    const double target_of_others = smoothing_ * others / static_cast<double>(classes);
    return std::numbers::ln2 + target_of_others * std::log(others);
  }

  [[nodiscard]] result<void> check(std::int64_t classes, std::int64_t, std::int64_t width) const override {
    if (classes <= 0)
      return configuration_error(
          "softmax_cross_entropy needs class labels, and the data has numbers as targets: use "
          "\"mean_squared_error\", or, where they are classes, say \"task\": \"classification\" in the data "
          "(CSV) or store them as integers (npy)");
    if (width != classes)
      return configuration_error(
          fmt::format("softmax_cross_entropy on {} classes needs a network with {} outputs, "
                      "not {}: change the last layer",
                      classes, classes, width));
    return {};
  }

  [[nodiscard]] std::int64_t output_width(std::int64_t classes, std::int64_t outputs) const override {
    return classes > 0 ? classes : outputs;
  }

private:
  [[nodiscard]] float evaluate_row(std::span<const float> row, std::size_t label,
                                   std::span<float> gradient) const {
    const auto sums = sum_exponentials(row, label, gradient);
    const double total = sums.total();
    // log1p keeps the digits of a small loss; with another element on top the loss is at least log 2.
    const bool on_top = row[label] == sums.max;
    const double margin = static_cast<double>(sums.max) - static_cast<double>(row[label]);
    double loss = on_top ? std::log1p(sums.others) : margin + std::log(total);
    if (!gradient.empty()) {
      scale(gradient, static_cast<float>(1.0 / total));
      gradient[label] = static_cast<float>(-sums.others / total);
    }
    if (smoothing_ > 0.0) {
      const auto classes = static_cast<double>(row.size());
      const double mean = std::accumulate(row.begin(), row.end(), 0.0) / classes;
      loss += smoothing_ * (static_cast<double>(row[label]) - mean);
      const auto share = static_cast<float>(smoothing_ / classes);
      for (float& g : gradient)
        g -= share;
      if (!gradient.empty())
        gradient[label] += static_cast<float>(smoothing_);
    }
    return static_cast<float>(loss);
  }

  double smoothing_ = 0.0;
};

} // namespace

std::unique_ptr<loss_function> make_softmax_cross_entropy() {
  return std::make_unique<softmax_cross_entropy>();
}

} // namespace triage
