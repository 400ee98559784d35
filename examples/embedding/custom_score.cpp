// A score of one's own: how surprising a point is, but never more than a bound. It joins the built-in table
// for the runs of this program and is named in the run description like any other.
#include "actors/train.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace {

class bounded_loss : public triage::score {
public:
  void visit(triage::option_visitor& v) override {
    v.field({.name = "bound", .doc = "largest score", .min = 0.0}, bound_);
  }
  triage::signal_set needs() const override { return static_cast<triage::signal_set>(triage::signal::loss); }
  void compute(const triage::sample_signals& signals, std::span<const std::uint32_t>,
               std::span<float> out) const override {
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = std::min(signals.loss[i], static_cast<float>(bound_));
  }

private:
  double bound_ = 1.0;
};

constexpr std::array scores = {triage::registry_entry<triage::score_factory>{
    "bounded_loss", "the loss, up to a bound",
    [] { return std::unique_ptr<triage::score>(std::make_unique<bounded_loss>()); }}};

} // namespace

int main() {
  triage::run_extensions extensions;
  extensions.scores = scores;
  const auto setup = triage::prepare_run_text(R"({
    "data": {"format": "synthetic", "kind": "blobs", "train_size": 2000, "test_size": 500, "classes": 5, "features": 10},
    "model": [{"type": "dense", "units": 32, "activation": "relu"}, {"type": "dense", "units": 5}],
    "optimizer": {"type": "sgd", "learning_rate": 0.05, "momentum": 0.9},
    "sampling": {"type": "pps_epoch", "score": {"type": "bounded_loss", "bound": 2.0}},
    "duration": {"epochs": 8}})",
                                              extensions);
  if (!setup.ok()) {
    std::fprintf(stderr, "%s\n", setup.error().message.c_str());
    return 1;
  }
  const auto outcome = triage::train(*setup);
  if (!outcome.ok() || !outcome->summary.figures)
    return 1;
  std::printf("test accuracy %.3f\n", *outcome->summary.figures->test_accuracy);
  return outcome->summary.status == triage::run_status::finished ? 0 : 1;
}
