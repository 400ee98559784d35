#include "apps/train_run.hpp"

#include "actors/train.hpp"
#include "apps/model_files.hpp"
#include "apps/signals.hpp"
#include "apps/support.hpp"
#include "core/files.hpp"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>

namespace triage {

namespace {

std::string words_of(std::string metric) {
  std::replace(metric.begin(), metric.end(), '_', ' ');
  return metric;
}

/// "60000 training points of 28x28x1, 10 classes; 10000 to test on, none to validate on"
std::string describe_data(const data_splits& data) {
  const auto& train = data.train;
  const auto held_out = [](const dataset& set) {
    return set.size == 0 ? std::string("none") : std::to_string(set.size);
  };
  return fmt::format("{} training points of {}, {} {}; {} to test on, {} to validate on", train.size,
                     to_string(train.shape), train.target_width(),
                     train.is_classification() ? "classes" : "values to predict", held_out(data.test),
                     held_out(data.validation));
}

void print_summary(const run_summary& s, const run_directory& directory) {
  std::string line = fmt::format("{}: {} after {:.2f} epochs, {:.1f} s, {:.0f} samples/s", directory.path(),
                                 to_string(s.status), s.epochs, s.train_seconds, s.samples_per_second);
  if (s.figures)
    for (const char* metric :
         {"train_loss", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy"})
      if (const auto value = s.figures->find(metric))
        line += fmt::format(", {} {:.4f}", words_of(metric), *value);
  if (s.best)
    line += fmt::format("; best {} {:.4f} after {:.2f} epochs", words_of(s.best->metric), s.best->value,
                        s.best->epochs);
  std::puts(line.c_str());
}

/// A directory that cannot be written to is no reason not to train; one that somebody trains in is.
result<std::optional<directory_lock>> hold(const run_directory& directory) {
  auto lock = directory_lock::take(
      directory.path(), "another process is training in this run directory; wait for it, or stop it");
  if (lock.ok())
    return std::optional(lock.take());
  if (lock.error().kind == error_kind::configuration)
    return lock.error();
  return std::optional<directory_lock>();
}

result<void> check_trace(const run_choices& choices) {
  return choices.trace_file.empty() ? result<void>() : check_writable(choices.trace_file);
}

} // namespace

result<started_run> start_run(const json_value& document, const std::string& file, const std::string& path,
                              const std::vector<std::string>& arguments, const run_choices& choices) {
  auto setup = prepare_run(document, file);
  if (!setup.ok())
    return setup.error();
  if (auto staffed = check_workers(**setup, choices.listen.has_value()); !staffed.ok())
    return staffed.error();
  if (auto writable = check_trace(choices); !writable.ok())
    return writable.error();
  auto directory = run_directory::create(path, (*setup)->config.name);
  if (!directory.ok())
    return directory.error();
  auto held = hold(*directory);
  if (!held.ok())
    return held.error();
  if (auto free = directory->check_free(); !free.ok()) // still: another process may have been quicker
    return free.error();
  if (auto written = directory->write_descriptions((*setup)->resolved, arguments, (*setup)->data.fingerprint);
      !written.ok()) {
    directory->discard();
    return written.error();
  }
  return started_run{setup.take(), directory.take(), held.take(), true};
}

int run_and_report(const std::shared_ptr<const run_setup>& setup, const run_directory& directory,
                   run_choices choices) {
  auto held = hold(directory);
  if (!held.ok())
    return complain(held.error());
  return run_and_report({setup, directory, held.take()}, std::move(choices));
}

int run_and_report(const started_run& run, run_choices choices) {
  const auto& setup = run.setup;
  const auto& directory = run.directory;
  if (auto writable = check_trace(choices); !writable.ok())
    return complain(writable.error());
  const signal_watch signals;
  logger log = logger::to_stderr_and_file(directory.log_file(), choices.quiet && !choices.listen);
  log.info("data", describe_data(setup->data));
  train_options options;
  options.run_directory = directory.path();
  options.trace_file = choices.trace_file;
  options.progress = !choices.quiet;
  options.terminal = stderr_is_terminal();
  options.log = &log;
  options.resume = std::move(choices.resume);
  // A change that the checkpoint does not take must leave the directory as it was.
  if (choices.changed)
    options.accepted = [&] { return directory.write_config(setup->resolved); };
  options.listen = choices.listen;
  options.listening = [&](const net_address& at) {
    log.info("network", "listening for nodes on " + to_string(at));
    if (choices.listening)
      choices.listening(at);
  };
  std::stop_source stop;
  const auto ask_to_stop = [&stop] { stop.request_stop(); };
  const std::stop_callback by_signal(signals.token(), ask_to_stop);
  const std::stop_callback by_choice(choices.stop, ask_to_stop);
  const auto outcome = train(setup, options, stop.get_token());
  if (!outcome.ok()) {
    if (run.is_new) // nothing was trained: the mended command may have the directory
      directory.discard();
    return complain(outcome.error());
  }
  const run_summary& summary = outcome->summary;
  int code = summary.status == run_status::failed ? 1 : 0;
  if (summary.status == run_status::interrupted)
    code = signals.received() != 0 ? 128 + signals.received() : exit_code(error_kind::retry);
  if (summary.status == run_status::starved)
    code = exit_code(error_kind::retry);
  if (ended_by_itself(summary.status))
    if (auto written = write_model_files(*setup, outcome->parameters.view(), directory.model_directory());
        !written.ok())
      code = complain(written.error());
  print_summary(summary, directory);
  return code;
}

} // namespace triage
