#include "apps/ledger/account.hpp"

#include "actors/batch_trainer.hpp"
#include "nn/workspace.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace triage {

namespace {

void ask_model(const run_setup& setup, std::span<const float> parameters, std::vector<suspect>& suspects) {
  workspace w(setup.net);
  const auto width = static_cast<std::size_t>(setup.net->output_width());
  constexpr std::size_t chunk = 100;
  for (std::size_t at = 0; at < suspects.size(); at += chunk) {
    std::vector<std::uint32_t> ids;
    for (std::size_t i = at; i < std::min(at + chunk, suspects.size()); ++i)
      ids.push_back(suspects[i].id);
    const auto batch = static_cast<std::int64_t>(ids.size());
    gather_samples(setup.data.train, setup.data.standard, ids, w.input(batch));
    const auto raw = w.infer(parameters, batch);
    std::vector<float> predicted(raw.begin(), raw.end());
    setup.loss->to_prediction(predicted, setup.net->output_width());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      suspect& s = suspects[at + i];
      const float* const row = predicted.data() + i * width;
      if (width == 1) { // one probability, of the second class
        s.opinion = row[0] > 0.5F ? 1 : 0;
        s.probability = static_cast<double>(s.opinion == 1 ? row[0] : 1.0F - row[0]);
        continue;
      }
      const auto best = std::max_element(row, row + width);
      s.opinion = static_cast<std::int32_t>(best - row);
      s.probability = static_cast<double>(*best);
    }
  }
}

} // namespace

std::vector<double> doubts_of(const point_ledger& ledger, const dataset& train) {
  const std::size_t n = ledger.size();
  const auto groups = static_cast<std::size_t>(std::max<std::int64_t>(train.classes, 1));
  const auto group_of = [&](std::size_t i) {
    return train.classes > 0 ? static_cast<std::size_t>(train.labels[i]) : std::size_t{0};
  };
  std::vector<std::vector<float>> losses(groups);
  for (std::size_t i = 0; i < n; ++i)
    if (ledger.times_trained(i) > 0)
      losses[group_of(i)].push_back(ledger.mean_loss(i));
  std::vector<double> usual(groups, 0.0);
  for (std::size_t g = 0; g < groups; ++g)
    if (!losses[g].empty()) {
      const auto middle = losses[g].begin() + static_cast<std::ptrdiff_t>(losses[g].size() / 2);
      std::nth_element(losses[g].begin(), middle, losses[g].end());
      usual[g] = static_cast<double>(*middle);
    }
  std::vector<double> doubt(n, 0.0);
  for (std::size_t i = 0; i < n; ++i)
    if (ledger.times_trained(i) > 0)
      doubt[i] = std::max(static_cast<double>(ledger.mean_loss(i)) - usual[group_of(i)], 0.0);
  return doubt;
}

ledger_account make_account(const run_setup& setup, const point_ledger& ledger,
                            std::span<const float> parameters, std::size_t count) {
  const dataset& train = setup.data.train;
  ledger_account out;
  out.doubt = doubts_of(ledger, train);
  const double half_known = setup.loss->loss_at_one_half(train.classes);
  for (std::uint32_t id = 0; id < ledger.size(); ++id) {
    if (ledger.times_trained(id) == 0)
      out.never_trained.push_back(id);
    else if (train.is_classification() && static_cast<double>(ledger.lowest_loss(id)) > half_known)
      out.never_learned.push_back(id);
  }
  std::vector<std::uint32_t> order(ledger.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return out.doubt[a] > out.doubt[b]; });
  for (const auto id : order) {
    if (out.suspects.size() == count || !(out.doubt[id] > 0.0))
      break;
    out.suspects.push_back({id, out.doubt[id], 0, 0.0});
  }
  if (train.is_classification())
    ask_model(setup, parameters, out.suspects);
  return out;
}

result<point_ledger> read_ledger(const saved_state& state, std::size_t points) {
  const auto entries = state.below("sampler/ledger");
  if (entries.entries().empty())
    return configuration_error(
        "this run kept no ledger; train with \"runtime\": {\"ledger\": true}, which is the "
        "default");
  point_ledger ledger(points);
  if (auto loaded = ledger.load(entries); !loaded.ok())
    return loaded.error();
  return ledger;
}

} // namespace triage
