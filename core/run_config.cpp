#include "core/run_config.hpp"

#include <cmath>
#include <fmt/format.h>

namespace triage {

namespace {

/// What a run may be told to look at; empty: nothing.
std::vector<std::string_view> figures() {
  return {"",           "test_accuracy",       "test_balanced_accuracy",       "test_loss",
          "train_loss", "validation_accuracy", "validation_balanced_accuracy", "validation_loss"};
}

} // namespace

void run_config::visit(option_visitor& v) {
  v.field({.name = "schema_version", .doc = "version of this format; 1", .min = 1, .max = 1}, schema_version);
  v.field({.name = "name", .doc = "names the run and its directory"}, name);
  v.field({.name = "seed", .doc = "seed of every random stream", .min = 0}, seed);
  v.field({.name = "data", .doc = "where the samples come from; see Data", .required = true}, data);
  v.field({.name = "model", .doc = "array of layers; see Layers", .required = true}, model);
  v.field({.name = "loss", .doc = "loss per sample; see Losses"}, loss);
  v.field({.name = "class_weights",
           .doc = "what the loss of a point counts in training, by its class: an array of numbers, or "
                  "\"balanced\" (all classes the same, the mean over the points 1); null: all 1. Figures "
                  "that are reported are not weighted",
           .type = "text, array or null"},
          class_weights);
  v.field({.name = "optimizer", .doc = "update rule; see Optimizers", .required = true}, optimizer);
  v.field({.name = "schedule", .doc = "learning rate over time; see Schedules"}, schedule);
  v.field({.name = "augmentation", .doc = "random changes of training images; see Augmentations"},
          augmentation);
  v.field({.name = "sampling", .doc = "which points are trained; see Sampling"}, sampling);
  v.field({.name = "batch_size", .doc = "samples of one gradient of one worker", .min = 1, .max = 1e6},
          batch_size);
  v.field({.name = "gradient_clipping",
           .doc = "largest norm of the merged gradient; null: no clipping",
           .min = 1e-12},
          gradient_clipping);
  v.group({.name = "duration", .doc = "when the run ends: at whichever comes first"}, [this](
                                                                                          option_visitor& d) {
    d.field(
        {.name = "epochs",
         .doc =
             "training-set sizes of samples paid for in gradient work, whatever the sampler; null: no bound, "
             "which is also the default where \"seconds\" are given",
         .min = 0,
         .max = 1e9},
        epochs);
    d.field({.name = "seconds",
             .doc = "training seconds, without evaluation and checkpoints; null: no bound",
             .min = 0},
            seconds);
    d.group({.name = "target", .doc = "a figure to reach"}, [this](option_visitor& t) {
      t.field({.name = "metric", .doc = "the figure; empty: no target", .choices = figures()}, target.metric);
      t.field({.name = "value", .doc = "accuracies are reached from below, losses from above"}, target.value);
      t.field({.name = "stop", .doc = "whether reaching it ends the run"}, target.stop);
    });
    d.group({.name = "patience", .doc = "a figure that has to become better"}, [this](option_visitor& p) {
      p.field({.name = "metric",
               .doc = "the figure, best one of the validation set; empty: none",
               .choices = figures()},
              patience.metric);
      p.field({.name = "epochs",
               .doc = "the run ends when no evaluation was better for so many epochs",
               .min = 1e-6,
               .max = 1e9},
              patience.epochs);
      p.field({.name = "min_change", .doc = "by how much better is better", .min = 0}, patience.min_change);
    });
  });
  v.group({.name = "runtime", .doc = "who computes"}, [this](option_visitor& r) {
    r.field({.name = "workers",
             .doc = "gradient workers of this process, one thread each; 0 with --listen: nodes do the work",
             .min = 0,
             .max = 1024},
            workers);
    r.field({.name = "estimators",
             .doc = "priority estimators, one thread each; used only by sampling that asks for them",
             .min = 0,
             .max = 1024},
            estimators);
    r.field({.name = "exchange", .doc = "when gradients are merged; see Exchange policies"}, exchange);
    r.field({.name = "scoring_batch_size", .doc = "samples of one scoring order", .min = 1, .max = 1e6},
            scoring_batch_size);
    r.field({.name = "training_precision",
             .doc =
                 "arithmetic of training: bf16 rounds what dense and convolution layers multiply to "
                 "bfloat16 and adds "
                 "up in f32; parameters stay f32. 1.4 to 2.4 times as fast on processors with AMX; refused "
                 "where the "
                 "processor cannot",
             .choices = {"f32", "bf16"}},
            training_precision);
    r.field(
        {.name = "scoring_precision",
         .doc =
             "arithmetic of scoring: auto takes what is faster on this machine in a trial at the start; int8 "
             "needs a chain of dense, conv2d, relu, pools, flatten and dropout",
         .choices = {"auto", "f32", "int8"}},
        scoring_precision);
    r.field({.name = "prefetch_batches",
             .doc =
                 "batches drawn ahead for each worker; 0: each batch is drawn when its worker is free, from "
                 "priorities as new as can be; a few more with network.shards",
             .min = 0,
             .max = 1024},
            prefetch_batches);
    r.field(
        {.name = "ledger",
         .doc = "whether losses and visits of each point are kept, for `triage ledger`; 20 bytes a point"},
        ledger);
    r.field({.name = "min_workers",
             .doc = "with --listen: training waits while fewer workers are there",
             .min = 1,
             .max = 65536},
            min_workers);
    r.field({.name = "wait_seconds",
             .doc = "with --listen: after so long with too few workers the run saves and ends, exit code 75",
             .min = 0},
            wait_seconds);
  });
  v.group({.name = "network", .doc = "between coordinator and nodes"}, [this](option_visitor& n) {
    n.field({.name = "heartbeat_seconds",
             .doc =
                 "a node that is silent for four of these, or longer where heartbeats were seen to be late, "
                 "is given up",
             .min = 0.01,
             .max = 60},
            heartbeat_seconds);
    n.field(
        {.name = "wire_format",
         .doc = "of parameters and gradients between machines; the short ones halve the traffic and round",
         .choices = {"float32", "bfloat16", "float16"}},
        wire_format);
    n.field(
        {.name = "local_transport",
         .doc =
             "of nodes on the coordinator's machine that run as the same user: shared_memory: the bytes go "
             "through memory that both see (with TLS: as unix); unix: sockets of the Unix domain, which "
             "cost half of TCP's processor time; tcp: as from other machines",
         .choices = {"shared_memory", "unix", "tcp"}},
        local_transport);
    n.field(
        {.name = "shards",
         .doc = "training points are divided into so many parts, each of which only one node trains: with "
                "files that can be mapped a node then needs memory for its parts only; several for each node "
                "level out. 0: every node trains any point",
         .min = 0,
         .max = 65536},
        shards);
    n.field({.name = "latency_ms", .doc = "emulated: added to every message", .min = 0}, network.latency_ms);
    n.field({.name = "bandwidth_mbps", .doc = "emulated: of each connection; 0: no bound", .min = 0},
            network.bandwidth_mbps);
    n.field({.name = "jitter_ms", .doc = "emulated: mean of an exponential extra latency", .min = 0},
            network.jitter_ms);
    n.field({.name = "loss",
             .doc = "emulated: probability that a packet is lost and sent again after at least 200 ms",
             .min = 0,
             .max = 0.9},
            network.loss);
  });
  v.group({.name = "evaluation", .doc = "figures on held-out data; the clock of the run stops for it"},
          [this](option_visitor& e) {
            e.field(
                {.name = "every_epochs", .doc = "epochs between evaluations; 0: only at the end", .min = 0},
                evaluate_every_epochs);
            e.field({.name = "probe_size",
                     .doc = "training points of the fixed sample that train_loss is measured on",
                     .min = 1},
                    probe_size);
          });
  v.group({.name = "checkpoint", .doc = "saved states"}, [this](option_visitor& c) {
    c.field({.name = "every_epochs", .doc = "epochs between checkpoints; 0: only at the end", .min = 0},
            checkpoint_every_epochs);
    c.field({.name = "keep", .doc = "checkpoints kept; older ones are removed", .min = 1, .max = 1e6},
            checkpoint_keep);
    c.field({.name = "best",
             .doc = "the checkpoint at whose evaluation this figure was best is kept as well, in `best`; "
                    "`evaluate`, `predict` and `export` take it with --best. Empty: none",
             .choices = figures()},
            checkpoint_best);
  });
}

result<run_config> read_run_config(const json_value& document, const std::string& source) {
  json_value cleaned = document;
  if (json_value* duration = cleaned.find("duration"); duration != nullptr) {
    // A target that is null means the same as no target.
    if (json_value* target = duration->find("target"); target != nullptr && target->is_null())
      target->set_line(0), *target = json_value(json_value::object{});
    // Whoever gives a time means that time.
    if (const json_value* seconds = duration->find("seconds");
        seconds != nullptr && !seconds->is_null() && duration->find("epochs") == nullptr)
      duration->set("epochs", json_value());
  }
  run_config config;
  const json_place place{source, ""};
  if (auto read = read_options(cleaned, place, [&](option_visitor& v) { config.visit(v); }, {"$schema"});
      !read.ok())
    return read.error();
  if (!config.epochs && !config.seconds)
    return json_error({source, "/duration"}, document,
                      "the run would never end: give \"epochs\", \"seconds\" or both");
  if (!config.model.is_array())
    return json_error({source, "/model"}, config.model,
                      fmt::format("must be an array of layers, not {}", config.model.type_name()));
  return config;
}

json_value write_run_config(const run_config& config) {
  return write_options([copy = config](option_visitor& v) mutable { copy.visit(v); });
}

} // namespace triage
