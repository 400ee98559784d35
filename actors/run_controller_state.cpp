#include "actors/run_controller.hpp"
#include "core/data_facts.hpp"
#include "core/excerpt.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <tuple>

// What a run_controller writes into a checkpoint, and how it continues from one.

namespace triage {

namespace {

constexpr double absent = std::numeric_limits<double>::quiet_NaN();

void put_stock(saved_state& state, const batch_list& stock) {
  std::vector<std::uint32_t> ids;
  std::vector<float> weights;
  std::vector<std::uint32_t> sizes;
  std::vector<float> frequencies; // of the batches that know them, and which those are
  std::vector<std::uint32_t> known;
  for (const auto& b : stock) {
    ids.insert(ids.end(), b->ids.begin(), b->ids.end());
    weights.insert(weights.end(), b->weights.begin(), b->weights.end());
    frequencies.insert(frequencies.end(), b->frequencies.begin(), b->frequencies.end());
    known.push_back(b->frequencies.empty() ? 0 : 1);
    sizes.push_back(static_cast<std::uint32_t>(b->ids.size()));
  }
  state.put("stock/ids", std::move(ids));
  state.put("stock/weights", std::move(weights));
  state.put("stock/sizes", std::move(sizes));
  state.put("stock/frequencies", std::move(frequencies));
  state.put("stock/frequencies_known", std::move(known));
}

result<batch_list> get_stock(const saved_state& state, std::size_t points) {
  const auto ids = state.get<std::uint32_t>("stock/ids");
  const auto weights = state.get<float>("stock/weights");
  const auto sizes = state.get<std::uint32_t>("stock/sizes");
  const auto frequencies = state.get<float>("stock/frequencies");
  const auto known = state.get<std::uint32_t>("stock/frequencies_known");
  for (const auto* problem :
       {ids.ok() ? nullptr : &ids.error(), weights.ok() ? nullptr : &weights.error(),
        sizes.ok() ? nullptr : &sizes.error(), frequencies.ok() ? nullptr : &frequencies.error(),
        known.ok() ? nullptr : &known.error()})
    if (problem != nullptr)
      return *problem;
  batch_list stock;
  std::size_t at = 0;
  std::size_t frequency_at = 0;
  for (const auto size : *sizes) {
    if (at + size > ids->size() || ids->size() != weights->size())
      return data_error("the saved stock of batches contradicts itself");
    drawn_batch b;
    b.resumed = true;
    if (known->size() != sizes->size() ||
        frequency_at + ((*known)[stock.size()] != 0 ? size : 0) > frequencies->size())
      return data_error("the saved stock of batches contradicts itself");
    if ((*known)[stock.size()] != 0) {
      const auto first = frequencies->begin() + static_cast<std::ptrdiff_t>(frequency_at);
      b.frequencies.assign(first, first + static_cast<std::ptrdiff_t>(size));
      frequency_at += size;
    }
    b.ids.assign(ids->begin() + static_cast<std::ptrdiff_t>(at),
                 ids->begin() + static_cast<std::ptrdiff_t>(at + size));
    b.weights.assign(weights->begin() + static_cast<std::ptrdiff_t>(at),
                     weights->begin() + static_cast<std::ptrdiff_t>(at + size));
    if (std::any_of(b.ids.begin(), b.ids.end(), [&](auto id) { return id >= points; }))
      return data_error("the saved stock of batches names points that the data does not have");
    at += size;
    stock.push_back(std::make_shared<const drawn_batch>(std::move(b)));
  }
  return stock;
}

} // namespace

saved_state run_controller::save() const {
  saved_state state;
  state.put_all("optimizer", store_.save_moments());
  state.put_all("meter", meter_.save());
  state.put("run/samples",
            std::vector<std::uint64_t>{samples_dispatched_, samples_merged_, samples_scored_, epoch_});
  state.put("run/next_lease", std::vector<std::uint64_t>{ledger_.next_lease()});
  state.put("run/seconds", std::vector<double>{training_time_.seconds()});
  state.put("run/target",
            std::vector<double>{time_to_target_ ? time_to_target_->seconds : absent,
                                time_to_target_ ? static_cast<double>(time_to_target_->samples) : absent,
                                setup_->config.target.value.value_or(absent)});
  state.put_text("run/target_metric", setup_->config.target.metric);
  best_.save(state, "run/best");
  improved_.save(state, "run/improved");
  state.put_text("run/data_fingerprint", setup_->data.fingerprint);
  state.put_all("data", save_data_facts(setup_->data));
  put_stock(state, stock_->contents());
  if (period_)
    state.put_all("period", period_->save());
  return state;
}

result<void> run_controller::check_data(const run_setup& setup, const saved_state& state) {
  const auto fingerprint = state.get_text("run/data_fingerprint");
  if (!fingerprint.ok())
    return fingerprint.error();
  if (*fingerprint != setup.data.fingerprint)
    return data_error(
        fmt::format("the data is not what the checkpoint was trained on (fingerprint {:.12}…, expected "
                    "{:.12}…): its files, the seed that splits it or the options of \"data\" have changed; "
                    "restore them or start a new run",
                    setup.data.fingerprint, *fingerprint));
  const auto before = load_data_facts(state.below("data"));
  if (!before.ok())
    return before.error(); // nobody could use the model without the data
  const auto& then = before->names;
  const auto& now = setup.data.names;
  const auto refuse = [](const std::string& what) {
    return data_error(
        fmt::format("the data's names are not those that the checkpoint was trained with ({}): samples to "
                    "predict are found by them; restore them or start a new run",
                    what));
  };
  for (const auto& [was, is, kind] : {std::tuple{&then.features, &now.features, "feature"},
                                      {&then.classes, &now.classes, "class"},
                                      {&then.outputs, &now.outputs, "output"}}) {
    if (was->size() != is->size())
      return refuse(fmt::format("{} names of the kind {}, not {}", is->size(), kind, was->size()));
    const auto [old_name, new_name] = std::ranges::mismatch(*was, *is);
    if (old_name != was->end())
      return refuse(fmt::format("{} {} is {}, not {}", kind, old_name - was->begin(),
                                quoted_excerpt(*new_name), quoted_excerpt(*old_name)));
  }
  if (then.first_index != now.first_index)
    return refuse("features are counted from another number");
  return {};
}

result<void> run_controller::restore(std::span<const float> parameters, const saved_state& state) {
  if (auto same = check_data(*setup_, state); !same.ok())
    return same;
  const auto samples = state.get<std::uint64_t>("run/samples");
  const auto next_lease = state.get<std::uint64_t>("run/next_lease");
  const auto seconds = state.get<double>("run/seconds");
  const auto target = state.get<double>("run/target");
  const auto metric = state.get_text("run/target_metric");
  auto stock = get_stock(state, setup_->data.train.size);
  for (const auto* problem :
       {samples.ok() ? nullptr : &samples.error(), next_lease.ok() ? nullptr : &next_lease.error(),
        seconds.ok() ? nullptr : &seconds.error(), target.ok() ? nullptr : &target.error(),
        metric.ok() ? nullptr : &metric.error(), stock.ok() ? nullptr : &stock.error()})
    if (problem != nullptr)
      return *problem;
  if (samples->size() != 4 || next_lease->size() != 1 || seconds->size() != 1 || target->size() != 3)
    return data_error("the saved run position has an unexpected length");
  const auto begins = store_.load(parameters, state.below("optimizer"));
  if (!begins.ok())
    return begins.error();
  if (*begins)
    effects_.remark("the checkpoint is of another optimizer: the moments of this one begin at zero");
  if (published_)
    published_->restart(current());
  if (period_ && state.find("period/steps") != nullptr)
    if (auto loaded = period_->load(state.below("period")); !loaded.ok())
      return loaded;
  if (auto loaded = meter_.load(state.below("meter"), (*seconds)[0]); !loaded.ok())
    return loaded;
  samples_dispatched_ = (*samples)[0];
  samples_merged_ = (*samples)[1];
  samples_scored_ = (*samples)[2];
  epoch_ = (*samples)[3];
  ledger_.continue_leases((*next_lease)[0]);
  training_time_ = stopwatch(clock_, (*seconds)[0]);
  // The time to another target says nothing about the present one.
  const auto& wanted = setup_->config.target;
  if (!std::isnan((*target)[0]) && (*target)[2] == wanted.value.value_or(absent) && *metric == wanted.metric)
    time_to_target_ =
        target_time{wanted.metric, *wanted.value, (*target)[0], static_cast<std::uint64_t>((*target)[1])};
  target_stops_ = time_to_target_ && wanted.stop;
  for (const auto& [figure, name] : {std::pair{&best_, "run/best"}, {&improved_, "run/improved"}})
    if (auto loaded = figure->load(state, name); !loaded.ok())
      return loaded;
  out_of_patience_ = patience_has_run_out();
  const double done = epochs(samples_dispatched_);
  if (const auto& wanted_epochs = setup_->config.epochs; wanted_epochs && done >= *wanted_epochs)
    effects_.remark(
        fmt::format("nothing is left to train: {:.2f} epochs are done, and duration.epochs is {:g}", done,
                    *wanted_epochs));
  evaluations_.passed(done);
  checkpoints_.passed(done);
  for (const auto& b : *stock)
    stock_->put(b);
  return {};
}

} // namespace triage
