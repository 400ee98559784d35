#include "actors/run_status.hpp"

#include <cmath>
#include <fmt/format.h>

namespace triage {

namespace {

json_value number(double v) {
  return std::isfinite(v) ? json_value(v) : json_value();
}

json_value count(std::uint64_t v) {
  return json_value(static_cast<std::int64_t>(v));
}

json_value to_json(const member_state& m) {
  json_value out;
  out.set("name", json_value(m.name));
  out.set("rounds", count(m.clock));
  out.set("lag", count(m.lag));
  out.set("samples", count(m.samples));
  out.set("samples_per_second", number(m.samples_per_second));
  out.set("busy_share", number(m.busy_share));
  out.set("computing", json_value(m.computing));
  return out;
}

json_value to_json(const remote_node::figures& n) {
  json_value out;
  out.set("name", json_value(n.name));
  out.set("certificate", json_value(n.address));
  out.set("workers", count(n.workers));
  out.set("estimators", count(n.estimators));
  const auto& tensor = n.tensor.value_or(link_figures{});
  out.set("bytes_sent", count(n.control.bytes_sent + tensor.bytes_sent));
  out.set("bytes_received", count(n.control.bytes_received + tensor.bytes_received));
  out.set("round_trip_ms", number(1e3 * n.control.round_trip_seconds));
  out.set("clock_offset_ms", number(1e3 * n.control.clock_offset_seconds));
  // Of the link that is closer to its end.
  const auto left = [](const link_figures& l) { return l.deadline_seconds - l.silent_seconds; };
  const auto& closer = n.tensor && left(tensor) < left(n.control) ? tensor : n.control;
  out.set("silent_seconds", number(closer.silent_seconds));
  out.set("deadline_seconds", number(closer.deadline_seconds));
  return out;
}

json_value to_json(const wait_record& w) {
  json_value out;
  out.set("who", json_value(w.who));
  out.set("what", json_value(w.what));
  out.set("from", json_value(w.from));
  out.set("seconds", number(w.seconds));
  return out;
}

json_value to_json(const shard_holder& h) {
  json_value out;
  out.set("node", json_value(h.node));
  out.set("shards", count(h.shards.size()));
  out.set("waiting", count(h.waiting));
  return out;
}

/// With their numbers, and the share of the priorities that they hold.
json_value to_json(const shard_holder& h, const std::vector<double>& mass) {
  json_value out = to_json(h);
  json_value::array numbers;
  for (const auto shard : h.shards)
    numbers.push_back(count(shard));
  out.set("numbers", json_value(std::move(numbers)));
  double held = 0.0;
  for (const auto shard : h.shards)
    held += shard < mass.size() ? mass[shard] : 0.0;
  out.set("mass", mass.empty() ? json_value() : number(held));
  return out;
}

template <class T>
json_value to_array(const std::vector<T>& items) {
  json_value::array out;
  for (const auto& i : items)
    out.push_back(to_json(i));
  return json_value(std::move(out));
}

std::string text_of(const json_value& object, const char* key) {
  const json_value* v = object.find(key);
  return v != nullptr && v->is_string() ? v->as_string() : std::string("-");
}

double number_of(const json_value& object, const char* key) {
  const json_value* v = object.find(key);
  return v != nullptr && v->is_number() ? v->as_number() : 0.0;
}

const json_value::array& list_of(const json_value& object, const char* key) {
  static const json_value::array none;
  const json_value* v = object.find(key);
  return v != nullptr && v->is_array() ? v->as_array() : none;
}

} // namespace

json_value status_json(const std::string& run_name, const run_state& state, const sampling_status& sampling,
                       const std::vector<remote_node::figures>& nodes) {
  json_value out;
  out.set("run", json_value(run_name));
  out.set("phase", json_value(state.phase));
  out.set("phase_seconds", number(state.phase_seconds));
  out.set("step", count(state.step));
  out.set("epochs", number(state.epochs));
  out.set("total_epochs", state.total_epochs ? number(*state.total_epochs) : json_value());
  out.set("train_seconds", number(state.train_seconds));
  out.set("samples_trained", count(state.samples_trained));
  out.set("samples_per_second",
          number(state.train_seconds > 0.0 ? static_cast<double>(state.samples_trained) / state.train_seconds
                                           : 0.0));
  out.set("dropped_results", count(state.dropped_results));
  const auto& f = sampling.figures;
  json_value priorities;
  priorities.set("staleness_p50", number(f.staleness.median));
  priorities.set("staleness_p99", number(f.staleness.p99));
  priorities.set("effective_sample_share", number(f.effective_sample_share));
  priorities.set("samples_scored", count(sampling.samples_scored));
  out.set("priorities", std::move(priorities));
  out.set("members", to_array(state.members));
  out.set("nodes", to_array(nodes));
  if (!state.holders.empty()) {
    json_value::array holders;
    for (const auto& h : state.holders)
      holders.push_back(to_json(h, sampling.shard_mass));
    out.set("shards", json_value(std::move(holders)));
  }
  json_value::array lost;
  for (const auto& l : state.lost_members)
    lost.emplace_back(l);
  out.set("lost_members", json_value(std::move(lost)));
  auto waits = state.waits;
  waits.insert(waits.end(), sampling.waits.begin(), sampling.waits.end());
  out.set("waits", to_array(waits));
  return out;
}

json_value members_json(const run_state& state, const std::vector<remote_node::figures>& nodes) {
  json_value out;
  out.set("step", count(state.step));
  out.set("train_seconds", number(state.train_seconds));
  out.set("members", to_array(state.members));
  out.set("nodes", to_array(nodes));
  if (!state.holders.empty())
    out.set("shards", to_array(state.holders));
  return out;
}

std::string status_text(const json_value& s) {
  std::string out = fmt::format("run        {}\nphase      {} for {:.1f} s\n", text_of(s, "run"),
                                text_of(s, "phase"), number_of(s, "phase_seconds"));
  const auto* total = s.find("total_epochs");
  const std::string of =
      total != nullptr && total->is_number() ? fmt::format(" of {:.6g}", total->as_number()) : "";
  out += fmt::format("progress   step {:.0f}, epoch {:.2f}{}, {:.0f} samples/s, {:.1f} s\n",
                     number_of(s, "step"), number_of(s, "epochs"), of, number_of(s, "samples_per_second"),
                     number_of(s, "train_seconds"));
  if (const json_value* p = s.find("priorities"))
    out += fmt::format("priorities staleness p50 {:.0f}, p99 {:.0f} versions; effective sample {:.0f} %\n",
                       number_of(*p, "staleness_p50"), number_of(*p, "staleness_p99"),
                       100.0 * number_of(*p, "effective_sample_share"));
  out += fmt::format("\n{:<28} {:>7} {:>5} {:>10} {:>6}\n", "member", "rounds", "lag", "samples/s", "busy");
  for (const auto& m : list_of(s, "members"))
    out += fmt::format("{:<28} {:>7.0f} {:>5.0f} {:>10.0f} {:>5.0f}%\n", text_of(m, "name"),
                       number_of(m, "rounds"), number_of(m, "lag"), number_of(m, "samples_per_second"),
                       100.0 * number_of(m, "busy_share"));
  if (!list_of(s, "nodes").empty())
    out += fmt::format("\n{:<20} {:>7} {:>10} {:>10} {:>8} {:>8} {:>9}\n", "node", "workers", "MB sent",
                       "MB recv", "rtt ms", "silent", "deadline");
  for (const auto& n : list_of(s, "nodes"))
    out += fmt::format("{:<20} {:>7.0f} {:>10.1f} {:>10.1f} {:>8.2f} {:>7.1f}s {:>8.1f}s\n",
                       text_of(n, "name"), number_of(n, "workers"), 1e-6 * number_of(n, "bytes_sent"),
                       1e-6 * number_of(n, "bytes_received"), number_of(n, "round_trip_ms"),
                       number_of(n, "silent_seconds"), number_of(n, "deadline_seconds"));
  if (!list_of(s, "shards").empty())
    out += fmt::format("\n{:<28} {:>7} {:>6} {:>8}\n", "shards of", "shards", "mass", "waiting");
  for (const auto& h : list_of(s, "shards")) {
    const auto node = text_of(h, "node");
    const auto* mass = h.find("mass");
    out += fmt::format(
        "{:<28} {:>7.0f} {:>6} {:>8.0f}\n", node.empty() ? "this process" : node, number_of(h, "shards"),
        mass != nullptr && mass->is_number() ? fmt::format("{:.1f}%", 100.0 * mass->as_number()) : "-",
        number_of(h, "waiting"));
  }
  if (!list_of(s, "waits").empty())
    out += "\nwho waits for what\n";
  for (const auto& w : list_of(s, "waits"))
    out += fmt::format("  {} waits for {} from {}, {:.2f} s so far\n", text_of(w, "who"), text_of(w, "what"),
                       text_of(w, "from"), number_of(w, "seconds"));
  for (const auto& l : list_of(s, "lost_members"))
    out += fmt::format("lost: {}\n", l.is_string() ? l.as_string() : "-");
  return out;
}

} // namespace triage
