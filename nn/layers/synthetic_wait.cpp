#include "nn/layers/layers.hpp"
#include "nn/onnx/onnx_graph.hpp"
#include "nn/quantised/quantised_stage.hpp"

#include <algorithm>
#include <chrono>
#include <sys/prctl.h>
#include <thread>

namespace triage {

namespace {

using std::chrono::steady_clock;

constexpr double forward_share = 1.0 / 3.0;
/// A thread that was interrupted meanwhile took longer than writing does.
constexpr steady_clock::duration longest_writing = std::chrono::microseconds(200);

/// Without the 50 microseconds by which Linux may delay a thread's timers: computing would not take them.
void sleep_exactly_until(steady_clock::time_point when) {
  if (steady_clock::now() >= when)
    return;
  const auto slack = prctl(PR_GET_TIMERSLACK);
  (void)prctl(PR_SET_TIMERSLACK, 1UL);
  std::this_thread::sleep_until(when);
  (void)prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(std::max(slack, 1)));
}

/// Pretends to compute: a third of its time forward, the rest backward. Pretended work follows that of the
/// stage before, and begins when forward is called, so a stage that had to wait for its parameters makes the
/// pass longer; real work in between is part of it. Only backward sleeps, until the moment at which all work
/// so far would have been done: waking late once does not make the next stage late. The gradient is written
/// at the end of that time, as one that is computed would be.
class synthetic_wait_stage : public stage {
public:
  synthetic_wait_stage(const stage_request& r, double milliseconds, std::size_t offset,
                       std::size_t parameters)
      : stage(r.incoming, r.incoming), input_gradient_(r.input_gradient), training_(r.training),
        offset_(offset), parameters_(parameters),
        forward_(std::chrono::duration_cast<steady_clock::duration>(
            std::chrono::duration<double, std::milli>(milliseconds * forward_share))),
        backward_(std::chrono::duration_cast<steady_clock::duration>(
                      std::chrono::duration<double, std::milli>(milliseconds)) -
                  forward_) {}

  [[nodiscard]] bool is_view() const override { return !training_; }
  void forward(const pass& p) override {
    auto& work = work_of(p);
    work.busy_until = std::max(work.busy_until, steady_clock::now()) + forward_;
    std::copy_n(buffers().input, input_layout().floats(), buffers().output);
  }
  void backward(const pass& p) override {
    if (input_gradient_)
      std::copy_n(buffers().output_gradient, input_layout().floats(), buffers().input_gradient);
    auto& work = work_of(p);
    work.busy_until += backward_;
    sleep_exactly_until(work.busy_until - writing_);
    const auto begin = steady_clock::now();
    std::fill_n(p.gradient.begin() + static_cast<std::ptrdiff_t>(offset_), parameters_, 0.0F);
    writing_ = std::min(steady_clock::now() - begin, longest_writing);
    sleep_exactly_until(work.busy_until);
  }

private:
  emulated_work& work_of(const pass& p) { return p.emulated != nullptr ? *p.emulated : own_; }

  bool input_gradient_;
  bool training_;
  std::size_t offset_;
  std::size_t parameters_;
  steady_clock::duration forward_;
  steady_clock::duration backward_;
  steady_clock::duration writing_{}; ///< what writing the gradient took last time
  emulated_work own_{};
};

/// Emulated compute, for measuring how a run scales to more members than the machine has cores. Passes its
/// input on; inference does not wait.
class synthetic_wait : public layer {
public:
  [[nodiscard]] std::string_view type() const override { return "synthetic_wait"; }
  void visit(option_visitor& v) override {
    v.field({.name = "milliseconds",
             .doc =
                 "time that the layer takes of a training pass, a third of it forward; several follow each "
                 "other, and real work in between is part of it",
             .min = 0.0,
             .max = 1e6},
            milliseconds_);
    v.field({.name = "parameters",
             .doc = "trained values that nothing reads and whose gradient is zero: they only travel",
             .min = 0,
             .max = 1e9},
            values_);
  }
  void declare(parameter_layout& layout, const std::string& prefix, std::int64_t) override {
    if (values_ > 0)
      ballast_ = layout.add({.name = prefix + "ballast", .shape = {values_}, .decayed = false});
  }
  [[nodiscard]] bool has_parameters() const override { return values_ > 0; }
  result<sample_shape> connect(const sample_shape& input) override { return output_ = input_ = input; }
  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    const std::size_t offset = values_ > 0 ? (*parameters_)[ballast_].offset : 0;
    return std::make_unique<synthetic_wait_stage>(r, milliseconds_, offset,
                                                  static_cast<std::size_t>(values_));
  }
  [[nodiscard]] std::unique_ptr<quantised_stage> quantise(const quantised_request& r) const override {
    return r.is_last ? nullptr : make_quantised_view(r.incoming);
  }
  [[nodiscard]] result<onnx_value> draw(onnx_graph&, const onnx_value& input,
                                        const std::string&) const override {
    return input;
  }

private:
  double milliseconds_ = 1.0;
  std::int64_t values_ = 0;
  std::size_t ballast_ = 0;
};

} // namespace

std::unique_ptr<layer> make_synthetic_wait() {
  return std::make_unique<synthetic_wait>();
}

} // namespace triage
