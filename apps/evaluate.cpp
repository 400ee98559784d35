#include "actors/model_evaluator.hpp"
#include "apps/commands.hpp"
#include "apps/support.hpp"

#include <cstdio>
#include <memory>

namespace triage {

command_action add_evaluate_command(CLI::App& program) {
  struct options {
    std::string directory;
    std::vector<std::string> overrides;
  };
  auto o = std::make_shared<options>();
  auto* command =
      program.add_subcommand("evaluate", "measure a run's newest checkpoint on its data; prints JSON");
  command->add_option("DIR", o->directory, "the run directory")->required();
  command->add_option("--set", o->overrides, "override, e.g. data.test=other.csv (repeatable)")
      ->allow_extra_args(false);
  return [o] {
    auto run = open_run(o->directory, o->overrides);
    if (!run.ok())
      return complain(run.error());
    model_evaluator evaluator(run->setup);
    std::puts(dump_json(to_json(evaluator.evaluate(run->parameters.view())), 2).c_str());
    return 0;
  };
}

} // namespace triage
