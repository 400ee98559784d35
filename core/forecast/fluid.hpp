#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace triage {

/// Who goes first where something is full.
enum class urgency : std::uint8_t { normal, background };

/// A simulated clock, and activities that share resources: cables, the cores of a machine. At every moment
/// the rates are max-min fair (Bertsekas and Gallager, Data Networks, 6.5.2): all grow together until
/// something that an activity uses is full, or its own bound is reached. Time is in seconds, amounts are in
/// whatever a resource carries. Calls made from a callback may start more. One thread.
class fluid_simulation {
public:
  using call = std::function<void()>;

  /// Units per second. Infinity: it is never full, and only measured.
  std::size_t add_resource(double capacity);
  /// `done` is called when `amount` units have passed through all of the resources, each of which carries
  /// them at the activity's rate, at most `fastest`. Without resources and bound it is done at once.
  /// In the background: with what all others leave.
  void start(double amount, double fastest, std::vector<std::size_t> uses, call done,
             urgency when = urgency::normal);
  void after(double seconds, call then);

  /// Moves to the next event and calls what waits for it; false: there is none.
  bool advance();
  [[nodiscard]] double now() const { return now_; }
  /// Units that the resource has carried.
  [[nodiscard]] double carried(std::size_t resource) const { return resources_[resource].carried; }
  [[nodiscard]] double capacity(std::size_t resource) const { return resources_[resource].capacity; }

private:
  struct shared_resource {
    double capacity = 0.0;
    double carried = 0.0;
    // While rates are being shared out:
    double left = 0.0;
    std::size_t takers = 0;
  };
  struct activity {
    double left = 0.0;
    double fastest = 0.0;
    double rate = 0.0;
    urgency when = urgency::normal;
    bool settled = false; ///< its rate is final
    std::vector<std::size_t> uses;
    call done;
  };
  struct event {
    double at = 0.0;
    std::size_t number = 0; ///< events of one moment keep the order in which they were made
    call then;
    /// For a heap with the next event on top.
    bool operator<(const event& other) const {
      return at != other.at ? at > other.at : number > other.number;
    }
  };

  void share_out();
  void share_out_among(urgency when);
  void settle(activity& a, double rate);
  void pass(double seconds);

  double now_ = 0.0;
  std::size_t events_made_ = 0;
  bool changed_ = false; ///< activities have come or gone since rates were shared out
  std::vector<shared_resource> resources_;
  std::vector<activity> activities_;
  std::vector<event> events_; ///< a heap
};

} // namespace triage
