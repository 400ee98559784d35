#pragma once

#include "core/options.hpp"
#include "core/result.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace triage {

/// The losses of training points under models that were not trained on them (Mindermann et al. 2022), which
/// `triage irreducible` measures. An .npz file names the data that it belongs to; an .npy file, which other
/// programs can write as well, holds the losses alone. Immutable.
class irreducible_losses {
public:
  irreducible_losses() = default;
  /// `option`: where the description names the file, for errors.
  [[nodiscard]] static result<irreducible_losses> read(const std::string& file, const json_place& option);

  /// What is wrong with using them for so many points of the data with this fingerprint, if anything.
  [[nodiscard]] result<void> check(std::size_t points, std::string_view data_fingerprint) const;
  [[nodiscard]] std::span<const float> values() const { return values_; }

private:
  std::string file_;
  std::string data_fingerprint_; ///< empty: the file does not say
  std::vector<float> values_;
};

/// As .npz with the fingerprint where `file` ends so, else as .npy.
[[nodiscard]] result<void> write_irreducible_losses(const std::string& file, std::span<const float> losses,
                                                    std::string_view data_fingerprint);

} // namespace triage
