#include "actors/scoring_desk.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

namespace {
constexpr int bad_orders_tolerated = 3;
}

scoring_desk::scoring_desk(const run_setup& setup)
    : source_(setup.new_sampling(), setup.data.train.size, setup.seed()), points_(setup.data.train.size),
      batch_size_(static_cast<std::size_t>(setup.config.batch_size)),
      order_size_(static_cast<std::size_t>(setup.config.scoring_batch_size)) {}

result<void> scoring_desk::load(const saved_state& state) {
  if (state.entries().empty())
    return {};
  const auto counts = state.get<std::uint64_t>("counts");
  const auto seconds = state.get_one<double>("scoring_seconds");
  if (!counts.ok())
    return counts.error();
  if (!seconds.ok())
    return seconds.error();
  if (counts->size() != 2)
    return data_error("the saved sampler counts have an unexpected length");
  version_ = (*counts)[0];
  samples_scored_ = (*counts)[1];
  scoring_seconds_ = *seconds;
  return source_.load(state.below("source"));
}

saved_state scoring_desk::save() const {
  saved_state state;
  state.put("counts", std::vector<std::uint64_t>{version_, samples_scored_});
  state.put("scoring_seconds", std::vector<double>{scoring_seconds_});
  state.put_all("source", source_.save());
  return state;
}

void scoring_desk::draw(double run_fraction, std::uint64_t version, drawn_batch& out) {
  version_ = std::max(version_, version);
  source_.draw(batch_size_, run_fraction, out);
}

void scoring_desk::take_byproducts(std::span<const std::uint32_t> ids, std::span<const float> scores,
                                   std::uint64_t version) {
  version_ = std::max(version_, version);
  source_.record(ids, scores, version);
}

bool scoring_desk::take_measured(std::uint64_t estimator, std::span<const std::uint32_t> ids,
                                 std::span<const float> scores, std::uint64_t version, double busy_seconds) {
  source_.record(ids, scores, version);
  samples_scored_ += ids.size();
  scoring_seconds_ += busy_seconds;
  const bool bad = !std::all_of(scores.begin(), scores.end(), [](float s) { return std::isfinite(s); });
  auto known =
      std::find_if(bad_.begin(), bad_.end(), [&](const auto& r) { return r.estimator == estimator; });
  if (known == bad_.end())
    known = bad_.insert(bad_.end(), {estimator, 0});
  known->bad_orders = bad ? known->bad_orders + 1 : 0;
  if (known->bad_orders >= bad_orders_tolerated)
    return false;
  idle_.push_back(estimator);
  return true;
}

void scoring_desk::estimator_idle(std::uint64_t estimator) {
  idle_.push_back(estimator);
}

void scoring_desk::estimator_lost(std::uint64_t estimator) {
  std::erase(idle_, estimator);
  std::erase_if(bad_, [&](const auto& r) { return r.estimator == estimator; });
}

std::optional<scoring_desk::assignment> scoring_desk::next_assignment() {
  if (paused_ || idle_.empty())
    return std::nullopt;
  assignment out;
  source_.next_refresh(order_size_, version_, versions_per_epoch(), out.ids);
  if (out.ids.empty())
    return std::nullopt;
  out.estimator = idle_.back();
  idle_.pop_back();
  return out;
}

double scoring_desk::versions_per_epoch() const {
  const double epochs = static_cast<double>(source_.samples_drawn()) / static_cast<double>(points_);
  if (version_ == 0 || epochs <= 0.0)
    return static_cast<double>(points_) / static_cast<double>(batch_size_);
  return static_cast<double>(version_) / epochs;
}

} // namespace triage
