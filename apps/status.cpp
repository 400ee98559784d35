#include "actors/net/status_client.hpp"
#include "actors/run_status.hpp"
#include "apps/commands.hpp"
#include "apps/support.hpp"
#include "apps/train_flags.hpp"

#include <cstdio>
#include <memory>

namespace triage {

command_action add_status_command(CLI::App& program) {
  struct options {
    std::string address;
    std::string tls;
    bool json = false;
    bool insecure = false;
  };
  auto o = std::make_shared<options>();
  auto* command =
      program.add_subcommand("status", "where a run stands that listens for nodes, and who waits for whom");
  command->add_option("HOST:PORT", o->address, "of the coordinator")->required();
  command->add_flag("--json", o->json, "as JSON");
  add_security_flags(*command, o->tls, o->insecure);
  return [o] {
    auto address = parse_address(o->address, "HOST:PORT");
    if (!address.ok())
      return complain(address.error());
    const auto answer = ask_status(*address, o->tls);
    if (!answer.ok())
      return complain(answer.error());
    auto status = parse_json(*answer, "the coordinator's answer");
    if (!status.ok())
      return complain(status.error());
    if (const auto* problem = status->find("problem"); problem != nullptr && problem->is_string())
      return complain(error{error_kind::retry, to_string(*address) + ": " + problem->as_string()});
    std::fputs(o->json ? (*answer + "\n").c_str() : status_text(*status).c_str(), stdout);
    return 0;
  };
}

} // namespace triage
