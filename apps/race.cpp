#include "apps/race/race.hpp"
#include "actors/run_directory.hpp"
#include "apps/commands.hpp"
#include "apps/race/machine.hpp"
#include "apps/race/report.hpp"
#include "apps/signals.hpp"
#include "apps/support.hpp"

#include <array>
#include <cstdio>
#include <ctime>
#include <fmt/format.h>
#include <memory>

namespace triage {

namespace {

struct race_request {
  std::string file;
  std::string directory;
  std::vector<std::string> overrides;
};

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

int race(const race_request& request) {
  const signal_watch signals("stopping the runs; the same command goes on with the race");
  const auto spec = load_race_spec(request.file, request.overrides);
  if (!spec.ok())
    return complain(spec.error());
  const std::string directory = request.directory.empty() ? "races/" + spec->name : request.directory;
  const race_circumstances before{machine_description(), build_description(), ""}; // the load before the runs
  const auto outcome = conduct_race(*spec, directory, signals.token());
  if (!outcome.ok())
    return complain(outcome.error());
  if (!*outcome)
    return 128 + signals.received();
  auto around = before;
  around.finished = utc_now();
  if (auto written = write_reports(**outcome, around, directory); !written.ok())
    return complain(written.error());
  fmt::print("{}\n{}/race.html, race.json, race.csv, curves.csv\n", report_text(**outcome), directory);
  return (*outcome)->failed_runs() == 0 ? 0 : 1;
}

} // namespace

command_action add_race_command(CLI::App& program) {
  auto request = std::make_shared<race_request>();
  auto* command = program.add_subcommand("race", "compare training recipes with tuning, seeds and intervals");
  command->add_option("SPEC.json", request->file, "what is compared and how; see docs/race.md")->required();
  command->add_option("--dir", request->directory,
                      "directory of the race (default: races/<name>); a race that was interrupted goes on");
  command
      ->add_option("--set", request->overrides,
                   "override in the specification: path=value, value as JSON, e.g. seeds=[1,2,3], "
                   "base.duration.epochs=2 or arms.0.name=plain (repeatable)")
      ->allow_extra_args(false);
  return [request] { return race(*request); };
}

} // namespace triage
