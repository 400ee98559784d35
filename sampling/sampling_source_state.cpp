#include "sampling/sampling_source.hpp"

#include <algorithm>
#include <fmt/format.h>

// What a sampling_source writes into a checkpoint, and how it continues from one.

namespace triage {

namespace {

result<void> get_plan(const saved_state& state, const std::string& name, std::size_t points,
                      selection_plan& out) {
  auto ids = state.get<std::uint32_t>(name + "/ids");
  auto weights = state.get<float>(name + "/weights");
  if (!ids.ok())
    return ids.error();
  if (!weights.ok())
    return weights.error();
  auto frequencies = state.get<float>(name + "/frequencies");
  if (!frequencies.ok())
    return frequencies.error();
  if (ids->size() != weights->size() || frequencies->size() > ids->size() ||
      std::any_of(ids->begin(), ids->end(), [&](auto i) { return i >= points; }))
    return data_error("the saved sampling plan contradicts itself");
  out.ids = ids.take();
  out.weights = weights.take();
  out.frequencies = frequencies.take();
  return {};
}

void put_plan(saved_state& state, const std::string& name, const selection_plan& plan) {
  state.put(name + "/ids", plan.ids);
  state.put(name + "/weights", plan.weights);
  state.put(name + "/frequencies", plan.frequencies);
}

} // namespace

saved_state sampling_source::save() const {
  saved_state state;
  const auto& r = random_.state();
  state.put("random", std::vector<std::uint64_t>{r.key, r.stream, r.position});
  state.put("counts",
            std::vector<std::uint64_t>{samples_drawn_, samples_prioritized_, samples_measured_, next_,
                                       ends_pass_ ? 1U : 0U, planned_by_priority_ ? 1U : 0U,
                                       partial_by_priority_ ? 1U : 0U, drawn_at_rest_, measured_at_rest_});
  state.put("drawn_by_class", drawn_by_class_);
  state.put_text("parts", description_.parts());
  state.put_text("phase", phase_);
  put_plan(state, "plan", plan_);
  put_plan(state, "partial", partial_);
  // What estimators are measuring at this moment is measured again.
  std::vector<std::uint32_t> unmeasured;
  const auto note = [&](const open_order& o) {
    if (!o.pool)
      unmeasured.insert(unmeasured.end(), o.ids.begin(), o.ids.end());
  };
  for (const auto& [ticket, order] : orders_)
    note(order);
  for (const auto& order : lost_)
    note(order);
  state.put("unmeasured", std::move(unmeasured));
  state.put_all("order", order_.save());
  state.put_all("priorities", priorities_.save());
  state.put_all("selector", description_.selector->save());
  state.put_all("refresh", description_.refresh->save());
  state.put_all("pools", pools_.save());
  state.put_all("gate", description_.options.gate.save());
  state.put_all("guard", description_.options.guard.save());
  state.put_all("gain", gain_.save());
  state.put_all("direction", direction_.save());
  return state;
}

result<void> sampling_source::load(const saved_state& state) {
  const std::size_t points = priorities_.size();
  const auto random = state.get<std::uint64_t>("random");
  const auto counts = state.get<std::uint64_t>("counts");
  const auto parts = state.get_text("parts");
  const auto phase = state.get_text("phase");
  auto unmeasured = state.get<std::uint32_t>("unmeasured");
  auto by_class = state.get<std::uint64_t>("drawn_by_class");
  for (const auto* problem :
       {random.ok() ? nullptr : &random.error(), counts.ok() ? nullptr : &counts.error(),
        parts.ok() ? nullptr : &parts.error(), phase.ok() ? nullptr : &phase.error(),
        unmeasured.ok() ? nullptr : &unmeasured.error(), by_class.ok() ? nullptr : &by_class.error()})
    if (problem != nullptr)
      return *problem;
  if (random->size() != 3 || counts->size() != 9 || by_class->size() != drawn_by_class_.size())
    return data_error("the saved sampler has an unexpected length: it may be another version's");
  random_ = rng(rng_state{(*random)[0], (*random)[1], (*random)[2]});
  if (*parts != description_.parts()) {
    remark_ = fmt::format("the checkpoint is of another sampling ({}): this one ({}) begins anew", *parts,
                          description_.parts());
    return {};
  }
  for (auto loaded :
       {get_plan(state, "plan", points, plan_), get_plan(state, "partial", points, partial_),
        order_.load(state.below("order")), priorities_.load(state.below("priorities")),
        description_.selector->load(state.below("selector")),
        description_.refresh->load(state.below("refresh")), pools_.load(state.below("pools"), points),
        description_.options.gate.load(state.below("gate")),
        description_.options.guard.load(state.below("guard")), gain_.load(state.below("gain")),
        direction_.load(state.below("direction"))})
    if (!loaded.ok())
      return loaded;
  if ((*counts)[3] > plan_.ids.size() ||
      std::any_of(unmeasured->begin(), unmeasured->end(), [&](auto i) { return i >= points; }))
    return data_error("the saved sampling plan contradicts itself");
  drawn_by_class_ = by_class.take();
  samples_drawn_ = (*counts)[0];
  samples_prioritized_ = (*counts)[1];
  samples_measured_ = (*counts)[2];
  next_ = static_cast<std::size_t>((*counts)[3]);
  ends_pass_ = (*counts)[4] != 0;
  planned_by_priority_ = (*counts)[5] != 0;
  partial_by_priority_ = (*counts)[6] != 0;
  drawn_at_rest_ = std::min((*counts)[7], samples_drawn_);
  measured_at_rest_ = (*counts)[8];
  phase_ = *phase;
  orders_.clear();
  lost_.clear();
  if (!unmeasured->empty())
    lost_.push_back({unmeasured.take(), std::nullopt});
  return {};
}

} // namespace triage
