#pragma once

#include "actors/net/net_address.hpp"

#include <string>

namespace triage {

/// Where nodes may join a run, and who may.
struct cluster_options {
  net_address address;
  std::string tls_directory; ///< empty: no encryption
  bool insecure = false;     ///< allows no encryption beyond this machine
};

} // namespace triage
