#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace triage {

/// What a subcommand does when it was chosen; returns the exit code.
using command_action = std::function<int()>;

/// Each adds its subcommand to the program and returns what to run when it was given. One file each.
command_action add_train_command(CLI::App& program, const std::vector<std::string>& arguments);
command_action add_resume_command(CLI::App& program, const std::vector<std::string>& arguments);
command_action add_launch_command(CLI::App& program, const std::vector<std::string>& arguments);
command_action add_node_command(CLI::App& program);
command_action add_status_command(CLI::App& program);
command_action add_race_command(CLI::App& program);
command_action add_check_command(CLI::App& program);
command_action add_evaluate_command(CLI::App& program);
command_action add_predict_command(CLI::App& program);
command_action add_export_command(CLI::App& program);
command_action add_inspect_command(CLI::App& program);
command_action add_ledger_command(CLI::App& program);
command_action add_irreducible_command(CLI::App& program);
command_action add_forecast_command(CLI::App& program);
command_action add_bench_command(CLI::App& program);
command_action add_keygen_command(CLI::App& program);
command_action add_reference_command(CLI::App& program);
command_action add_version_command(CLI::App& program);

} // namespace triage
