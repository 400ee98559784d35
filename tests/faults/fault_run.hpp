#pragma once

#include "../actors/run_support.hpp"
#include "../system/process.hpp"
#include "core/json.hpp"
#include "fault_plan.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <optional>

namespace triage::test {

/// A run that faults are injected into: Fashion-MNIST, a quarter of it, a small network and plain SGD, so
/// that the test accuracy hardly depends on how many workers there are (under ssp every batch is a step of
/// its own; under bsp the membership is kept constant, or nearly so). The points are a multiple of the batch,
/// so that every batch is full and steps can be counted.
struct scenario {
  std::string policy = "ssp";
  int staleness = 3;
  int local_steps = 1;     ///< batches of a worker in a round, under policies of local steps
  std::string compression; ///< both ways; empty: none
  std::vector<std::string> workers = {"a", "b"};
  std::vector<std::string> estimators;
  int shards = 0; ///< each of which one node holds; 0: every node trains any point
  int min_workers = 1;
  double wait_seconds = 120.0;
  std::string sampling = "uniform";
  int epochs = 4;
  double subset = 0.256;                    ///< of 60 000 points
  std::optional<double> accuracy_off = 0.5; ///< largest difference to the undisturbed run, in points
  int batch_size = 16;
  bool tls = false; ///< certificates on both sides
  std::vector<std::string> more;

  [[nodiscard]] std::size_t points() const { return static_cast<std::size_t>(60000.0 * subset + 0.5); }
  [[nodiscard]] std::vector<std::string> overrides() const;
};

/// Coordinator and nodes as processes of their own, all killed when it goes out of scope.
class fault_run {
public:
  explicit fault_run(scenario s);

  /// The coordinator listens, the nodes have joined.
  void begin();
  void start_coordinator();
  /// Continues after the coordinator is gone, at the same address.
  void resume_coordinator(const std::vector<std::string>& more = {});
  /// `port` other than 0: through a proxy there.
  void start_node(const std::string& name, const std::string& role = "worker", std::uint16_t port = 0);
  void via(const std::string& node, std::uint16_t port) { ports_[node] = port; }
  void signal_node(const std::string& name, int number) { nodes_.at(name)->signal(number); }
  /// Forgets it; kills what is left.
  void drop_node(const std::string& name) { nodes_.erase(name); }
  [[nodiscard]] bool node_running(const std::string& name) { return nodes_.at(name)->running(); }
  /// -1: it did not end in time.
  int end_of_node(const std::string& name, double seconds);

  [[nodiscard]] process& coordinator() { return *coordinator_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// The answer to a status query; nothing when nobody answers.
  [[nodiscard]] std::optional<json_value> status() const;
  /// Names of the members that train now.
  [[nodiscard]] std::vector<std::string> members() const;
  /// Seconds until all of them train; -1: not in time.
  double wait_for_members(const std::vector<std::string>& names, double seconds) const;
  /// Until an estimator has measured something; false: not in time.
  [[nodiscard]] bool wait_for_scores(double seconds) const;
  /// Until that part of the run's epochs is trained; false: the run ended or hung before.
  [[nodiscard]] bool wait_until(double fraction, double seconds = 120.0) const;
  /// Seconds until the log holds the text `count` times, -1: not in time.
  double wait_for_log(const std::string& text, std::size_t count, double seconds) const;
  [[nodiscard]] std::size_t in_log(const std::string& text) const;
  [[nodiscard]] std::string log() const { return file_text(directory() + "/log.txt"); }
  /// -1: a hang.
  int end_of_coordinator(double seconds);

  [[nodiscard]] std::string directory() const { return folder_.path("run"); }
  [[nodiscard]] json_value summary() const;
  [[nodiscard]] const scenario& what() const { return scenario_; }
  void set_epochs(int epochs) { scenario_.epochs = epochs; }

private:
  scenario scenario_;
  temporary_folder folder_;
  std::uint16_t port_ = 0;
  std::map<std::string, std::uint16_t> ports_;
  std::unique_ptr<process> coordinator_;
  std::map<std::string, std::unique_ptr<process>> nodes_;
  int started_ = 0;
  /// The arguments of somebody who has that certificate; none without certificates.
  [[nodiscard]] std::vector<std::string> credentials(const std::string& name);
};

/// Every point was trained exactly so often: nothing was lost, nothing applied twice. Adds to the tally.
void check_visits(const fault_run& run, int epochs, fault_tally& tally);
/// Ends with exit code 0 within three minutes, with everything accounted for, and with the accuracy of the
/// undisturbed run, which is measured here unless it is given.
void check_finished(fault_run& run, fault_tally& tally, std::optional<double> undisturbed = {});
/// The accuracies that the same description reaches undisturbed, in one process: measured once.
[[nodiscard]] double undisturbed_accuracy(const scenario& s);

/// Adds to the tally, and checks against twice the promise: the machine is shared.
void check_detected(double seconds, double promised, fault_tally& tally);

constexpr double killed_seconds = 2.0; ///< a process that is gone is noticed within
constexpr double silent_seconds = 5.0; ///< a silent one: four heartbeats, more when none was measured yet
constexpr double rejoin_seconds = 10.0;

inline void pause_for(double seconds) {
  usleep(static_cast<useconds_t>(1e6 * seconds));
}

} // namespace triage::test
