#include "sampling/noise_guard.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <utility>

namespace triage {

namespace {
constexpr float newest_share = 0.5F;        ///< of a visit in the mean loss of its point
constexpr double pairs_remembered = 4096.0; ///< about
constexpr double fewest_pairs = 256.0;
constexpr double turned_off_below = 0.7; ///< of the figures that turn it on
/// The points in no doubt must be this far below chance before suspicions are acted upon: else the model has
/// learned nothing yet that a label could contradict.
constexpr double rest_learned_below = 0.75;
constexpr std::size_t points_looked_at = 16384;
} // namespace

void noise_guard::visit(option_visitor& v) {
  v.field({.name = "mode",
           .doc = "off: labels are trusted; close: uniform order while labels look noisy; pass_over: points "
                  "with labels that look wrong are passed over, and uniform order where they cannot be told",
           .choices = {"off", "close", "pass_over"}},
          mode_);
  v.field({.name = "suspect_share",
           .doc = "from this share of suspects on labels may be noisy; off again at 0.7 of it",
           .min = 0.0,
           .max = 1.0},
          suspect_share_min_);
  v.field({.name = "persistence",
           .doc = "and are where this share of the doubtful visits is doubtful again at the next one; off "
                  "again at 0.7 "
                  "of it",
           .min = 0.0,
           .max = 1.0},
          persistence_min_);
  v.field({.name = "revisit_share",
           .doc = "share of a suspect's visits that take place all the same",
           .min = 0.001,
           .max = 1.0},
          revisit_share_);
  v.field({.name = "looks_per_epoch", .doc = "how often the decision is made", .min = 0.1, .max = 1e4},
          looks_per_epoch_);
  v.field({.name = "irreducible_losses",
           .doc = "npz or npy file with one loss for each training point, from models that were not trained "
                  "on it (`triage irreducible` makes it): suspects are known before the first step; empty: "
                  "they are found while training"},
          irreducible_file_);
}

result<void> noise_guard::prepare(const json_place& place) {
  if (irreducible_file_.empty())
    return {};
  if (!enabled())
    return configuration_error(place.source + ", " + place.pointer +
                               ": has \"irreducible_losses\", but its \"mode\" is off; set it to pass_over");
  auto losses =
      irreducible_losses::read(irreducible_file_, {place.source, place.pointer + "/irreducible_losses"});
  if (!losses.ok())
    return losses.error();
  irreducible_ = losses.take();
  knows_beforehand_ = true;
  return {};
}

result<void> noise_guard::check(std::size_t points, bool classified,
                                std::string_view data_fingerprint) const {
  if (!knows_beforehand_)
    return {};
  if (!classified)
    return configuration_error(fmt::format(
        "the noise guard has the irreducible losses {}, but the data has no classes, whose labels it "
        "could doubt; leave them out",
        irreducible_file_));
  return irreducible_.check(points, data_fingerprint);
}

void noise_guard::start(std::size_t points, const point_classes& classes) {
  if (!enabled() || !classes.known())
    return;
  classes_ = classes;
  const double even = std::log(static_cast<double>(classes.classes));
  for (const double share : classes.shares())
    limits_.push_back(static_cast<float>(share > 0.0 ? std::max(even, -std::log(share)) : even));
  mean_loss_.assign(points, -1.0F);
  doubted_.assign(points / 32 + 1, 0);
  if (knows_beforehand_) {
    mean_loss_.assign(irreducible_.values().begin(), irreducible_.values().end());
    irreducible_ = {};
    look(0.0);
  }
}

void noise_guard::set_doubted(std::uint32_t id, bool doubt) {
  const auto bit = std::uint32_t{1} << (id % 32);
  doubted_[id / 32] = doubt ? doubted_[id / 32] | bit : doubted_[id / 32] & ~bit;
}

void noise_guard::observe(std::span<const std::uint32_t> ids, std::span<const float> losses) {
  if (!watching() || knows_beforehand_)
    return;
  constexpr double keep = 1.0 - 1.0 / pairs_remembered;
  for (std::size_t i = 0; i < std::min(ids.size(), losses.size()); ++i) {
    const auto id = ids[i];
    const float loss = losses[i];
    if (!std::isfinite(loss))
      continue;
    const bool doubt = loss > limit(id);
    float& mean = mean_loss_[id];
    if (mean >= 0.0F && doubted(id)) {
      pairs_ = keep * pairs_ + 1.0;
      doubted_again_ = keep * doubted_again_ + (doubt ? 1.0 : 0.0);
    }
    mean = mean < 0.0F ? loss : mean + newest_share * (loss - mean);
    set_doubted(id, doubt);
  }
}

std::optional<double> noise_guard::persistence() const {
  if (pairs_ < fewest_pairs)
    return std::nullopt;
  return doubted_again_ / pairs_;
}

/// `rest`: mean loss of the points that are no suspects, as a share of their limits.
noise_guard::verdict noise_guard::judge(double rest) const {
  const bool on = verdict_ == verdict::passing_over || verdict_ == verdict::closed;
  const double slack = on ? turned_off_below : 1.0;
  if (*suspect_share_ < slack * suspect_share_min_)
    return verdict::clean;
  if (!knows_beforehand_) {
    const auto again = persistence();
    if (!again)
      return verdict::undecided;
    if (*again < slack * persistence_min_)
      return verdict::clean; // hard, and being learned
  }
  return may_pass_over() && rest < rest_learned_below ? verdict::passing_over : verdict::closed;
}

void noise_guard::look(double epochs) {
  next_look_ = epochs + 1.0 / looks_per_epoch_;
  double visited = 0.0;
  double suspects = 0.0;
  double rest = 0.0;
  const std::size_t stride = std::max<std::size_t>(mean_loss_.size() / points_looked_at, 1);
  for (std::size_t at = 0; at < mean_loss_.size(); at += stride) {
    const auto id = static_cast<std::uint32_t>(at);
    if (mean_loss_[id] < 0.0F)
      continue;
    visited += 1.0;
    if (suspect(id))
      suspects += 1.0;
    else
      rest += static_cast<double>(mean_loss_[id] / limit(id));
  }
  if (visited == 0.0)
    return;
  suspect_share_ = suspects / visited;
  const auto before = verdict_;
  verdict_ = judge(suspects < visited ? rest / (visited - suspects) : 1.0);
  if (verdict_ != before)
    explain(epochs);
}

void noise_guard::explain(double epochs) {
  const char* what = "finds nothing amiss";
  if (verdict_ == verdict::undecided)
    what = "asks for uniform order until it can tell";
  if (verdict_ == verdict::passing_over)
    what = "passes over the suspects";
  if (verdict_ == verdict::closed)
    what = "turns prioritization off";
  reason_ =
      fmt::format("the noise guard {} at epoch {:.2f}: {} {:.1f} % of the labels less than "
                  "chance does",
                  what, epochs, knows_beforehand_ ? "models that have not seen them give" : "the model gives",
                  100.0 * *suspect_share_);
  if (const auto again = persistence())
    reason_ += fmt::format(", and of those in doubt {:.0f} % again at their next visit", 100.0 * *again);
}

std::string noise_guard::take_reason() {
  return std::exchange(reason_, {});
}

saved_state noise_guard::save() const {
  saved_state state;
  state.put("mean_loss", mean_loss_);
  state.put("doubted", doubted_);
  state.put("figures", std::vector<double>{pairs_, doubted_again_, static_cast<double>(verdict_), next_look_,
                                           suspect_share_.value_or(-1.0)});
  return state;
}

result<void> noise_guard::load(const saved_state& state) {
  if (knows_beforehand_)
    return {}; // all it knows is in the file, also where the run that was saved had none
  auto means = state.get<float>("mean_loss");
  auto doubted = state.get<std::uint32_t>("doubted");
  const auto figures = state.get<double>("figures");
  if (!means.ok())
    return means.error();
  if (!doubted.ok())
    return doubted.error();
  if (!figures.ok())
    return figures.error();
  if (means->empty() != mean_loss_.empty())
    return {}; // turned on or off since then: it has seen nothing yet
  if (means->size() != mean_loss_.size() || doubted->size() != doubted_.size() || figures->size() != 5 ||
      !((*figures)[2] >= 0.0 && (*figures)[2] <= static_cast<double>(verdict::closed)))
    return data_error(fmt::format("the saved noise guard is for {} points, the data has {}", means->size(),
                                  mean_loss_.size()));
  mean_loss_ = means.take();
  doubted_ = doubted.take();
  pairs_ = (*figures)[0];
  doubted_again_ = (*figures)[1];
  verdict_ = static_cast<verdict>(static_cast<int>((*figures)[2]));
  if (verdict_ == verdict::passing_over && !may_pass_over())
    verdict_ = verdict::closed;
  next_look_ = (*figures)[3];
  suspect_share_ = (*figures)[4] < 0.0 ? std::nullopt : std::optional<double>((*figures)[4]);
  return {};
}

} // namespace triage
