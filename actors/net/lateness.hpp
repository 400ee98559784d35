#pragma once

#include <algorithm>

namespace triage {

/// How often a node took too long, and until when it is kept out for that: the first time costs nothing, the
/// second 10 s, each further one twice as long, 10 minutes at most. Several of its members at one moment are
/// one time; a quarter of an hour without is forgiven.
class lateness {
public:
  /// It was too late; returns for how many seconds more it is kept out.
  double again(double now) {
    if (times_ > 0 && now - last_ < one_moment)
      return 0.0;
    if (times_ > 0 && now - last_ > forgiven_after)
      times_ = 0;
    last_ = now;
    const double pause =
        times_ == 0
            ? 0.0
            : std::min(shortest_pause * static_cast<double>(1 << std::min(times_ - 1, 10)), longest_pause);
    ++times_;
    until_ = now + pause;
    return pause;
  }
  [[nodiscard]] int times() const { return times_; }
  [[nodiscard]] double seconds_left(double now) const { return std::max(until_ - now, 0.0); }

private:
  static constexpr double one_moment = 5.0;
  static constexpr double shortest_pause = 10.0;
  static constexpr double longest_pause = 600.0;
  static constexpr double forgiven_after = 900.0;
  int times_ = 0;
  double last_ = 0.0;
  double until_ = 0.0;
};

} // namespace triage
