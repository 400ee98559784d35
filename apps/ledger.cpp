#include "apps/ledger/report.hpp"

#include "apps/commands.hpp"
#include "apps/support.hpp"
#include "core/files.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <memory>

namespace triage {

namespace {

struct ledger_options {
  std::string directory;
  std::vector<std::string> overrides;
  std::string output;
  std::size_t top = 200;
};

int write_ledger(const ledger_options& o) {
  auto run = open_run(o.directory, o.overrides);
  if (!run.ok())
    return complain(run.error());
  if (auto same = check_data(*run); !same.ok()) // else losses would meet the labels of other points
    return complain(same.error());
  const run_setup& setup = *run->setup;
  const std::size_t points = setup.data.train.size;
  auto ledger = read_ledger(run->checkpoint.state, points);
  if (!ledger.ok())
    return complain(with_context(ledger.error(), o.directory));
  // The suspects file names the most doubtful tenth, or as many as the page shows where those are more.
  const auto account =
      make_account(setup, *ledger, run->parameters.view(), std::max(o.top, (points + 9) / 10));
  std::vector<float> priorities;
  if (setup.point_score)
    if (auto values = run->checkpoint.state.get<float>("sampler/source/priorities/values"); values.ok())
      priorities = values.take();
  const std::string folder = o.output.empty() ? o.directory : o.output;
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored); // a failure shows when the first file is written
  const std::vector<std::pair<std::string, std::string>> files = {
      {folder + "/ledger.csv", ledger_csv(setup.data, *ledger, account, priorities)},
      {folder + "/suspects.csv", suspects_csv(setup.data, *ledger, account)},
      {folder + "/ledger.html", ledger_html(setup, *ledger, account, o.top)}};
  for (const auto& [path, text] : files)
    if (auto written = write_file_atomic(path, text); !written.ok())
      return complain(written.error());

  std::vector<std::uint32_t> visits;
  for (std::size_t i = 0; i < points; ++i)
    visits.push_back(ledger->times_trained(i));
  std::sort(visits.begin(), visits.end());
  fmt::print("{} points, trained {} to {} times (median {}), {} never{}\n", points, visits.front(),
             visits.back(), visits[points / 2], account.never_trained.size(),
             setup.data.train.is_classification()
                 ? fmt::format("; {} trained and never learned", account.never_learned.size())
                 : "");
  for (const auto& [path, text] : files)
    fmt::print("{}\n", path);
  return 0;
}

} // namespace

command_action add_ledger_command(CLI::App& program) {
  auto o = std::make_shared<ledger_options>();
  auto* command = program.add_subcommand(
      "ledger", "what a run has learned about each point: visits, losses, likely wrong labels");
  command->add_option("DIR", o->directory, "the run directory")->required();
  command->add_option("--output-dir", o->output, "where the files go (default: DIR)");
  command->add_option("--top", o->top, "suspects shown on the page")->check(CLI::Range(0, 1'000'000));
  command->add_option("--set", o->overrides, "override, e.g. data.path=DIR (repeatable)")
      ->allow_extra_args(false);
  return [o] { return write_ledger(*o); };
}

} // namespace triage
