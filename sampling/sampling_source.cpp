#include "sampling/sampling_source.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

namespace {
constexpr double sweeps_per_epoch = 50.0; ///< at most so many searches for stale priorities
}

void sampling_options::visit(option_visitor& v) {
  v.field({.name = "score", .doc = "how much a point matters; see Scores"}, score);
  v.field({.name = "estimator",
           .doc = "what estimators measure anew: nothing (scores fall off while training), or the points "
                  "whose score is "
                  "stale, oldest first or in turn",
           .choices = {"byproduct", "oldest_first", "round_robin"}},
          estimator);
  v.field({.name = "refresh_after_epochs", .doc = "a score is stale when it is this old", .min = 0.0},
          refresh_after_epochs);
  v.field({.name = "floor", .doc = "smallest priority", .min = 1e-30, .max = 1.0}, floor);
}

result<sampling_description> make_sampling(const json_value& description, const json_place& place,
                                           score_table extra) {
  const auto type = read_type_name(description, place, "sampling");
  if (!type.ok())
    return type.error();
  const auto entry = find_entry(selectors(), "sampling", *type);
  if (!entry.ok())
    return json_error({place.source, place.pointer + "/type"}, description, entry.error().message);
  sampling_description out;
  out.selector = (*entry)->make();
  const auto visit = [&](option_visitor& v) {
    out.options.visit(v);
    out.selector->visit(v);
  };
  if (description.is_object())
    if (auto read = read_options(description, place, visit, {"type"}); !read.ok())
      return read.error();
  if (auto prepared = out.selector->prepare(place); !prepared.ok())
    return prepared.error();
  auto score = make_score(out.options.score, {place.source, place.pointer + "/score"}, extra);
  if (!score.ok())
    return score.error();
  if (out.selector->uses_priorities()) {
    out.score = score.take();
    out.refresh = out.options.estimator != "byproduct";
  }
  out.resolved.set("type", json_value(*type));
  const auto values = write_options(visit);
  for (const auto& [name, value] : values.as_object())
    out.resolved.set(name, value);
  return out;
}

sampling_source::sampling_source(sampling_description description, std::size_t points, std::uint64_t seed)
    : description_(std::move(description)),
      priorities_(points, description_.options.floor, description_.selector->uses_ages()),
      random_(seed, rng_purpose::sampling) {
  description_.selector->start(points);
}

void sampling_source::draw(std::size_t count, double run_fraction, drawn_batch& out) {
  const double epochs = static_cast<double>(samples_drawn_) / static_cast<double>(priorities_.size());
  description_.selector->draw(count, priorities_, {epochs, run_fraction}, random_, out);
  samples_drawn_ += out.ids.size();
  if (description_.selector->uses_ages())
    for (const auto id : out.ids)
      priorities_.mark_trained(id, epochs);
}

void sampling_source::record(std::span<const std::uint32_t> ids, std::span<const float> scores,
                             std::uint64_t version) {
  // Points of a batch lie anywhere in the table: fetch ahead.
  constexpr std::size_t ahead = 16;
  const auto fetch = [&](std::size_t i) {
    if (i >= ids.size())
      return;
    priorities_.prefetch(ids[i]);
    description_.selector->priority_will_change(ids[i]);
  };
  for (std::size_t i = 0; i < ahead; ++i)
    fetch(i);
  for (std::size_t i = 0; i < ids.size(); ++i, fetch(i + ahead - 1))
    if (priorities_.record(ids[i], scores[i], version))
      description_.selector->priority_changed(ids[i], priorities_.value(ids[i]));
}

void sampling_source::next_refresh(std::size_t count, std::uint64_t version, double versions_per_epoch,
                                   std::vector<std::uint32_t>& out) {
  out.clear();
  if (!description_.refresh)
    return;
  const double stale_age = description_.options.refresh_after_epochs * versions_per_epoch;
  const auto age = [&](std::uint32_t id) {
    return priorities_.seen(id) ? static_cast<double>(version) - static_cast<double>(priorities_.version(id))
                                : static_cast<double>(version) + 1.0;
  };
  if (next_due_ == due_.size()) {
    if (version < next_sweep_)
      return;
    next_sweep_ = version + 1 + static_cast<std::uint64_t>(versions_per_epoch / sweeps_per_epoch);
    due_.clear();
    next_due_ = 0;
    for (std::uint32_t id = 0; id < priorities_.size(); ++id)
      if (age(id) > stale_age)
        due_.push_back(id);
    if (description_.options.estimator == "oldest_first")
      std::stable_sort(due_.begin(), due_.end(), [&](auto a, auto b) { return age(a) > age(b); });
  }
  // What was measured in the meantime, as a by-product, needs no second look.
  while (next_due_ < due_.size() && out.size() < count)
    if (const auto id = due_[next_due_++]; age(id) > stale_age)
      out.push_back(id);
}

sampling_figures sampling_source::figures(std::uint64_t version) const {
  sampling_figures f;
  f.prioritized = description_.selector->uses_priorities();
  f.selector = description_.selector->figures();
  f.rejected_scores = priorities_.rejected();
  if (f.prioritized) {
    f.staleness = priorities_.staleness(version);
    f.effective_sample_share = priorities_.effective_sample_share();
  }
  return f;
}

saved_state sampling_source::save() const {
  saved_state state;
  const auto& r = random_.state();
  state.put("random", std::vector<std::uint64_t>{r.key, r.stream, r.position});
  state.put("samples_drawn", std::vector<std::uint64_t>{samples_drawn_});
  state.put_all("priorities", priorities_.save());
  state.put_all("selector", description_.selector->save());
  return state;
}

result<void> sampling_source::load(const saved_state& state) {
  const auto random = state.get<std::uint64_t>("random");
  const auto drawn = state.get_one<std::uint64_t>("samples_drawn");
  if (!random.ok())
    return random.error();
  if (!drawn.ok())
    return drawn.error();
  if (random->size() != 3)
    return data_error("the saved random stream has an unexpected length");
  if (auto loaded = priorities_.load(state.below("priorities")); !loaded.ok())
    return loaded;
  if (auto loaded = description_.selector->load(state.below("selector")); !loaded.ok())
    return loaded;
  random_ = rng(rng_state{(*random)[0], (*random)[1], (*random)[2]});
  samples_drawn_ = *drawn;
  return {};
}

} // namespace triage
