#pragma once

#include "actors/net/cluster_options.hpp"
#include "core/result.hpp"

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

namespace triage {

/// Options that `train` and `resume` share.
struct train_flags {
  std::vector<std::string> overrides;
  std::string trace;
  bool quiet = false;
  std::string listen;
  std::string tls;
  bool insecure = false;
  std::optional<double> wait_seconds;
  std::optional<std::int64_t> min_workers;

  void add_to(CLI::App& command);
  /// --set, and what other options are short for.
  [[nodiscard]] std::vector<std::string> all_overrides() const;
  /// Nothing when nodes shall not join.
  [[nodiscard]] result<std::optional<cluster_options>> cluster() const;
};

/// --tls and --insecure, with one description everywhere.
void add_security_flags(CLI::App& command, std::string& tls, bool& insecure);

} // namespace triage
