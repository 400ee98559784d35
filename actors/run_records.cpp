#include "actors/run_records.hpp"

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
  return std::nullopt;
}

std::string to_string(run_status status) {
  switch (status) {
  case run_status::finished:
    return "finished";
  case run_status::target_reached:
    return "target_reached";
  case run_status::interrupted:
    return "interrupted";
  case run_status::failed:
    return "failed";
  }
  return "unknown";
}

json_value to_json(const evaluation_figures& f) {
  json_value out;
  out.set("train_loss", json_value(f.train_loss));
  out.set("train_accuracy", optional_number(f.train_accuracy));
  out.set("validation_loss", optional_number(f.validation_loss));
  out.set("validation_accuracy", optional_number(f.validation_accuracy));
  out.set("test_loss", optional_number(f.test_loss));
  out.set("test_accuracy", optional_number(f.test_accuracy));
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
  out.set("checkpoint", s.checkpoint.empty() ? json_value() : json_value(s.checkpoint));
  return out;
}

} // namespace triage
