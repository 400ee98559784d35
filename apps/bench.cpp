#include "apps/bench/suites.hpp"
#include "apps/commands.hpp"
#include "apps/support.hpp"
#include "core/files.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <memory>

namespace triage {

namespace {

struct bench_request {
  std::vector<std::string> suites;
  std::string json_file;
  bench_options options;
};

int run_benchmarks(const bench_request& request) {
  bench_report report;
  for (const auto& s : bench_suites) {
    const bool wanted = request.suites.empty() || std::find(request.suites.begin(), request.suites.end(),
                                                            s.name) != request.suites.end();
    if (!wanted)
      continue;
    report.begin_suite(std::string(s.name));
    s.run(request.options, report);
  }
  if (request.json_file.empty())
    return 0;
  const auto written = write_file_atomic(request.json_file, dump_json(report.to_json(), 2) + "\n");
  return written.ok() ? 0 : complain(written.error());
}

} // namespace

command_action add_bench_command(CLI::App& program) {
  auto request = std::make_shared<bench_request>();
  std::string summary = "measure speed on this machine; suites:";
  std::vector<std::string> names;
  for (const auto& s : bench_suites) {
    summary += fmt::format("\n  {:<10} {}", s.name, s.summary);
    names.emplace_back(s.name);
  }
  auto* command = program.add_subcommand("bench", summary);
  command->add_option("suites", request->suites, "which suites; default: all")->check(CLI::IsMember(names));
  command->add_option("--json", request->json_file, "write every measurement to this file");
  command
      ->add_option(
          "--only", request->options.only,
          "MODEL:BATCH of mlp:64, mlp:256, cnn:64, resnet8:64 in the suites kernels, train and score")
      ->check(CLI::IsMember({"mlp:64", "mlp:256", "cnn:64", "resnet8:64"}));
  command
      ->add_option("--precision", request->options.precision,
                   "arithmetic of training, in the suite train: f32 or bf16")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  command->add_option("--rounds", request->options.rounds, "measurements of each contender, in turns")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command
      ->add_option("--seconds", request->options.seconds,
                   "length of one measurement; whole runs last ten times as long, 5 at most")
      ->check(CLI::Range(0.001, 60.0))
      ->capture_default_str();
  return [request] { return run_benchmarks(*request); };
}

} // namespace triage
