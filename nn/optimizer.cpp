#include "nn/optimizer.hpp"

#include "core/component.hpp"
#include "core/flush_subnormals.hpp"
#include "core/multiversion.hpp"
#include "nn/optimizers/optimizers.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace triage {

namespace {

constexpr std::size_t lanes = 16;
constexpr std::size_t cached = 2048; // floats of a block of `out` that stay in the first-level cache

/// Adds the squares of full groups of `lanes` to as many independent sums.
TRIAGE_MULTIVERSION void add_squares(const float* x, std::size_t groups, double* sums) {
  std::array<double, lanes> s{};
  for (std::size_t g = 0; g < groups; ++g)
    for (std::size_t l = 0; l < lanes; ++l) {
      const auto v = static_cast<double>(x[g * lanes + l]);
      s[l] += v * v;
    }
  for (std::size_t l = 0; l < lanes; ++l)
    sums[l] += s[l];
}

TRIAGE_MULTIVERSION void scale_to(float* out, const float* x, float share, std::size_t n) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i)
    out[i] = share * x[i];
}

TRIAGE_MULTIVERSION void add_scaled(float* out, const float* x, float share, std::size_t n) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i)
    out[i] += share * x[i];
}

} // namespace

registry_table<optimizer_factory> optimizers() {
  static constexpr std::array<registry_entry<optimizer_factory>, 6> table = {{
      {"sgd", "stochastic gradient descent, with momentum (classical or Nesterov) if wanted", make_sgd},
      {"adam", "Adam (Kingma & Ba, ICLR 2015); weight decay is added to the gradient", make_adam},
      {"adamw", "Adam with decoupled weight decay (Loshchilov & Hutter, ICLR 2019)", make_adamw},
      {"rmsprop", "gradients divided by their running root mean square (Tieleman & Hinton, 2012)",
       make_rmsprop},
      {"trsgd", "sgd in short loops of falling steps, pulled to where the loop began; for small batches",
       make_trsgd},
      {"tradam", "Adam in such loops", make_tradam},
  }};
  return table;
}

result<std::unique_ptr<optimizer>> make_optimizer(const json_value& description, const json_place& place) {
  auto rule = make_component<optimizer>(optimizers(), "optimizer", description, place);
  if (rule.ok())
    if (const auto fits = rule.value()->check(); !fits.ok())
      return json_error(place, description, fits.error().message);
  return rule;
}

double gradient_norm(std::span<const float> gradient) {
  std::array<double, lanes> sums{};
  const std::size_t groups = gradient.size() / lanes;
  add_squares(gradient.data(), groups, sums.data());
  double total = 0.0;
  for (const double s : sums)
    total += s;
  for (const float v : gradient.subspan(groups * lanes))
    total += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(total);
}

void add_up(std::span<const weighted_gradient> contributions, std::size_t begin, std::span<float> out) {
  const flush_subnormals fast; // here, so that whoever sums in parts gets the same bits
  if (contributions.empty())
    std::fill(out.begin(), out.end(), 0.0F);
  for (std::size_t at = 0; at < out.size(); at += cached) {
    const std::size_t n = std::min(cached, out.size() - at);
    for (std::size_t k = 0; k < contributions.size(); ++k) {
      const float* const values = contributions[k].values + begin + at;
      const float share = contributions[k].share;
      k == 0 ? scale_to(out.data() + at, values, share, n) : add_scaled(out.data() + at, values, share, n);
    }
  }
}

void add_up_next(const weighted_gradient& contribution, std::size_t begin, bool first, std::span<float> out) {
  const flush_subnormals fast; // as above
  (first ? scale_to : add_scaled)(out.data(), contribution.values + begin, contribution.share, out.size());
}

} // namespace triage
