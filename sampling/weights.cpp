#include "sampling/weights.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace triage {

void weight_policy::apply(std::span<const double> frequencies, double smallest, double fraction,
                          std::span<float> weights) const {
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] = weight(frequencies[i], smallest, fraction);
}

namespace {

class none : public weight_policy {
public:
  [[nodiscard]] float weight(double, double, double) const override { return 1.0F; }
  [[nodiscard]] bool unbiased() const override { return false; }
};

class full : public weight_policy {
public:
  [[nodiscard]] float weight(double r, double, double) const override { return static_cast<float>(1.0 / r); }
  [[nodiscard]] bool unbiased() const override { return true; }
};

class horvitz_thompson : public weight_policy {
public:
  void visit(option_visitor& v) override {
    v.field(
        {.name = "beta", .doc = "1: unbiased; less: part of the preference stays", .min = 0.0, .max = 1.0},
        beta_);
  }
  [[nodiscard]] float weight(double r, double, double) const override {
    const auto usual = usual_exponent();
    return usual != nullptr ? usual(r) : static_cast<float>(std::pow(r, -beta_));
  }
  // A pass over millions of points asks for millions of weights: the usual exponents take a loop without
  // calls.
  void apply(std::span<const double> frequencies, double smallest, double fraction,
             std::span<float> weights) const override {
    const auto known = frequencies.first(weights.size());
    if (beta_ == 1.0)
      std::transform(known.begin(), known.end(), weights.begin(), inverse);
    else if (beta_ == 0.75)
      std::transform(known.begin(), known.end(), weights.begin(), inverse_three_quarters);
    else if (beta_ == 0.5)
      std::transform(known.begin(), known.end(), weights.begin(), inverse_root);
    else
      weight_policy::apply(frequencies, smallest, fraction, weights);
  }
  [[nodiscard]] bool unbiased() const override { return beta_ == 1.0; }

private:
  static float inverse(double r) { return static_cast<float>(1.0 / r); }
  static float inverse_root(double r) { return static_cast<float>(1.0 / std::sqrt(r)); }
  static float inverse_three_quarters(double r) {
    const double root = std::sqrt(r);
    return static_cast<float>(1.0 / (root * std::sqrt(root)));
  }
  /// Null: the exponent is none of those.
  [[nodiscard]] auto usual_exponent() const -> float (*)(double) {
    return beta_ == 1.0    ? inverse
           : beta_ == 0.75 ? inverse_three_quarters
           : beta_ == 0.5  ? inverse_root
                           : nullptr;
  }

  double beta_ = 1.0;
};

class beta_maxnorm : public weight_policy {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "beta", .doc = "exponent at the start; rises to 1 at the end", .min = 0.0, .max = 1.0},
            beta_);
  }
  [[nodiscard]] float weight(double r, double smallest, double fraction) const override {
    const double beta = beta_ + (1.0 - beta_) * fraction;
    return static_cast<float>(std::pow(smallest / r, beta));
  }
  [[nodiscard]] bool unbiased() const override {
    return false;
  } // the division by the largest shrinks the step

private:
  double beta_ = 0.4;
};

class biased_k : public weight_policy {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "k",
             .doc = "1: unbiased but for the scale; less: hard points keep part of their weight",
             .min = -10.0,
             .max = 1.0},
            k_);
  }
  [[nodiscard]] float weight(double r, double, double) const override {
    return static_cast<float>(std::pow(r, -k_));
  }
  void apply(std::span<const double> frequencies, double smallest, double fraction,
             std::span<float> weights) const override {
    weight_policy::apply(frequencies, smallest, fraction, weights);
    double sum = 0.0;
    double weighted = 0.0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      sum += 1.0; // frequency times full weight
      weighted += frequencies[i] * static_cast<double>(weights[i]);
    }
    const auto scale = static_cast<float>(weighted > 0.0 ? sum / weighted : 1.0);
    for (float& w : weights)
      w *= scale;
  }
  [[nodiscard]] bool unbiased() const override { return false; }

private:
  double k_ = 0.5;
};

template <class T>
std::unique_ptr<weight_policy> make() {
  return std::make_unique<T>();
}

} // namespace

registry_table<weight_factory> weight_policies() {
  static constexpr std::array table = {
      registry_entry<weight_factory>{"none", "every weight is 1: the preference stays as a bias", make<none>},
      registry_entry<weight_factory>{"full", "the inverse frequency: unbiased", make<full>},
      registry_entry<weight_factory>{"ht", "the inverse frequency to the power beta", make<horvitz_thompson>},
      registry_entry<weight_factory>{"beta_maxnorm", "annealed inverse frequency divided by the largest",
                                     make<beta_maxnorm>},
      registry_entry<weight_factory>{"biased_k", "the inverse frequency to the power k, rescaled",
                                     make<biased_k>},
  };
  return table;
}

result<std::unique_ptr<weight_policy>> make_weight_policy(const json_value& description,
                                                          const json_place& place) {
  const auto type = read_type_name(description, place, "weight policy");
  if (!type.ok())
    return type.error();
  const auto entry = find_entry(weight_policies(), "weight policy", *type);
  if (!entry.ok())
    return json_error(place, description, entry.error().message);
  auto policy = (*entry)->make();
  if (description.is_object())
    if (auto read = read_options(description, place, [&](option_visitor& v) { policy->visit(v); }, {"type"});
        !read.ok())
      return read.error();
  return policy;
}

} // namespace triage
