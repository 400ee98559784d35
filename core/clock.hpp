#pragma once

#include <chrono>

namespace triage {

/// Seconds since some fixed moment; never goes back. Injected wherever time matters, so that tests own it.
class clock {
public:
  virtual ~clock() = default;
  [[nodiscard]] virtual double now() const = 0;
};

class steady_clock final : public clock {
public:
  [[nodiscard]] double now() const override {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
};

/// A clock that stands still until it is told to move.
class manual_clock final : public clock {
public:
  [[nodiscard]] double now() const override { return now_; }
  void advance(double seconds) { now_ += seconds; }

private:
  double now_ = 0.0;
};

/// Adds up the time between start and stop: the training seconds of a run, which leave evaluation and
/// checkpoints out.
class stopwatch {
public:
  explicit stopwatch(const clock& source, double already = 0.0) : source_(&source), total_(already) {}

  void start() {
    if (!running_)
      since_ = source_->now();
    running_ = true;
  }
  void stop() {
    if (running_)
      total_ += source_->now() - since_;
    running_ = false;
  }
  [[nodiscard]] bool running() const { return running_; }
  [[nodiscard]] double seconds() const { return total_ + (running_ ? source_->now() - since_ : 0.0); }

private:
  const clock* source_;
  double total_;
  double since_ = 0.0;
  bool running_ = false;
};

} // namespace triage
