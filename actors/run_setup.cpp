#include "actors/run_setup.hpp"

#include "core/exact_tail.hpp"
#include "core/rng.hpp"
#include "nn/quantised_network.hpp"
#include "sampling/presets.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <numeric>
#include <stdexcept>

namespace triage {

namespace {

/// A component was read from the description before; reading it again cannot give another answer.
template <class T>
T certain(result<T> r) {
  if (!r.ok())
    throw std::logic_error("a checked description was refused: " + r.error().message);
  return r.take();
}

/// "auto" as a score, or a preset that says so, is what the model's last layer allows.
json_value with_score_for(const json_value& sampling, const json_value& model) {
  json_value out = expand_preset(sampling);
  const json_value* score = out.is_object() ? out.find("score") : nullptr;
  if (score == nullptr || !score->is_string() || score->as_string() != "auto")
    return out;
  const auto& layers = model.as_array();
  const json_value* last = layers.empty() ? nullptr : layers.back().find("type");
  const json_value* activation = layers.empty() ? nullptr : layers.back().find("activation");
  const bool dense = last != nullptr && last->is_string() && last->as_string() == "dense" &&
                     (activation == nullptr || !activation->is_string() || activation->as_string() == "none");
  out.set("score", json_value(dense ? "gnorm_last" : "gnorm_last_bound"));
  return out;
}

/// What a score needs of the network and of the runtime.
result<void> check_score(const run_setup& s, const sampling_description& sampling) {
  if (!sampling.score)
    return {};
  const auto refuse = [&](const std::string& why) {
    return configuration_error(fmt::format("{}, /sampling/score: {}", s.source, why));
  };
  const auto needs = sampling.score->needs();
  if (contains(needs, signal::last_input_norm) && !s.net->ends_in_dense())
    return refuse(
        "this score needs a model that ends in a dense layer; use \"gnorm_last_bound\" or \"loss\"");
  if (const auto missing = s.net->missing_sample_gradients();
      !missing.empty() && (needs & (signal::gradient_norm | signal::projection)) != 0)
    return refuse(
        fmt::format("layer {} has no gradient of a single sample; use another score or another layer "
                    "(group_norm for batch_norm)",
                    missing));
  // Where nodes do the work, they bring estimators as well; until then training does not wait for scores.
  if (sampling.refresh->uses_estimators() && s.config.estimators == 0 && s.config.workers > 0 &&
      (sampling.refresh->pools_ahead() || (needs & (signal::projection | signal::last_projection)) != 0))
    return configuration_error(fmt::format(
        "{}, /runtime/estimators: this sampling needs at least one estimator; set it to 1 or more",
        s.source));
  return sampling.score->check(s.data.train.size, s.data.fingerprint);
}

std::vector<std::uint32_t> draw_probe(std::size_t points, std::size_t wanted, std::uint64_t seed) {
  std::vector<std::uint32_t> ids(points);
  std::iota(ids.begin(), ids.end(), 0U);
  if (wanted >= points)
    return ids;
  rng random(seed, rng_purpose::probe);
  shuffle(ids, random);
  ids.resize(wanted);
  std::sort(ids.begin(), ids.end());
  return ids;
}

/// The rule that moves parameters towards the mean of the workers': plain, or with momentum.
std::unique_ptr<optimizer> make_mean_rule(double momentum) {
  const json_value description(json_value::object{
      {"type", json_value("sgd")}, {"learning_rate", json_value(1.0)}, {"momentum", json_value(momentum)}});
  return certain(make_optimizer(description, {"exchange", ""}));
}

/// Samples in memory need no numbers of rows: those of others than there are now are no use.
void forget_stale_rows(data_splits& data) {
  for (dataset* set : {&data.train, &data.validation, &data.test})
    if (!set->is_mapped() && set->rows.size() != set->size)
      set->rows.clear();
}

/// What an embedding program has made of the data is no more to be trusted than a file.
result<void> check_changed(const data_splits& data) {
  for (const auto& [set, name] :
       {std::pair{&data.train, "training"}, {&data.validation, "validation"}, {&data.test, "test"}})
    if (set->size > 0 || set == &data.train)
      if (auto checked = check_dataset(*set, name); !checked.ok())
        return checked;
  return {};
}

/// A metric that is never measured would make a target that is never reached.
result<void> check_target(const run_setup& s) {
  const auto& metric = s.config.target.metric;
  if (metric.empty() == s.config.target.value.has_value())
    return configuration_error(fmt::format("{}, /duration/target: {} without {}; give both", s.source,
                                           metric.empty() ? "a value" : "a metric",
                                           metric.empty() ? "a metric" : "a value to reach"));
  if (metric.empty())
    return {};
  if (metric.ends_with("accuracy") && *s.config.target.value > 1.0)
    return configuration_error(
        fmt::format("{}, /duration/target/value: an accuracy is at most 1, {} is never "
                    "reached; give a share, like 0.9",
                    s.source, *s.config.target.value));
  if (const auto why = s.why_unmeasured(metric); !why.empty())
    return configuration_error(
        fmt::format("{}, /duration/target: \"{}\" is never measured: {}", s.source, metric, why));
  return {};
}

/// The same for what is to become better.
result<void> check_best(const run_setup& s) {
  const auto& patience = s.config.patience;
  if (patience.metric.empty() == patience.epochs.has_value())
    return configuration_error(fmt::format("{}, /duration/patience: {} without {}; give both", s.source,
                                           patience.metric.empty() ? "epochs" : "a metric",
                                           patience.metric.empty() ? "a metric" : "epochs"));
  if (patience.epochs && s.config.evaluate_every_epochs == 0.0)
    return configuration_error(
        fmt::format("{}, /duration/patience: nothing is measured before the end, since "
                    "evaluation.every_epochs is 0; give the epochs between evaluations",
                    s.source));
  for (const auto& [metric, where] :
       {std::pair{patience.metric, "duration/patience"}, {s.config.checkpoint_best, "checkpoint/best"}})
    if (!metric.empty())
      if (const auto why = s.why_unmeasured(metric); !why.empty())
        return configuration_error(
            fmt::format("{}, /{}: \"{}\" is never measured: {}", s.source, where, metric, why));
  return {};
}

} // namespace

std::string run_setup::why_unmeasured(std::string_view metric) const {
  if (metric.starts_with("test") && data.test.size == 0)
    return "the data has no test set; give data.test or data.test_fraction";
  if (metric.starts_with("validation") && data.validation.size == 0)
    return "there is no validation set; give data.validation_fraction";
  if (metric.ends_with("accuracy") && !loss->has_accuracy())
    return "this loss has no accuracy; choose a loss, like train_loss";
  if (metric.ends_with("balanced_accuracy") && !data.train.is_classification())
    return "the data has values to predict and no classes; choose an accuracy that is not balanced, or a "
           "loss";
  return {};
}

sampling_description run_setup::new_sampling() const {
  return certain(make_sampling(config.sampling, place("/sampling"), extensions.scores));
}

std::vector<std::unique_ptr<augmentation>> run_setup::new_augmentations() const {
  return certain(make_augmentations(config.augmentation, place("/augmentation")));
}

result<std::shared_ptr<const run_setup>> prepare_model(const json_value& document, const std::string& source,
                                                       data_splits data) {
  auto setup = std::make_shared<run_setup>();
  setup->source = source;
  setup->resolved = document;
  auto config = read_run_config(document, source);
  if (!config.ok())
    return config.error();
  setup->config = config.take();
  const auto& c = setup->config;
  auto loss = make_loss(c.loss, setup->place("/loss"));
  if (!loss.ok())
    return loss.error();
  setup->loss = loss.take();
  setup->data = std::move(data);
  const auto& train = setup->data.train;
  auto net = network::build(c.model, setup->place("/model"), train.shape,
                            setup->loss->output_width(train.classes, train.outputs), {}, c.batch_size);
  if (!net.ok())
    return net.error();
  setup->net = net.take();
  return std::shared_ptr<const run_setup>(std::move(setup));
}

result<std::shared_ptr<const run_setup>> prepare_run(const json_value& document, const std::string& source,
                                                     const run_extensions& extensions) {
  auto setup = std::make_shared<run_setup>();
  setup->source = source;
  setup->extensions = extensions;
  auto config = read_run_config(document, source);
  if (!config.ok())
    return config.error();
  setup->config = config.take();
  auto& c = setup->config;
  c.data.set_line(0);

  // Cheap checks first: a slip in the optimizer should not cost the loading of the data.
  if (auto data = check_data_description(c.data, setup->place("/data")); !data.ok())
    return data.error();
  auto loss = make_loss(c.loss, setup->place("/loss"));
  if (!loss.ok())
    return loss.error();
  auto rule = make_optimizer(c.optimizer, setup->place("/optimizer"));
  if (!rule.ok())
    return rule.error();
  auto learning_schedule = make_schedule(c.schedule, setup->place("/schedule"));
  if (!learning_schedule.ok())
    return learning_schedule.error();
  auto exchange = make_exchange(c.exchange, setup->place("/runtime/exchange"));
  if (!exchange.ok())
    return exchange.error();
  c.sampling = with_score_for(c.sampling, c.model);
  auto sampling = make_sampling(c.sampling, setup->place("/sampling"), extensions.scores);
  if (!sampling.ok())
    return sampling.error();
  auto augmentations = make_augmentations(c.augmentation, setup->place("/augmentation"));
  if (!augmentations.ok())
    return augmentations.error();

  json_value resolved_data;
  auto data = load_data(c.data, setup->place("/data"), setup->seed(), &resolved_data);
  if (!data.ok())
    return data.error();
  setup->data = data.take();
  if (extensions.change_data) {
    extensions.change_data(setup->data);
    forget_stale_rows(setup->data);
    if (auto checked = check_changed(setup->data); !checked.ok())
      return with_context(checked.error(), source + ", /data, as the program has changed it");
  }
  const dataset& train = setup->data.train;
  if (train.size == 0)
    return data_error(fmt::format("{}, /data: the training set is empty", source));

  setup->loss = loss.take();
  const auto width = setup->loss->output_width(train.classes, train.outputs);
  if (auto fits = setup->loss->check(train.classes, train.outputs, width); !fits.ok())
    return with_context(fits.error(), source + ", /loss");
  for (const dataset* set :
       std::initializer_list<const dataset*>{&train, &setup->data.validation, &setup->data.test})
    if (auto fits = setup->loss->check_values(set->targets); !fits.ok())
      return with_context(fits.error(), source + ", /loss");
  auto weights = class_weights::read(c.class_weights, setup->place("/class_weights"), train);
  if (!weights.ok())
    return weights.error();
  setup->class_weights = weights.take();
  auto net =
      network::build(c.model, setup->place("/model"), train.shape, width, extensions.layers, c.batch_size);
  if (!net.ok())
    return net.error();
  setup->net = net.take();
  if (const auto& built = setup->net->layers();
      c.batch_size == 1 &&
      std::any_of(built.begin(), built.end(), [](const auto& l) { return l->needs_several_samples(); }))
    return configuration_error(source + ", /batch_size: batch_norm compares the samples of a batch, and one "
                                        "alone tells it nothing; use at least 2, or layer_norm");
  if (c.training_precision == "bf16" && !has_bfloat16())
    return configuration_error(source +
                               ", /runtime/training_precision: this processor has no bfloat16 arithmetic "
                               "(AVX512-BF16 or AMX), or it is turned off; use \"f32\"");
  if (sampling->score && c.scoring_precision == "int8")
    if (auto bytes = quantised_network::compile(setup->net, 1); !bytes.ok())
      return configuration_error(fmt::format("{}, /runtime/scoring_precision: {}; use \"auto\" or \"f32\"",
                                             source, bytes.error().message));
  if (auto fits =
          sampling->options.guard.check(train.size, train.is_classification(), setup->data.fingerprint);
      !fits.ok())
    return with_context(fits.error(), source + ", /sampling/guard");
  if (sampling->selector->needs_classes() && !train.is_classification())
    return configuration_error(
        fmt::format("{}, /sampling: class_balance prefers points of rare classes, and the "
                    "points of a regression have none; leave it out",
                    source));
  if (auto fits = check_score(*setup, *sampling); !fits.ok())
    return fits.error();
  for (const auto& a : *augmentations)
    if (auto fits = a->check(train.shape); !fits.ok())
      return with_context(fits.error(), source + ", /augmentation");

  if (sampling->options.renewed_gradients == "add" && (*exchange)->local())
    return configuration_error(source +
                               ", /sampling/renewed_gradients: \"add\" adds to the gradient of a step, and "
                               "rounds of local steps send none; use \"measure\", or another "
                               "runtime.exchange");

  setup->rule = rule.take();
  setup->learning_schedule = learning_schedule.take();
  setup->exchange = exchange.take();
  const auto& parameters = setup->net->parameters();
  const std::size_t statistics = parameters.size() - parameters.trained_size();
  if (const auto* const up = setup->exchange->compression_up())
    setup->compression_up = std::make_unique<exact_tail>(*up, statistics);
  if (const auto* const down = setup->exchange->compression_down())
    setup->compression_down = std::make_unique<exact_tail>(*down, statistics);
  const bool compresses = setup->compression_up || setup->compression_down;
  if (compresses && c.wire_format != "float32")
    return configuration_error(source +
                               ", /network/wire_format: with runtime.exchange.compression it must be "
                               "\"float32\": what compression leaves out is made good later, what "
                               "rounding leaves out is not");
  if (const auto round = setup->exchange->local()) {
    setup->mean_rule = make_mean_rule(round->momentum);
    setup->mean_layout = setup->net->parameters().without_decay();
  }
  setup->uses_estimators = sampling->selector->uses_priorities() && sampling->refresh->uses_estimators();
  setup->wants_losses = c.ledger || sampling->options.guard.enabled();
  setup->point_score = std::move(sampling->score);
  setup->probe = draw_probe(train.size, static_cast<std::size_t>(c.probe_size), setup->seed());
  if (auto fits = check_best(*setup); !fits.ok())
    return fits.error();
  if (auto fits = check_target(*setup); !fits.ok())
    return fits.error();

  run_config resolved = c;
  resolved.data = std::move(resolved_data);
  resolved.model = setup->net->describe();
  resolved.loss = describe_component(c.loss, "type", *setup->loss);
  resolved.optimizer = describe_component(c.optimizer, "type", *setup->rule);
  resolved.schedule = describe_component(c.schedule, "type", *setup->learning_schedule);
  resolved.exchange = describe_component(c.exchange, "policy", *setup->exchange);
  resolved.sampling = sampling->resolved;
  setup->resolved = write_run_config(resolved);
  return std::shared_ptr<const run_setup>(std::move(setup));
}

} // namespace triage
