#include "actors/run_setup.hpp"
#include "actors/trace.hpp"
#include "apps/commands.hpp"
#include "apps/forecast/forecast_rows.hpp"
#include "apps/forecast/measure_profile.hpp"
#include "apps/processes/child_process.hpp"
#include "apps/processes/node_run.hpp"
#include "apps/support.hpp"
#include "core/files.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fmt/format.h>
#include <memory>
#include <stdexcept>

namespace triage {

namespace {

constexpr double assumed_mbps = 10000.0;
constexpr double assumed_latency_ms = 0.1;

struct forecast_request {
  std::string file;
  std::vector<std::string> overrides;
  std::vector<std::size_t> nodes = {1, 2, 4, 8, 16};
  std::optional<double> bandwidth_mbps;
  std::optional<double> node_bandwidth_mbps;
  std::optional<double> latency_ms;
  bool local = false;
  bool measure = false;
  double seconds = 5.0;
  std::string profile;
  std::string save_profile;
  std::string trace;
  std::uint64_t seed = 1;
  bool json = false;
};

double bytes_per_second(double mbps) {
  return mbps * 1e6 / 8.0;
}

/// The network that was asked for; without a word a usual one, which the heading names.
forecast_network asked_network(const forecast_request& r) {
  forecast_network out;
  out.latency = 1e-3 * r.latency_ms.value_or(assumed_latency_ms);
  out.coordinator_down = out.coordinator_up = bytes_per_second(r.bandwidth_mbps.value_or(assumed_mbps));
  out.node_down = out.node_up =
      r.node_bandwidth_mbps ? bytes_per_second(*r.node_bandwidth_mbps) : out.coordinator_down;
  return out;
}

/// `setup` is null where a saved profile is used.
cluster_scenario make_scenario(const forecast_request& r, const run_setup* setup) {
  cluster_scenario out;
  out.seed = r.seed;
  if (!r.local && !r.measure) {
    out.network = asked_network(r);
    return out;
  }
  out.shared_cores = available_cores().size();
  if (setup != nullptr)
    out.network = emulated_network_of(*setup);
  return out;
}

result<double> measure_nodes(const forecast_request& r, const json_value& description, std::size_t nodes) {
  const auto setup = forecast_setup(description, r.file, static_cast<int>(nodes), r.seconds);
  if (!setup.ok())
    return setup.error();
  try {
    return run_with_nodes(*setup, static_cast<int>(nodes)).samples_per_second;
  } catch (const std::runtime_error& e) {
    return run_error(fmt::format("the run with {} nodes failed: {}", nodes, e.what()));
  }
}

result<void> write_trace(const std::string& path, const cluster_forecast& forecast, std::size_t nodes) {
  std::vector<trace_lane> lanes(nodes + 1);
  lanes[0].name = "coordinator";
  for (std::size_t i = 1; i <= nodes; ++i)
    lanes[i].name = fmt::format("node {}", i);
  for (const auto& s : forecast.spans)
    record(lanes[s.lane], {s.name, s.begin, s.end, s.version, 0});
  return write_chrome_trace(path, lanes);
}

/// CLI11's own says it in 309 digits.
CLI::Validator above_zero() {
  return {[](std::string& text) -> std::string {
            double value = 0.0;
            const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
            const bool number = problem == std::errc() && end == text.data() + text.size();
            return number && value > 0.0 && std::isfinite(value) ? "" : text + " must be a number above 0";
          },
          "ABOVE 0"};
}

/// What the options cannot mean together.
result<void> check_request(const forecast_request& r) {
  if (r.file.empty() == r.profile.empty())
    return configuration_error(
        "RUN.json is required, which is then profiled, or --profile FILE of an earlier forecast; not both");
  if (r.file.empty() && !r.overrides.empty())
    return configuration_error("--set changes a description: give RUN.json instead of --profile");
  if (r.measure && r.file.empty())
    return configuration_error("--measure runs the description: give RUN.json instead of --profile");
  if ((r.measure || r.local) && (r.bandwidth_mbps || r.node_bandwidth_mbps || r.latency_ms))
    return configuration_error(
        "with --measure and --local the network is this machine's own, or the one that "
        "the description emulates under \"network\"; leave out --bandwidth-mbps, "
        "--node-bandwidth-mbps and --latency-ms");
  for (const auto& file : {r.save_profile, r.trace}) // before the seconds that they cost are spent
    if (!file.empty())
      if (auto writable = check_writable(file); !writable.ok())
        return writable;
  return {};
}

result<step_profile> obtain_profile(const forecast_request& r, const json_value& description,
                                    const std::shared_ptr<const run_setup>& setup) {
  auto profile = setup ? measure_profile(description, setup) : read_step_profile(r.profile);
  if (profile.ok() && !r.save_profile.empty())
    if (auto written = write_file_atomic(r.save_profile, to_json_lines(*profile)); !written.ok())
      return written.error();
  return profile;
}

result<void> run_forecast(const forecast_request& r) {
  if (auto checked = check_request(r); !checked.ok())
    return checked.error();
  json_value description;
  std::shared_ptr<const run_setup> setup;
  if (!r.file.empty()) {
    auto read = read_description(r.file, r.overrides);
    if (!read.ok())
      return read.error();
    description = read.take();
    auto prepared = forecast_setup(description, r.file, 1, r.seconds);
    if (!prepared.ok())
      return prepared.error();
    setup = prepared.take();
  }
  cluster_scenario scenario = make_scenario(r, setup.get());
  const auto profile = obtain_profile(r, description, setup);
  if (!profile.ok())
    return profile.error();
  const auto policy =
      make_exchange(profile->exchange, {r.file.empty() ? r.profile : r.file, "/runtime/exchange"});
  if (!policy.ok())
    return policy.error();
  if (!r.json)
    fmt::print("{}", forecast_heading(*profile, scenario));
  std::vector<forecast_row> rows;
  for (const auto n : r.nodes) {
    scenario.nodes = n;
    scenario.traced = !r.trace.empty() && n == r.nodes.back();
    rows.push_back(forecast(*profile, **policy, scenario));
    if (r.measure) {
      auto measured = measure_nodes(r, description, n);
      if (!measured.ok())
        return measured.error();
      rows.back().measured = *measured;
    }
  }
  if (!r.trace.empty())
    if (auto written = write_trace(r.trace, rows.back().simulated, r.nodes.back()); !written.ok())
      return written.error();
  if (r.json)
    fmt::print("{}\n", dump_json(forecast_json(*profile, scenario, rows), 2));
  else
    fmt::print("{}{}", forecast_table(rows), forecast_advice(*profile, rows));
  return {};
}

} // namespace

command_action add_forecast_command(CLI::App& program) {
  auto r = std::make_shared<forecast_request>();
  auto* command = program.add_subcommand(
      "forecast", "how fast a run would be on more nodes, from a profile of one; see docs/forecast.md");
  command->add_option("RUN.json", r->file, "the run description, which is profiled for some seconds");
  command->add_option("--set", r->overrides, "override: path=value (repeatable)")->allow_extra_args(false);
  command->add_option("--nodes", r->nodes, "numbers of nodes, of one worker each (default: 1 2 4 8 16)")
      ->check(CLI::Range(1, 1024));
  command
      ->add_option("--bandwidth-mbps", r->bandwidth_mbps,
                   "of the coordinator's network, each way, shared by all nodes (default: 10000)")
      ->check(above_zero());
  command
      ->add_option("--node-bandwidth-mbps", r->node_bandwidth_mbps,
                   "of each node's network (default: as the coordinator's)")
      ->check(above_zero());
  command->add_option("--latency-ms", r->latency_ms, "of the network, one way (default: 0.1)")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--local", r->local, "all nodes are processes of this machine and share its cores");
  command->add_flag("--measure", r->measure,
                    "run every number of nodes here as well, as --local would, and say how far off it was");
  command
      ->add_option("--seconds", r->seconds, "of the profiled run, and of each that is measured (default: 5)")
      ->check(CLI::Range(0.5, 3600.0));
  command->add_option("--profile", r->profile, "a saved profile instead of RUN.json");
  command->add_option("--save-profile", r->save_profile, "where to keep the profile");
  command->add_option("--trace", r->trace, "Chrome trace of the forecast for the last number of nodes");
  command->add_option("--seed", r->seed, "of the simulation");
  command->add_flag("--json", r->json, "as JSON");
  return [r] {
    std::sort(r->nodes.begin(), r->nodes.end());
    const auto done = run_forecast(*r);
    return done.ok() ? 0 : complain(done.error());
  };
}

} // namespace triage
