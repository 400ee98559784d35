#pragma once

#include "actors/net/net_address.hpp"
#include "actors/run_setup.hpp"
#include "core/log.hpp"

#include <optional>
#include <stop_token>
#include <string>

namespace triage {

/// How a process takes part in a run that another one coordinates.
struct node_options {
  net_address coordinator;
  std::string tls_directory; ///< empty: no encryption
  bool insecure = false;     ///< allows no encryption beyond this machine
  std::string name;          ///< in logs and tables; empty: the certificate's, or the machine's address
  std::uint32_t threads = 1; ///< that workers compute on
  /// More than `threads`: while the result of one is on its way, another computes.
  std::uint32_t workers = 1;
  std::uint32_t estimators = 0;
  std::string data_path;       ///< where the data is here; empty: where the description says
  double wait_seconds = 600.0; ///< how long to look for a coordinator before giving up
  logger* log = nullptr;
};

enum class node_outcome { finished, left };

/// Joins, works until the run is over, and comes back after every loss of the connection, with pauses that
/// double up to five seconds. Loads the data that the coordinator describes, from its own path, and refuses
/// to work when it is not the same. `stop`: finish what is out, then leave. Blocks.
/// Errors: configuration and data as for a run; `retry` when no coordinator was found in time.
[[nodiscard]] result<node_outcome> run_node(const node_options& options, std::stop_token stop,
                                            const run_extensions& extensions = {});

} // namespace triage
