#pragma once

#include "actors/run_records.hpp"
#include "core/compressor.hpp"

#include <vector>

namespace triage {

/// What all workers hold where the coordinator's parameters reach them compressed: the same for everybody, to
/// the bit. What a message leaves out stays in the difference to the coordinator's own and is part of the
/// next (the residual of the server in DoubleSqueeze is that difference). Owned by one thread.
class published_parameters {
public:
  /// Borrows the compressor, which must outlive it.
  published_parameters(const compressor& c, std::size_t floats) : compressor_(c), pool_(floats) {}

  /// Everybody gets these, whole.
  void restart(const snapshot& at);
  /// The coordinator's parameters have become these. What is not finite is handed on whole.
  void follow(const snapshot& at);
  [[nodiscard]] const snapshot& latest() const { return latest_; }

private:
  const compressor& compressor_;
  blob_pool pool_;
  snapshot latest_;
  std::vector<float> difference_;
  std::uint64_t messages_ = 0;
};

/// `held` as the change makes it, in `out`. An error when the bytes are not a change of these parameters.
[[nodiscard]] result<void> apply_change(const compressor& c, const parameter_change& change,
                                        std::span<const float> held, std::span<float> out);

} // namespace triage
