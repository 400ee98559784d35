#pragma once

#include "core/shape.hpp"

#include <cstdint>
#include <vector>

namespace triage {

/// The geometry of a convolution, as far as one sample's weight gradient needs it.
struct convolution_geometry {
  sample_shape in;
  sample_shape out;
  std::int64_t groups = 1;
  std::int64_t size = 1; ///< side of the window
  std::int64_t step = 1;
  std::int64_t top = 0; ///< padding
  std::int64_t left = 0;
};

/// Two exact ways to the norm of a sample's weight gradient G = D U^T, with D the output gradients (channels
/// x positions) and U the unfolded input (window values x positions).
enum class norm_form {
  direct, ///< forms G
  gram,   ///< ||G||^2 = sum over positions s, t of <u_s, u_t> <d_s, d_t>: never forms G ("ghost norm",
          ///< Bu et al. 2022)
};
/// The one with fewer multiply-adds.
[[nodiscard]] norm_form cheaper_norm_form(const convolution_geometry& g);

/// Gradient norm and projection of single samples of a convolution. Owns its scratch memory; one thread.
class sample_convolution {
public:
  sample_convolution(const convolution_geometry& g, bool bias, norm_form form);

  /// ||g||^2 over weights and bias, of one sample in plain layout.
  [[nodiscard]] double squared_norm(const float* input, const float* output_gradient);
  /// <g, v> over weights and bias; `weights` and `bias` are the parts of v, row-major. `bias` is not read
  /// without one.
  [[nodiscard]] double projection(const float* input, const float* output_gradient, const float* weights,
                                  const float* bias);

private:
  void unfold(const float* input, std::int64_t group);
  void form_gradient(const float* output_gradient, std::int64_t group);
  [[nodiscard]] double channel_sum(const float* output_gradient, std::int64_t channel) const;

  convolution_geometry g_;
  bool bias_;
  norm_form form_;
  std::int64_t positions_;
  std::int64_t window_;   ///< values of one window in one group
  std::int64_t channels_; ///< outputs of one group
  std::vector<float> unfolded_;
  std::vector<float> gradient_;
  std::vector<float> input_gram_;
  std::vector<float> output_gram_;
};

} // namespace triage
