#include "apps/program.hpp"

#include "actors/compute_thread.hpp"
#include "apps/commands.hpp"
#include "apps/support.hpp"
#include "core/registry.hpp"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>

namespace triage {

namespace {

constexpr int usage_error = 2;

int run_chosen_command(const std::vector<std::string>& arguments) {
  CLI::App program("triage: trains neural networks on the data points that matter most first");
  program.require_subcommand(1);
  program.fallthrough(false);
  using entry = std::pair<CLI::App*, command_action>;
  std::vector<entry> commands;
  const auto add = [&](command_action action) {
    commands.emplace_back(program.get_subcommands([](CLI::App*) { return true; }).back(), std::move(action));
  };
  add(add_train_command(program, arguments));
  add(add_resume_command(program, arguments));
  add(add_launch_command(program, arguments));
  add(add_node_command(program));
  add(add_status_command(program));
  add(add_race_command(program));
  add(add_check_command(program));
  add(add_evaluate_command(program));
  add(add_predict_command(program));
  add(add_export_command(program));
  add(add_inspect_command(program));
  add(add_ledger_command(program));
  add(add_irreducible_command(program));
  add(add_forecast_command(program));
  add(add_bench_command(program));
  add(add_keygen_command(program));
  add(add_reference_command(program));
  add(add_version_command(program));
  if (arguments.size() > 1 && !arguments[1].starts_with('-')) {
    std::vector<std::string> names;
    for (const auto& [command, action] : commands)
      names.push_back(command->get_name());
    if (std::find(names.begin(), names.end(), arguments[1]) == names.end())
      return complain(unknown_name_error("command", arguments[1],
                                         std::vector<std::string_view>(names.begin(), names.end())));
  }
  std::vector<const char*> words;
  for (const auto& a : arguments)
    words.push_back(a.c_str());
  try {
    program.parse(static_cast<int>(words.size()), words.data());
  } catch (const CLI::ParseError& e) {
    const int code = program.exit(e); // prints help to stdout, errors to stderr
    return code == 0 ? 0 : usage_error;
  }
  for (const auto& [command, action] : commands)
    if (command->parsed())
      return action();
  return usage_error;
}

} // namespace

int run_program(const std::vector<std::string>& arguments) {
  int code = 1;
  const auto problem = guarded([&] { code = run_chosen_command(arguments); });
  if (problem.empty())
    return code;
  std::fprintf(stderr, "triage: %s\n", problem.c_str());
  return 1;
}

} // namespace triage
