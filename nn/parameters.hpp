#pragma once

#include "core/rng.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace triage {

enum class initialiser { zeros, ones, he_normal, glorot_uniform };

/// A permutation of a tensor's values that kernels read faster than row-major order. Checkpoints, exports and
/// tests see plain row-major values; only the flat block in memory is packed.
class packed_format {
public:
  virtual ~packed_format() = default;
  virtual void pack(std::span<const float> plain, std::span<float> packed) const = 0;
  virtual void unpack(std::span<const float> packed, std::span<float> plain) const = 0;
};

/// One named tensor inside the flat block.
struct parameter {
  std::string name; ///< "2.dense.weight": position, layer type, role
  std::vector<std::int64_t>
      shape; ///< row-major; dense weight {out, in}, conv2d weight {out, in/groups, kh, kw}
  initialiser init = initialiser::zeros;
  bool trained =
      true; ///< false: a statistic (batch_norm's running mean), updated by averaging, not by gradients
  double averaging = 0.1; ///< statistics only: weight of a new observation in the running mean
  bool decayed = true;    ///< whether weight decay applies (weights yes, biases and norms no)
  std::shared_ptr<const packed_format> packing = nullptr; ///< null: row-major
  std::size_t offset = 0;                                 ///< in floats, from the start of the block
  std::size_t size = 0;

  [[nodiscard]] std::int64_t fan_in() const;
  [[nodiscard]] std::int64_t fan_out() const;
};

/// The layout of the flat block: all trained tensors first, in the order of the layers, then the statistics,
/// so that optimizers, norms and codecs work on one prefix. Tensors start on 16-float boundaries; the gap is
/// zero in parameters and gradients.
class parameter_layout {
public:
  /// Adds a tensor and returns its index. Offsets are final after `finish`.
  std::size_t add(parameter p);
  void finish();

  [[nodiscard]] const std::vector<parameter>& tensors() const { return tensors_; }
  [[nodiscard]] const parameter& operator[](std::size_t i) const { return tensors_[i]; }
  /// Floats in the block, and in its trained prefix.
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t trained_size() const { return trained_size_; }
  /// Values a user would count: without alignment gaps, trained only.
  [[nodiscard]] std::size_t trained_values() const;

  /// Fills the whole block: a stream of its own for each tensor, so that one does not depend on the others;
  /// gaps become zero.
  void initialise(std::span<float> block, std::uint64_t seed) const;
  /// The trained prefix, cut where weight decay begins or ends to apply.
  struct decay_range {
    std::size_t begin;
    std::size_t end;
    bool decays;
  };
  [[nodiscard]] std::vector<decay_range> decay_ranges() const;

  /// The same block as one in which nothing decays: for whoever moves it towards another.
  [[nodiscard]] parameter_layout without_decay() const;

  /// Writes zeros between the tensors.
  void clear_gaps(std::span<float> block) const;

  /// One tensor in row-major order, out of and into the block.
  [[nodiscard]] std::vector<float> read(std::span<const float> block, std::size_t tensor) const;
  void write(std::span<float> block, std::size_t tensor, std::span<const float> plain) const;

private:
  std::vector<parameter> tensors_;
  std::size_t size_ = 0;
  std::size_t trained_size_ = 0;
};

} // namespace triage
