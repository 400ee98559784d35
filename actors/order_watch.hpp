#pragma once

#include "core/adaptive_deadline.hpp"

#include <algorithm>
#include <chrono>

namespace triage {

/// How often whoever has given orders looks at them, and by how many seconds a look may be late before this
/// process itself stood still.
inline constexpr std::chrono::milliseconds watch_interval{250};
inline constexpr double longest_hiccup = 1.0;

/// What is usual for the answers to orders (batches, points to measure), and from when on one counts as late
/// and as given up. One thread.
class order_watch {
public:
  void answered_after(double seconds) { deadline_.add(seconds); }
  /// Nothing came in time. Where nothing has ever come, the time may have been too short for the work or the
  /// network: the next one gets twice as long, or the run would give up for ever.
  void gave_up() { deadline_.extend(); }

  [[nodiscard]] bool known() const { return deadline_.measured(); }
  [[nodiscard]] double usual_seconds() const { return deadline_.median(); }
  [[nodiscard]] bool is_late(double seconds) const {
    return known() && seconds > std::max(shortest_lateness, medians_until_late * usual_seconds());
  }
  [[nodiscard]] bool is_over(double seconds) const { return seconds > deadline_.seconds(); }

private:
  static constexpr double medians_until_late = 5.0;
  static constexpr double shortest_lateness = 2.0;
  adaptive_deadline deadline_{{.shortest = 10.0, .longest = 3600.0, .medians = 20.0, .unmeasured = 6.0}};
};

} // namespace triage
