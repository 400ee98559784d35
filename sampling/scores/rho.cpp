#include "sampling/irreducible_losses.hpp"
#include "sampling/scores/scores.hpp"

namespace triage {

namespace {

/// Loss now minus the irreducible loss: what the point would still teach. Mislabelled points have both large,
/// learned points both small. Negative where the model does better than the one it is compared with.
class rho : public score {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "irreducible_losses",
             .doc =
                 "npz or npy file with one loss for each training point, from models that were not trained "
                 "on it; `triage irreducible` makes it",
             .required = true},
            file_);
  }
  result<void> prepare(const json_place& place) override {
    if (file_.empty())
      return configuration_error(place.source + ", " + place.pointer +
                                 ": rho needs {\"type\": \"rho\", \"irreducible_losses\": FILE}; `triage "
                                 "irreducible RUN.json --output FILE` makes the file");
    auto losses = irreducible_losses::read(file_, {place.source, place.pointer + "/irreducible_losses"});
    if (!losses.ok())
      return losses.error();
    losses_ = losses.take();
    return {};
  }
  result<void> check(std::size_t points, std::string_view data_fingerprint) const override {
    return losses_.check(points, data_fingerprint);
  }
  [[nodiscard]] signal_set needs() const override { return static_cast<signal_set>(signal::loss); }
  void compute(const sample_signals& signals, std::span<const std::uint32_t> ids,
               std::span<float> out) const override {
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = signals.loss[i] - losses_.values()[ids[i]];
  }

private:
  std::string file_;
  irreducible_losses losses_;
};

} // namespace

std::unique_ptr<score> make_rho() {
  return std::make_unique<rho>();
}

} // namespace triage
