#include "nn/optimizer.hpp"

#include "core/rng.hpp"
#include "tests/support/allocation_count.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <map>
#include <string>
#include <vector>

// Every update rule with random options against the textbook recursion in double precision, with and without
// decay, over scales, rates that change and steps that are skipped; and what a rule must not do.

using namespace triage;

namespace {

double option(const json_value& d, const char* name, double otherwise) {
  const auto* v = d.find(name);
  return v == nullptr ? otherwise : v->is_bool() ? (v->as_bool() ? 1.0 : 0.0) : v->as_number();
}

/// One parameter under one rule, written from the papers and PyTorch's documentation.
struct reference {
  double w = 0.0;
  double m = 0.0;
  double v = 0.0;
  double b = 0.0;
  double anchor = 0.0;

  void update(const json_value& d, double g, double rate, bool decays, std::int64_t step) {
    const auto& type = d.find("type")->as_string();
    const double decay = decays ? option(d, "weight_decay", type == "adamw" ? 0.01 : 0.0) : 0.0;
    if (type.starts_with("tr")) {
      const auto s = (step - 1) % static_cast<std::int64_t>(option(d, "inner_steps", 10));
      if (s == 0)
        anchor = w;
      const double base = type == "trsgd" ? 0.1 : 0.001;
      g += decay * w + 2.0 * option(d, "regularisation", 0.1) * base / rate * (w - anchor);
      rate /= static_cast<double>(s + 1);
    }
    if (type == "trsgd") {
      m = option(d, "momentum", 0.9) * m + g;
      w -= rate * m;
    } else if (type == "sgd") {
      const double momentum = option(d, "momentum", 0.0);
      g += decay * w;
      m = momentum * m + g;
      w -= rate * (momentum == 0.0 ? g : option(d, "nesterov", 0.0) != 0.0 ? g + momentum * m : m);
    } else if (type == "rmsprop") {
      const double keep = option(d, "smoothing", 0.99);
      g += decay * w;
      v = keep * v + (1.0 - keep) * g * g;
      m = keep * m + (1.0 - keep) * g;
      const double spread = option(d, "centered", 0.0) != 0.0 ? std::max(0.0, v - m * m) : v;
      b = option(d, "momentum", 0.0) * b + g / (std::sqrt(spread) + option(d, "epsilon", 1e-8));
      w -= rate * b;
    } else {
      const double beta1 = option(d, "beta1", 0.9);
      const double beta2 = option(d, "beta2", 0.999);
      if (type == "adam")
        g += decay * w;
      else if (type == "adamw")
        w -= rate * decay * w;
      m = beta1 * m + (1.0 - beta1) * g;
      v = beta2 * v + (1.0 - beta2) * g * g;
      const double m_hat = m / (1.0 - std::pow(beta1, static_cast<double>(step)));
      const double v_hat = v / (1.0 - std::pow(beta2, static_cast<double>(step)));
      w -= rate * m_hat / (std::sqrt(v_hat) + option(d, "epsilon", 1e-8));
    }
  }
};

json_value random_rule(rng& random, std::string_view type) {
  json_value d(json_value::object{{"type", json_value(type)}});
  if (random.below(2) == 0)
    d.set("weight_decay", json_value(0.2 * random.uniform()));
  if (type == "sgd" || type == "rmsprop") {
    if (random.below(3) > 0)
      d.set("momentum", json_value(0.1 + 0.85 * random.uniform()));
    if (type == "sgd" && d.find("momentum") != nullptr && random.below(2) == 0)
      d.set("nesterov", json_value(true));
  }
  if (type == "rmsprop") {
    d.set("smoothing", json_value(0.5 + 0.49 * random.uniform()));
    d.set("centered", json_value(random.below(2) == 0));
  }
  if (type.starts_with("tr")) {
    d.set("inner_steps", json_value(static_cast<std::int64_t>(2 + random.below(8))));
    d.set("regularisation", json_value(0.2 * random.uniform()));
    if (type == "trsgd")
      d.set("momentum", json_value(0.9 * random.uniform()));
  }
  if (type == "adam" || type == "adamw" || type == "tradam") {
    d.set("beta1", json_value(0.95 * random.uniform()));
    d.set("beta2", json_value(0.5 + 0.499 * random.uniform()));
  }
  if (type != "sgd" && type != "trsgd") // large enough that a denominator near zero does not magnify rounding
    d.set("epsilon", json_value(0.01 + 0.1 * random.uniform()));
  return d;
}

/// Parameters and moments under one rule.
struct block {
  explicit block(const optimizer& r, std::size_t n) : rule(r), w(n) {
    moments.assign(rule.moments().size(), std::vector<float>(n));
  }
  void update(std::span<const float> g, double rate, std::int64_t step, float scale = 1.0F,
              bool decays = true) {
    std::vector<std::span<float>> spans(moments.begin(), moments.end());
    rule.apply({.parameters = w,
                .next = w,
                .gradient = g,
                .gradient_scale = scale,
                .moments = spans,
                .decays = decays,
                .learning_rate = rate,
                .step = step});
  }
  const optimizer& rule;
  std::vector<float> w;
  std::vector<std::vector<float>> moments;
};

template <class Check>
void for_random_rules(int rounds, const Check& check) {
  rng random(11, 0);
  for (const auto type : names_of(optimizers()))
    for (int round = 0; round < rounds; ++round) {
      const auto d = random_rule(random, type);
      CAPTURE(dump_json(d));
      const auto rule = make_optimizer(d, {"test", ""});
      REQUIRE_MESSAGE(rule.ok(), (rule.ok() ? "" : rule.error().message));
      check(random, d, **rule);
    }
}

} // namespace

TEST_CASE("optimizer random: any options follow the recursion in double precision, with scales and rates") {
  for_random_rules(40, [](rng& random, const json_value& d, const optimizer& rule) {
    const std::size_t n = 1 + random.below(40);
    block ours(rule, n);
    std::vector<reference> theirs(n);
    for (std::size_t i = 0; i < n; ++i) {
      ours.w[i] = static_cast<float>(random.normal());
      theirs[i].w = static_cast<double>(ours.w[i]);
    }
    const bool decays = random.below(4) > 0;
    for (std::int64_t step = 1; step <= 60; ++step) {
      const double rate = 0.02 * random.uniform();
      const float scale = random.below(2) == 0 ? 1.0F : random.uniform_float();
      std::vector<float> g(n);
      for (std::size_t i = 0; i < n; ++i) {
        g[i] = static_cast<float>(random.normal() + 0.5);
        theirs[i].update(d, static_cast<double>(scale) * static_cast<double>(g[i]), rate, decays, step);
      }
      ours.update(g, rate, step, scale, decays);
    }
    for (std::size_t i = 0; i < n; ++i)
      REQUIRE(std::abs(static_cast<double>(ours.w[i]) - theirs[i].w) < 5e-5 * (1.0 + std::abs(theirs[i].w)));
  });
}

TEST_CASE("optimizer random: moments that are saved and put back go on with the same bits") {
  for_random_rules(10, [](rng& random, const json_value&, const optimizer& rule) {
    constexpr std::size_t n = 33;
    block straight(rule, n);
    for (auto& v : straight.w)
      v = static_cast<float>(random.normal());
    std::vector<std::vector<float>> gradients(10, std::vector<float>(n));
    for (auto& g : gradients)
      for (auto& v : g)
        v = static_cast<float>(random.normal());
    for (std::int64_t step = 1; step <= 5; ++step)
      straight.update(gradients[static_cast<std::size_t>(step - 1)], 0.01, step);
    block resumed(rule, n);
    resumed.w = straight.w;
    resumed.moments = straight.moments;
    for (std::int64_t step = 6; step <= 10; ++step) {
      straight.update(gradients[static_cast<std::size_t>(step - 1)], 0.01, step);
      resumed.update(gradients[static_cast<std::size_t>(step - 1)], 0.01, step);
    }
    CHECK(resumed.w == straight.w);
    CHECK(resumed.moments == straight.moments);
  });
}

TEST_CASE("optimizer random: every declared moment matters, and none is read beyond its slice") {
  for_random_rules(10, [](rng& random, const json_value&, const optimizer& rule) {
    constexpr std::size_t n = 37;
    std::vector<float> g(n);
    for (auto& v : g)
      v = static_cast<float>(random.normal());
    block plain(rule, n);
    plain.w.assign(n, 1.0F);
    plain.update(g, 0.01, 2);
    for (std::size_t k = 0; k < plain.moments.size(); ++k) {
      block other(rule, n);
      other.w.assign(n, 1.0F);
      other.moments[k].assign(n, 0.3F);
      other.update(g, 0.01, 2);
      CHECK(other.w != plain.w);
    }
  });
}

TEST_CASE("optimizer random: one element that is not a number spoils itself and no other") {
  for_random_rules(5, [](rng& random, const json_value&, const optimizer& rule) {
    constexpr std::size_t n = 40;
    for (const std::size_t bad : {std::size_t{0}, std::size_t{17}, n - 1}) {
      block clean(rule, n);
      clean.w.assign(n, 0.5F);
      block spoilt = clean;
      for (std::int64_t step = 1; step <= 3; ++step) {
        std::vector<float> g(n);
        for (auto& v : g)
          v = static_cast<float>(random.normal());
        clean.update(g, 0.01, step);
        g[bad] = std::nanf("");
        spoilt.update(g, 0.01, step);
      }
      CHECK(std::isnan(spoilt.w[bad]));
      spoilt.w[bad] = clean.w[bad];
      CHECK(spoilt.w == clean.w);
    }
  });
}

TEST_CASE(
    "optimizer random: gradients of zero and of the largest and smallest floats keep parameters finite") {
  for (const auto type : {"adam", "adamw", "rmsprop", "tradam"}) {
    CAPTURE(type);
    const auto rule = make_optimizer(json_value(type), {"test", ""}).take();
    for (const float size : {0.0F, 1e-44F, 1e-20F, 1e15F}) {
      block b(*rule, 20);
      b.w.assign(20, 1.0F);
      for (std::int64_t step = 1; step <= 50; ++step)
        b.update(std::vector<float>(20, size), 0.001, step);
      for (const float w : b.w) {
        CHECK(std::isfinite(w));
        CHECK(w <= 1.0F);
        CHECK(w > 0.5F); // rules that divide by the gradient's size move by about the rate at each step
      }
    }
  }
}

TEST_CASE("optimizer random: an update allocates nothing") {
  for_random_rules(5, [](rng&, const json_value&, const optimizer& rule) {
    constexpr std::size_t n = 5000;
    block b(rule, n);
    const std::vector<float> g(n, 0.1F);
    std::vector<std::span<float>> spans(b.moments.begin(), b.moments.end());
    const parameter_update update{.parameters = b.w,
                                  .next = b.w,
                                  .gradient = g,
                                  .moments = spans,
                                  .decays = true,
                                  .learning_rate = 0.01,
                                  .step = 1};
    const allocation_count count;
    rule.apply(update);
    CHECK(count.largest() == 0);
  });
}

TEST_CASE(
    "optimizer random: gradient norms and weighted sums equal those in double precision, at any length") {
  rng random(2, 0);
  for (int round = 0; round < 200; ++round) {
    const std::size_t n = random.below(5000);
    std::vector<std::vector<float>> parts(random.below(5), std::vector<float>(n));
    std::vector<weighted_gradient> contributions;
    for (auto& p : parts) {
      for (auto& v : p)
        v = static_cast<float>(random.normal());
      contributions.push_back({p.data(), random.uniform_float()});
    }
    const std::size_t begin = n == 0 ? 0 : random.below(n);
    std::vector<float> out(n - begin, 5.0F);
    add_up(contributions, begin, out);
    double squares = 0.0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      double sum = 0.0;
      for (std::size_t k = 0; k < parts.size(); ++k)
        sum += static_cast<double>(contributions[k].share) * static_cast<double>(parts[k][begin + i]);
      REQUIRE(std::abs(static_cast<double>(out[i]) - sum) < 1e-5);
      squares += static_cast<double>(out[i]) * static_cast<double>(out[i]);
    }
    CHECK(gradient_norm(out) == doctest::Approx(std::sqrt(squares)).epsilon(1e-12));
  }
}
