#include "nn/loss.hpp"

#include "core/rng.hpp"
#include "tests/support/json_text.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <vector>

using namespace triage;

namespace {

std::unique_ptr<loss_function> loss_from(std::string_view text) {
  auto made = make_loss(json_text(text), {"test.json", "/loss"});
  REQUIRE(made.ok());
  return made.take();
}

struct answer {
  std::vector<float> loss;
  std::vector<float> gradient;
};

answer evaluate(const loss_function& f, const std::vector<float>& outputs, std::int64_t width,
                const batch_targets& targets) {
  answer a{std::vector<float>(outputs.size() / static_cast<std::size_t>(width)),
           std::vector<float>(outputs.size())};
  f.evaluate(outputs, width, targets, a.loss, a.gradient);
  return a;
}

double as_double(float v) {
  return static_cast<double>(v);
}

} // namespace

TEST_CASE("softmax cross entropy by hand: probabilities 1/4, 1/4, 1/2") {
  const auto f = loss_from(R"("softmax_cross_entropy")");
  const std::vector<float> z{0.0F, 0.0F, std::log(2.0F)};
  const std::vector<std::int32_t> label{2};
  const auto a = evaluate(*f, z, 3, {.labels = label, .values = {}});
  CHECK(as_double(a.loss[0]) == doctest::Approx(0.69314718).epsilon(1e-6));
  CHECK(as_double(a.gradient[0]) == doctest::Approx(0.25).epsilon(1e-6));
  CHECK(as_double(a.gradient[2]) == doctest::Approx(-0.5).epsilon(1e-6));
  std::vector<float> p = z;
  f->to_prediction(p, 3);
  CHECK(as_double(p[0]) == doctest::Approx(0.25).epsilon(1e-6));
  CHECK(as_double(p[2]) == doctest::Approx(0.5).epsilon(1e-6));
}

TEST_CASE("label smoothing by hand: even outputs cost log 3 whatever the smoothing; the target is (0.2, 0.2, "
          "0.6)") {
  const auto f = loss_from(R"({"type": "softmax_cross_entropy", "label_smoothing": 0.6})");
  const std::vector<std::int32_t> label{2};
  const auto a = evaluate(*f, {5.0F, 5.0F, 5.0F}, 3, {.labels = label, .values = {}});
  CHECK(as_double(a.loss[0]) == doctest::Approx(1.0986123).epsilon(1e-6));
  CHECK(as_double(a.gradient[0]) == doctest::Approx(1.0 / 3.0 - 0.2).epsilon(1e-6));
  CHECK(as_double(a.gradient[2]) == doctest::Approx(1.0 / 3.0 - 0.6).epsilon(1e-6));
}

TEST_CASE("softmax cross entropy equals the long double formula, also where the loss is tiny") {
  rng random(9, 0);
  for (const double smoothing : {0.0, 0.1}) {
    const auto f = loss_from(smoothing > 0.0 ? R"({"type": "softmax_cross_entropy", "label_smoothing": 0.1})"
                                             : R"("softmax_cross_entropy")");
    for (int trial = 0; trial < 300; ++trial) {
      constexpr std::size_t width = 11;
      std::vector<float> z(width);
      for (float& v : z)
        v = static_cast<float>(3.0 * random.normal());
      const std::vector<std::int32_t> label{static_cast<std::int32_t>(random.below(width))};
      const auto y = static_cast<std::size_t>(label[0]);
      if (trial % 3 == 0)
        z[y] += 30.0F; // learned: the loss is about 1e-13
      long double others = 0.0L;
      long double mean = 0.0L;
      for (std::size_t j = 0; j < width; ++j) {
        mean += static_cast<long double>(z[j]) / width;
        if (j != y)
          others += std::exp(static_cast<long double>(z[j]) - static_cast<long double>(z[y]));
      }
      const long double plain = std::log1p(others);
      const long double loss =
          plain + static_cast<long double>(smoothing) * (static_cast<long double>(z[y]) - mean);
      const auto a = evaluate(*f, z, width, {.labels = label, .values = {}});
      CHECK(as_double(a.loss[0]) == doctest::Approx(static_cast<double>(loss)).epsilon(2e-6).scale(1e-30));
      if (smoothing == 0.0)
        CHECK(as_double(a.gradient[y]) ==
              doctest::Approx(static_cast<double>(-others / (1.0L + others))).epsilon(2e-6).scale(1e-30));
    }
  }
}

TEST_CASE("the largest output decides, and the first of equal ones") {
  const auto f = loss_from(R"("softmax_cross_entropy")");
  const std::vector<std::int32_t> labels{0, 1};
  const batch_targets t{.labels = labels, .values = {}};
  const std::vector<float> tie{1.0F, 1.0F, 0.0F};
  CHECK(f->is_correct(tie, t, 0));
  CHECK_FALSE(f->is_correct(tie, t, 1));
}

TEST_CASE(
    "the loss at one half is that of a label with half of the probability, the others with even shares") {
  for (const auto* text :
       {R"("softmax_cross_entropy")", R"({"type": "softmax_cross_entropy", "label_smoothing": 0.1})",
        R"({"type": "softmax_cross_entropy", "label_smoothing": 1})"})
    for (const std::int64_t classes : {2, 3, 10}) {
      CAPTURE(text);
      CAPTURE(classes);
      const auto f = loss_from(text);
      std::vector<float> z(static_cast<std::size_t>(classes));
      z[0] = std::log(static_cast<float>(classes - 1));
      const std::vector<std::int32_t> label{0};
      const auto a = evaluate(*f, z, classes, {.labels = label, .values = {}});
      CHECK(f->loss_at_one_half(classes) == doctest::Approx(as_double(a.loss[0])).epsilon(1e-6));
    }
  CHECK(loss_from(R"("binary_cross_entropy")")->loss_at_one_half(2) == doctest::Approx(std::log(2.0)));
}

TEST_CASE("mean squared error by hand") {
  const auto f = loss_from(R"("mean_squared_error")");
  const std::vector<float> values{0.0F, 1.0F};
  const auto a = evaluate(*f, {1.0F, 4.0F}, 2, {.labels = {}, .values = values});
  CHECK(a.loss[0] == 5.0F); // (1 + 9) / 2
  CHECK(a.gradient == std::vector<float>{1.0F, 3.0F});
  CHECK_FALSE(f->has_accuracy());
}

TEST_CASE("binary cross entropy by hand, on labels and on values") {
  const auto f = loss_from(R"("binary_cross_entropy")");
  const std::vector<std::int32_t> labels{1, 0};
  const float log3 = std::log(3.0F); // the logistic function of log 3 is 3/4
  const auto a = evaluate(*f, {log3, log3}, 1, {.labels = labels, .values = {}});
  CHECK(as_double(a.loss[0]) == doctest::Approx(std::log(4.0 / 3.0)).epsilon(1e-6));
  CHECK(as_double(a.loss[1]) == doctest::Approx(std::log(4.0)).epsilon(1e-6));
  CHECK(as_double(a.gradient[0]) == doctest::Approx(-0.25).epsilon(1e-6));
  CHECK(as_double(a.gradient[1]) == doctest::Approx(0.75).epsilon(1e-6));
  CHECK(f->is_correct(std::vector<float>{log3}, {.labels = labels, .values = {}}, 0));
  CHECK_FALSE(f->is_correct(std::vector<float>{log3}, {.labels = labels, .values = {}}, 1));

  const std::vector<float> values{0.5F, 1.0F};
  const auto b = evaluate(*f, {0.0F, 60.0F}, 2, {.labels = {}, .values = values});
  CHECK(as_double(b.loss[0]) == doctest::Approx(std::log(2.0) / 2.0).epsilon(1e-6));
  CHECK(b.gradient[0] == 0.0F);
  CHECK(as_double(b.gradient[1]) == doctest::Approx(-0.5 * std::exp(-60.0)).epsilon(1e-6).scale(1e-40));
}

TEST_CASE("bad descriptions of losses are refused with their place") {
  for (const auto* text :
       {R"("softmax_crossentropy")", R"({"type": "mean_squared_error", "label_smoothing": 0.1})",
        R"({"type": "softmax_cross_entropy", "label_smoothing": 1.5})", "7"}) {
    const auto made = make_loss(json_text(text), {"run.json", "/loss"});
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().message.find("/loss") != std::string::npos);
  }
  CHECK(make_loss(json_text(R"("softmax_crossentropy")"), {"run.json", "/loss"})
            .error()
            .message.find("did you mean \"softmax_cross_entropy\"") != std::string::npos);
}
