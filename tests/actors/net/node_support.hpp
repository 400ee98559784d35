#pragma once

#include "../run_support.hpp"
#include "link_support.hpp"

#include "actors/interfaces.hpp"
#include "actors/net/remote_node.hpp"

#include <caf/all.hpp>
#include <condition_variable>
#include <mutex>

// One end of the network between a coordinator and a node, with the other end played by hand.

namespace triage::test {

/// What actors have been told, as lines, for the thread of the test to wait for.
class told_lines {
public:
  void add(const std::string& line) {
    {
      const std::lock_guard guard(mutex_);
      lines_.push_back(line);
    }
    changed_.notify_all();
  }
  /// The first line that starts like this; a complaint with all lines when it does not come.
  std::string wait_for(const std::string& start) {
    std::unique_lock guard(mutex_);
    std::string found;
    const auto is_there = [&] {
      for (const auto& l : lines_)
        if (l.starts_with(start)) {
          found = l;
          return true;
        }
      return false;
    };
    if (changed_.wait_for(guard, std::chrono::seconds(10), is_there))
      return found;
    std::string all = "NOT TOLD \"" + start + "\", but:";
    for (const auto& l : lines_)
      all += "\n  " + l;
    return all;
  }
  std::size_t count(const std::string& start) {
    const std::lock_guard guard(mutex_);
    return static_cast<std::size_t>(
        std::count_if(lines_.begin(), lines_.end(), [&](const auto& l) { return l.starts_with(start); }));
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

/// The last value of something that another thread sets.
template <class T>
class late_value {
public:
  void set(T value) {
    {
      const std::lock_guard guard(mutex_);
      value_ = std::move(value);
    }
    changed_.notify_all();
  }
  T wait() {
    std::unique_lock guard(mutex_);
    REQUIRE(changed_.wait_for(guard, std::chrono::seconds(10), [&] { return value_.has_value(); }));
    return *std::exchange(value_, std::nullopt);
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<T> value_;
};

} // namespace triage::test
