#include "core/npy.hpp"
#include "sampling/scores/scores.hpp"

#include <fmt/format.h>

namespace triage {

namespace {

/// Loss now minus the irreducible loss: what the point would still teach. Mislabelled points have both large,
/// learned points both small. Negative where the model does better than the one it is compared with.
class rho : public score {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "irreducible_losses",
             .doc =
                 "npy file with one loss for each training point, from models that were not trained on it; "
                 "`triage irreducible` makes it",
             .required = true},
            file_);
  }
  result<void> prepare(const json_place& place) override {
    if (file_.empty())
      return configuration_error(place.source + ", " + place.pointer +
                                 ": rho needs {\"type\": \"rho\", \"irreducible_losses\": FILE}; `triage "
                                 "irreducible RUN.json --output FILE` makes the file");
    auto array = read_npy(file_);
    if (!array.ok())
      return with_context(array.error(), place.source + ", " + place.pointer +
                                             "/irreducible_losses; `triage irreducible "
                                             "RUN.json --output FILE` makes such a file");
    auto* values = std::get_if<std::vector<float>>(&array->values);
    if (values == nullptr || array->shape.size() != 1)
      return data_error(fmt::format("{}: must hold one float for each training point", file_));
    losses_ = std::move(*values);
    return {};
  }
  result<void> check(std::size_t points) const override {
    if (losses_.size() == points)
      return {};
    return data_error(fmt::format("{}: holds {} irreducible losses, the training set has {} points; run "
                                  "`triage irreducible` on the same data description",
                                  file_, losses_.size(), points));
  }
  [[nodiscard]] signal_set needs() const override { return static_cast<signal_set>(signal::loss); }
  void compute(const sample_signals& signals, std::span<const std::uint32_t> ids,
               std::span<float> out) const override {
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = signals.loss[i] - losses_[ids[i]];
  }

private:
  std::string file_;
  std::vector<float> losses_;
};

} // namespace

std::unique_ptr<score> make_rho() {
  return std::make_unique<rho>();
}

} // namespace triage
