#pragma once

#include "apps/processes/child_process.hpp"

#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace triage {

/// A node to start, and what to call it.
struct node_start {
  std::string name;
  child_description process;
};

/// The node processes of a launch. While the run goes on it says on stderr which of them ends, and with which
/// code: a node that could not start is never seen by the coordinator, which would only wait for it.
class launched_nodes {
public:
  /// Starts them all and begins to watch. Once. Those that cannot be started are named.
  void start(const std::vector<node_start>& plan);
  /// Requested when all of them have failed: nobody is left to wait for.
  [[nodiscard]] std::stop_token all_failed() const { return all_failed_.get_token(); }
  /// After the run: gives those that are left `seconds` to end, says what ends badly, and kills the rest.
  /// `dismiss`: they are told to end, since they would wait for the run to be resumed.
  void end(bool dismiss, double seconds);

private:
  struct node {
    std::string name;
    child_process process;
    std::optional<int> code{}; ///< that it ended with
  };
  void watch(const std::stop_token& stop);
  void take_ends();

  std::mutex mutex_;
  std::vector<node> nodes_;
  bool over_ = false; ///< the run is: ends are what is expected
  std::stop_source all_failed_;
  std::jthread watcher_; ///< last: it uses the others
};

} // namespace triage
