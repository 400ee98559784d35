#include "nn/loss.hpp"

#include "core/rng.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <vector>

// What every loss promises, over the whole table: a new loss is tested as soon as it has a line there.

using namespace triage;

namespace {

/// A batch of the kind that a loss accepts.
struct batch {
  std::int64_t width = 0;
  std::int64_t classes = 0;
  std::vector<float> outputs;
  std::vector<std::int32_t> labels;
  std::vector<float> values;

  [[nodiscard]] std::size_t rows() const { return outputs.size() / static_cast<std::size_t>(width); }
  [[nodiscard]] batch_targets targets() const { return {.labels = labels, .values = values}; }
  [[nodiscard]] std::vector<float> losses(const loss_function& f) const {
    std::vector<float> loss(rows());
    f.evaluate(outputs, width, targets(), loss, {});
    return loss;
  }
};

batch random_batch(std::int64_t classes, std::int64_t width, std::size_t rows) {
  rng random(3, static_cast<std::uint64_t>(classes * 1000 + width));
  batch b{.width = width, .classes = classes, .outputs = {}, .labels = {}, .values = {}};
  for (std::size_t i = 0; i < rows * static_cast<std::size_t>(width); ++i) {
    b.outputs.push_back(static_cast<float>(2.0 * random.normal()));
    if (classes == 0)
      b.values.push_back(random.uniform_float()); // in [0, 1): fits every loss on values
  }
  for (std::size_t i = 0; classes > 0 && i < rows; ++i)
    b.labels.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(classes))));
  return b;
}

template <class Check>
void for_every_loss(const Check& check) {
  std::vector<json_value> descriptions{
      json_text(R"({"type": "softmax_cross_entropy", "label_smoothing": 0.2})")};
  for (const auto name : names_of(loss_functions()))
    descriptions.emplace_back(name);
  for (const auto& d : descriptions) {
    const auto f = make_loss(d, {"test.json", "/loss"});
    REQUIRE(f.ok());
    int accepted = 0;
    for (const std::int64_t classes : {0, 2, 10, 37})
      for (const std::int64_t outputs : {1, 3}) {
        const std::int64_t width = (*f)->output_width(classes, outputs);
        if (!(*f)->check(classes, classes == 0 ? outputs : 0, width).ok())
          continue;
        ++accepted;
        CAPTURE(dump_json(d));
        CAPTURE(classes);
        CAPTURE(width);
        check(**f, random_batch(classes, width, 13));
      }
    CHECK(accepted > 0);
  }
}

} // namespace

TEST_CASE("gradients of losses equal finite differences") {
  for_every_loss([](const loss_function& f, const batch& b) {
    std::vector<float> loss(b.rows());
    std::vector<float> gradient(b.outputs.size());
    f.evaluate(b.outputs, b.width, b.targets(), loss, gradient);
    constexpr float step = 1.0F / 128.0F;
    for (std::size_t k = 0; k < b.outputs.size(); ++k) {
      batch up = b;
      batch down = b;
      up.outputs[k] += step;
      down.outputs[k] -= step;
      const std::size_t row = k / static_cast<std::size_t>(b.width);
      const float difference = (up.losses(f)[row] - down.losses(f)[row]) / (2.0F * step);
      CHECK(std::abs(difference - gradient[k]) < 2e-4F);
    }
  });
}

TEST_CASE("losses do not depend on whether a gradient is asked for, nor on the other rows") {
  for_every_loss([](const loss_function& f, const batch& b) {
    std::vector<float> loss(b.rows());
    std::vector<float> gradient(b.outputs.size());
    f.evaluate(b.outputs, b.width, b.targets(), loss, gradient);
    CHECK(loss == b.losses(f));
    const auto w = static_cast<std::size_t>(b.width);
    for (std::size_t i = 0; i < b.rows(); ++i) {
      std::vector<float> one(1);
      std::vector<float> one_gradient(w);
      const batch_targets alone{
          .labels = b.labels.empty() ? b.targets().labels : b.targets().labels.subspan(i, 1),
          .values = b.values.empty() ? b.targets().values : b.targets().values.subspan(i * w, w),
      };
      f.evaluate(std::span(b.outputs).subspan(i * w, w), b.width, alone, one, one_gradient);
      CHECK(one[0] == loss[i]);
      CHECK(std::equal(one_gradient.begin(), one_gradient.end(),
                       gradient.begin() + static_cast<std::ptrdiff_t>(i * w)));
    }
  });
}

TEST_CASE("an empty batch is allowed") {
  for_every_loss([](const loss_function& f, const batch& b) { f.evaluate({}, b.width, {}, {}, {}); });
}

TEST_CASE("large outputs give finite losses and gradients, broken ones give losses that are not finite") {
  for_every_loss([](const loss_function& f, const batch& b) {
    batch large = b;
    for (float& z : large.outputs)
      z *= 1e4F;
    std::vector<float> gradient(b.outputs.size());
    std::vector<float> loss(b.rows());
    f.evaluate(large.outputs, b.width, b.targets(), loss, gradient);
    for (const float v : loss)
      CHECK((std::isfinite(v) && v >= 0.0F));
    for (const float v : gradient)
      CHECK(std::isfinite(v));
    for (std::size_t j = 0; j < static_cast<std::size_t>(b.width); ++j) {
      batch broken = b;
      broken.outputs[j] = std::nanf("");
      CHECK(std::isnan(broken.losses(f)[0]));
      CHECK(std::isfinite(broken.losses(f)[1]));
      CHECK_FALSE(
          f.is_correct(std::span(broken.outputs).first(static_cast<std::size_t>(b.width)), b.targets(), 0));
    }
  });
}

TEST_CASE("following the gradient lowers the loss and, where there is accuracy, makes the sample right") {
  for_every_loss([](const loss_function& f, batch b) {
    const auto before = b.losses(f);
    std::vector<float> loss(b.rows());
    std::vector<float> gradient(b.outputs.size());
    for (int step = 0; step < 400; ++step) {
      f.evaluate(b.outputs, b.width, b.targets(), loss, gradient);
      for (std::size_t k = 0; k < gradient.size(); ++k)
        b.outputs[k] -= 0.3F * gradient[k];
    }
    const auto w = static_cast<std::size_t>(b.width);
    for (std::size_t i = 0; i < b.rows(); ++i) {
      CHECK(b.losses(f)[i] <= before[i]);
      if (f.has_accuracy() && b.classes > 0)
        CHECK(f.is_correct(std::span(b.outputs).subspan(i * w, w), b.targets(), i));
    }
  });
}

TEST_CASE("widths that do not fit are refused with the loss's name and both widths") {
  for_every_loss([](const loss_function& f, const batch& b) {
    const auto refused = f.check(b.classes, b.classes == 0 ? b.width : 0, b.width + 1);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().kind == error_kind::configuration);
    CHECK(refused.error().message.find(std::to_string(b.width + 1)) != std::string::npos);
  });
}
