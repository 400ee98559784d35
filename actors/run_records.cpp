#include "actors/run_records.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace triage {

namespace {

json_value optional_number(const std::optional<double>& v) {
  return v ? json_value(*v) : json_value();
}

} // namespace

std::optional<double> evaluation_figures::find(const std::string& metric) const {
  if (metric == "train_loss")
    return train_loss;
  if (metric == "train_accuracy")
    return train_accuracy;
  if (metric == "test_loss")
    return test_loss;
  if (metric == "test_accuracy")
    return test_accuracy;
  if (metric == "validation_loss")
    return validation_loss;
  if (metric == "validation_accuracy")
    return validation_accuracy;
  if (metric == "test_balanced_accuracy")
    return test_balanced_accuracy;
  if (metric == "validation_balanced_accuracy")
    return validation_balanced_accuracy;
  return std::nullopt;
}

std::string to_sentence(const prioritization_account& a) {
  if (!a.prioritized || a.samples_drawn == 0)
    return {};
  const double drawn = static_cast<double>(a.samples_drawn);
  // A resumed run may have changed its sampling, and what each has counted as drawn differs by a batch.
  const double share = std::min(static_cast<double>(a.samples_prioritized) / drawn, 1.0);
  if (a.samples_prioritized == 0)
    return fmt::format("prioritization was never on; it cost {:.1f} s of scoring", a.scoring_seconds);
  std::string line =
      fmt::format("prioritization was on for {:.0f} % of the samples and cost {:.1f} s of scoring",
                  100.0 * share, a.scoring_seconds);
  // The same steps on chosen points are no faster: where they were, the machine was slower before.
  if (a.uniform_speed > 0.0 && a.prioritized_speed >= a.uniform_speed)
    line += " (training ran as fast as on uniform samples)";
  else if (a.uniform_speed > 0.0 && a.prioritized_speed > 0.0)
    line +=
        fmt::format(" (training ran at {:.2f} of the uniform speed)", a.prioritized_speed / a.uniform_speed);
  if (!a.gain || !(a.prioritized_speed > 0.0))
    return line + "; what it saved cannot be told from this run: `triage race` measures it";
  const double seconds = static_cast<double>(a.samples_prioritized) / a.prioritized_speed;
  const double speed = std::max(a.uniform_speed, a.prioritized_speed);
  // The same reduction of noise by uniform steps would have taken gain times the samples.
  const auto saved = [&](double gain) {
    return static_cast<double>(a.samples_prioritized) * gain / speed - seconds;
  };
  line += fmt::format(
      "; its choice of points made steps {:.2f} times less noisy ({:.2f} to {:.2f}), "
      "worth {:.1f} s ({:.1f} to "
      "{:.1f}) where noise limits the run and nothing where it does not{}; `triage race` measures "
      "what it really saves",
      a.gain->value, a.gain->low, a.gain->high, saved(a.gain->value), saved(a.gain->low), saved(a.gain->high),
      a.unbiased ? "" : ", and turned them towards points with large scores, which this does not count");
  return line;
}

bool grows_better(std::string_view metric) {
  return metric.ends_with("accuracy");
}

std::string to_string(run_status status) {
  switch (status) {
  case run_status::finished:
    return "finished";
  case run_status::target_reached:
    return "target_reached";
  case run_status::stopped_improving:
    return "stopped_improving";
  case run_status::interrupted:
    return "interrupted";
  case run_status::starved:
    return "too few workers";
  case run_status::failed:
    return "failed";
  }
  return "unknown";
}

bool ended_by_itself(run_status status) {
  return status == run_status::finished || status == run_status::target_reached ||
         status == run_status::stopped_improving;
}

json_value to_json(const evaluation_figures& f) {
  json_value out;
  out.set("train_loss", json_value(f.train_loss));
  out.set("train_accuracy", optional_number(f.train_accuracy));
  out.set("validation_loss", optional_number(f.validation_loss));
  out.set("validation_accuracy", optional_number(f.validation_accuracy));
  out.set("test_loss", optional_number(f.test_loss));
  out.set("test_accuracy", optional_number(f.test_accuracy));
  out.set("validation_balanced_accuracy", optional_number(f.validation_balanced_accuracy));
  out.set("test_balanced_accuracy", optional_number(f.test_balanced_accuracy));
  json_value::array recall;
  json_value::array points;
  json_value::array correct;
  for (const auto& c : f.test_classes) {
    recall.push_back(optional_number(c.points > 0 ? std::optional(c.recall()) : std::nullopt));
    points.emplace_back(c.points);
    correct.emplace_back(c.correct);
  }
  out.set("test_recall", json_value(std::move(recall)));
  out.set("test_class_points", json_value(std::move(points)));
  out.set("test_class_correct", json_value(std::move(correct)));
  return out;
}

json_value to_json(const prioritization_account& a) {
  json_value out;
  if (!a.prioritized)
    return out;
  out.set("samples_drawn", json_value(a.samples_drawn));
  out.set("samples_prioritized", json_value(a.samples_prioritized));
  out.set("scoring_seconds", json_value(a.scoring_seconds));
  out.set("gain", a.gain ? json_value(a.gain->value) : json_value());
  out.set("gain_low", a.gain ? json_value(a.gain->low) : json_value());
  out.set("gain_high", a.gain ? json_value(a.gain->high) : json_value());
  out.set("unbiased", json_value(a.unbiased));
  out.set("uniform_samples_per_second", a.uniform_speed > 0.0 ? json_value(a.uniform_speed) : json_value());
  out.set("prioritized_samples_per_second",
          a.prioritized_speed > 0.0 ? json_value(a.prioritized_speed) : json_value());
  out.set("sentence", json_value(to_sentence(a)));
  return out;
}

json_value to_json(const run_summary& s) {
  json_value out;
  out.set("status", json_value(to_string(s.status)));
  if (!s.problem.empty())
    out.set("problem", json_value(s.problem));
  out.set("steps", json_value(s.steps));
  out.set("epochs", json_value(s.epochs));
  out.set("samples_trained", json_value(s.samples_trained));
  out.set("samples_scored", json_value(s.samples_scored));
  out.set("train_seconds", json_value(s.train_seconds));
  out.set("samples_per_second", json_value(s.samples_per_second));
  out.set("scoring_share", json_value(s.scoring_share));
  out.set("worker_busy_seconds", json_value(s.worker_busy_seconds));
  out.set("dropped_results", json_value(s.dropped_results));
  json_value::array lost;
  for (const auto& name : s.lost_members)
    lost.emplace_back(name);
  out.set("lost_members", json_value(std::move(lost)));
  const json_value figures = to_json(s.figures.value_or(evaluation_figures{}));
  for (const auto& [name, value] : figures.as_object())
    out.set(name, s.figures ? value : json_value());
  if (s.time_to_target) {
    json_value t;
    t.set("metric", json_value(s.time_to_target->metric));
    t.set("value", json_value(s.time_to_target->value));
    t.set("seconds", json_value(s.time_to_target->seconds));
    t.set("samples", json_value(s.time_to_target->samples));
    out.set("time_to_target", std::move(t));
  } else {
    out.set("time_to_target", json_value());
  }
  json_value best;
  if (s.best) {
    best.set("metric", json_value(s.best->metric));
    best.set("value", json_value(s.best->value));
    best.set("epochs", json_value(s.best->epochs));
    best.set("step", json_value(s.best->step));
  }
  out.set("best", std::move(best));
  out.set("prioritization", to_json(s.prioritization));
  out.set("checkpoint", s.checkpoint.empty() ? json_value() : json_value(s.checkpoint));
  return out;
}

} // namespace triage
