#include "apps/forecast/forecast_rows.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace triage {

namespace {

/// From here on something is as good as full.
constexpr double full = 0.95;
/// A node that adds less than this share of what the first one does is not worth its machine.
constexpr double worth_a_node = 0.5;
constexpr const char* what_helps =
    "fewer messages (local_sgd with more local_steps, larger batches) or smaller ones "
    "(wire_format, compression) help";

double megabits(double bytes_per_second) {
  return bytes_per_second * 8e-6;
}

std::string cable_text(const char* what, double down, double up) {
  if (std::isinf(down) && std::isinf(up))
    return {};
  if (down == up)
    return fmt::format(", {} {:g} Mbit/s", what, megabits(down));
  const auto way = [](double rate) {
    return std::isinf(rate) ? std::string("unbounded") : fmt::format("{:g} Mbit/s", megabits(rate));
  };
  return fmt::format(", {} {} down and {} up", what, way(down), way(up));
}

std::string error_text(const forecast_row& row) {
  return fmt::format(" {:>12.0f} {:>+7.1f} %", *row.measured,
                     100.0 * (row.simulated.samples_per_second / *row.measured - 1.0));
}

} // namespace

forecast_row forecast(const step_profile& profile, const exchange_policy& policy,
                      const cluster_scenario& scenario) {
  const auto samples = static_cast<double>(profile.samples);
  return {.nodes = scenario.nodes,
          .simulated = simulate_cluster(profile, policy, scenario),
          .at_most = samples * overlapped_bound(profile, policy, scenario),
          .queueing_model = samples * coarse_model(profile, policy, scenario).throughput(scenario.nodes)};
}

std::string forecast_heading(const step_profile& profile, const cluster_scenario& scenario) {
  const auto& n = scenario.network;
  std::string out = fmt::format("{}: with one node {:.2f} ms from answer to answer: computing {:.2f}{}, "
                                "merging {:.2f}, passing messages "
                                "{:.2f}\n",
                                profile.name, 1e3 * profile.step_seconds, 1e3 * profile.compute_seconds(),
                                profile.waits ? " (emulated)" : "", 1e3 * profile.merge_seconds(),
                                1e3 * profile.overhead_seconds);
  out += fmt::format("an answer: {} samples, {:.3g} MB up, {:.3g} MB down\n", profile.samples,
                     1e-6 * profile.bytes_up, 1e-6 * profile.bytes_down);
  out += scenario.shared_cores > 0 ? fmt::format("all on one machine of {} cores", scenario.shared_cores)
                                   : std::string("each node on a machine like this one");
  const double down = 1e3 * (n.latency + n.latency_down);
  if (down > 0.0 || n.latency > 0.0)
    out += fmt::format(", {:g} ms to the nodes, {:g} ms back", down, 1e3 * n.latency);
  out += cable_text("the coordinator's network", n.coordinator_down, n.coordinator_up);
  out += cable_text("each node's", n.node_down, n.node_up);
  return out + "\n";
}

std::string forecast_table(const std::vector<forecast_row>& rows) {
  const bool measured = !rows.empty() && rows.front().measured.has_value();
  std::string out =
      fmt::format("{:>6} {:>12} {:>9} {:>9} {:>12}{}   busiest\n", "nodes", "samples/s", "speed-up",
                  "of ideal", "at most", measured ? fmt::format(" {:>12} {:>9}", "measured", "error") : "");
  if (rows.empty())
    return out;
  const double one = rows.front().simulated.samples_per_second / static_cast<double>(rows.front().nodes);
  for (const auto& r : rows) {
    const double speed = r.simulated.samples_per_second;
    const auto& busiest = r.simulated.busy.front();
    out += fmt::format("{:>6} {:>12.0f} {:>9.2f} {:>8.0f} % {:>12.0f}{}   {} ({:.0f} %)\n", r.nodes, speed,
                       speed / one, 100.0 * speed / one / static_cast<double>(r.nodes), r.at_most,
                       r.measured ? error_text(r) : std::string(), busiest.name, 100.0 * busiest.share);
  }
  return out;
}

double speed_in_one_process(const step_profile& profile) {
  return static_cast<double>(profile.samples) / (profile.compute_seconds() + profile.merge_seconds());
}

std::string forecast_advice(const step_profile& profile, const std::vector<forecast_row>& rows) {
  const double here = speed_in_one_process(profile);
  const bool pays = std::any_of(rows.begin(), rows.end(),
                                [&](const auto& r) { return r.simulated.samples_per_second > here; });
  if (!pays)
    return fmt::format(
        "none of these is faster than one worker in the coordinator's process, without a network: "
        "about {:.0f} samples/s; {}\n",
        here, what_helps);
  if (rows.size() < 2)
    return {};
  const double one = rows.front().simulated.samples_per_second / static_cast<double>(rows.front().nodes);
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const auto& before = rows[i - 1];
    const auto& row = rows[i];
    const double added = (row.simulated.samples_per_second - before.simulated.samples_per_second) /
                         static_cast<double>(row.nodes - before.nodes);
    if (added >= worth_a_node * one)
      continue;
    const auto& busiest = row.simulated.busy.front();
    return fmt::format("beyond {} node(s) each further one adds {:.0f} % of what the first one does{}; {}\n",
                       before.nodes, 100.0 * std::max(added, 0.0) / one,
                       busiest.share >= full ? fmt::format(": {} is full", busiest.name) : std::string(),
                       what_helps);
  }
  return fmt::format("up to {} nodes each one adds at least half of what the first one does\n",
                     rows.back().nodes);
}

json_value forecast_json(const step_profile& profile, const cluster_scenario& scenario,
                         const std::vector<forecast_row>& rows) {
  json_value out;
  out.set("name", profile.name);
  out.set("exchange", profile.exchange);
  out.set("step_seconds", profile.step_seconds);
  out.set("compute_seconds", profile.compute_seconds());
  out.set("merge_seconds", profile.merge_seconds());
  out.set("overhead_seconds", profile.overhead_seconds);
  out.set("samples_per_second_in_one_process", speed_in_one_process(profile));
  out.set("bytes_up", profile.bytes_up);
  out.set("bytes_down", profile.bytes_down);
  out.set("shared_cores", static_cast<std::int64_t>(scenario.shared_cores));
  json_value::array list;
  for (const auto& r : rows) {
    json_value row;
    row.set("nodes", static_cast<std::int64_t>(r.nodes));
    row.set("samples_per_second", r.simulated.samples_per_second);
    row.set("at_most", r.at_most);
    row.set("queueing_model", r.queueing_model);
    if (r.measured)
      row.set("measured", *r.measured);
    json_value busy;
    for (const auto& b : r.simulated.busy)
      busy.set(b.name, b.share);
    row.set("busy", busy);
    list.push_back(std::move(row));
  }
  out.set("forecasts", std::move(list));
  return out;
}

} // namespace triage
