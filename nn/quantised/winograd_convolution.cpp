#include "nn/quantised/byte_winograd.hpp"
#include "nn/quantised/quantise.hpp"
#include "nn/quantised/quantised_stage.hpp"
#include "nn/quantised/vnni.hpp"

#include <algorithm>
#include <utility>

namespace triage {

namespace {

std::size_t count(std::int64_t n) {
  return static_cast<std::size_t>(n);
}

/// Transformed pixels stay in the first-level cache until they are multiplied.
constexpr std::size_t bytes_at_a_time = std::size_t{24} << 10;

std::size_t tiles_at_a_time(const byte_winograd& w) {
  const std::size_t fit = bytes_at_a_time / w.tile_bytes();
  return std::max(fit / byte_winograd::together, std::size_t{1}) * byte_winograd::together;
}

/// Sample by sample: the image gets its margins, its tiles are transformed until a block of them is full, and
/// the block is multiplied. Behind the last tile of a batch, what is left of an earlier block fills its own.
class quantised_winograd : public quantised_stage {
public:
  quantised_winograd(const quantised_request& r, const sample_shape& in, const sample_shape& out,
                     const window::placement& place, const quantised_weights& weights)
      : quantised_stage(
            dnnl::memory::desc({r.batch, out.channels, out.height / shrink(r), out.width / shrink(r)},
                               dnnl::memory::data_type::u8, dnnl::memory::format_tag::nhwc)),
        winograd_{count(in.channels), count(out.channels)}, pooled_(r.pool_follows), weights_(weights),
        in_(in), out_(out), batch_(count(r.batch)), tiles_high_((count(out.height) + 1) / 2),
        tiles_wide_((count(out.width) + 1) / 2), row_bytes_((2 * tiles_wide_ + 2) * winograd_.channels),
        first_pixel_(count(place.top) * row_bytes_ + count(place.left) * winograd_.channels),
        padded_((2 * tiles_high_ + 2) * row_bytes_),
        transformed_(tiles_at_a_time(winograd_) * winograd_.tile_bytes()),
        targets_(tiles_at_a_time(winograd_)), nowhere_(winograd_.outputs),
        windows_(winograd_.outputs * winograd_.tile_bytes()),
        quantised_(winograd_.outputs, winograd_.tile_bytes()), packed_(winograd_),
        multiplier_(winograd_.outputs), constant_(winograd_.outputs) {}

  [[nodiscard]] bool keeps_meaning() const override { return false; }
  [[nodiscard]] bool applies_next_pool() const override { return pooled_; }
  void bind(const std::uint8_t* in, std::byte* out) override {
    from_ = in;
    to_ = reinterpret_cast<std::uint8_t*>(out);
  }
  void load(const float* parameters, const byte_meaning& in, float output_scale) override {
    transform_windows(winograd_, parameters + weights_.weight, windows_.data());
    quantise_rows(windows_.data(), {}, {}, quantised_);
    packed_.pack(winograd_, quantised_.values.data());
    for (std::size_t o = 0; o < winograd_.outputs; ++o) {
      const float step = byte_winograd::pixel_step * in.scale[0] * quantised_.scale[o];
      multiplier_[o] = step / output_scale;
      constant_[o] = weights_.bias ? parameters[*weights_.bias + o] / step : 0.0F;
    }
  }
  void run() override {
    std::size_t full = 0;
    for (std::size_t n = 0; n < batch_; ++n) {
      copy_inside(from_ + n * count(in_.size()));
      for (std::size_t y = 0; y < tiles_high_; ++y)
        for (std::size_t x = 0; x < tiles_wide_;) {
          const std::size_t tiles = std::min(tiles_wide_ - x, targets_.size() - full);
          transform_tiles(winograd_, padded_.data() + 2 * y * row_bytes_ + 2 * x * winograd_.channels,
                          row_bytes_, tiles, transformed_.data() + full * winograd_.tile_bytes());
          for (const std::size_t end = x + tiles; x < end; ++x)
            targets_[full++] = targets_of(n, y, x);
          if (full == targets_.size())
            multiply(std::exchange(full, 0));
        }
    }
    while (full % byte_winograd::together != 0)
      targets_[full++].fill(nowhere_.data());
    multiply(full);
  }

private:
  [[nodiscard]] static std::int64_t shrink(const quantised_request& r) { return r.pool_follows ? 2 : 1; }

  /// The margins hold zeros from the beginning, which is what they stand for behind a relu.
  void copy_inside(const std::uint8_t* sample) {
    const std::size_t row = count(in_.width) * winograd_.channels;
    for (std::size_t y = 0; y < count(in_.height); ++y)
      std::copy_n(sample + y * row, row, padded_.data() + first_pixel_ + y * row_bytes_);
  }
  [[nodiscard]] tile_targets targets_of(std::size_t n, std::size_t y, std::size_t x) {
    tile_targets to{};
    to.fill(nowhere_.data()); // the far half of a tile that an odd side cuts
    if (pooled_) {
      to[0] = to_ + ((n * tiles_high_ + y) * tiles_wide_ + x) * winograd_.outputs;
      return to;
    }
    for (std::size_t p = 0; p < to.size(); ++p) {
      const std::size_t row = 2 * y + p / 2;
      const std::size_t column = 2 * x + p % 2;
      if (row < count(out_.height) && column < count(out_.width))
        to[p] = to_ + ((n * count(out_.height) + row) * count(out_.width) + column) * winograd_.outputs;
    }
    return to;
  }
  void multiply(std::size_t tiles) {
    multiply_tiles(winograd_, transformed_.data(), {targets_.data(), tiles}, packed_, multiplier_.data(),
                   constant_.data(), pooled_);
  }

  byte_winograd winograd_;
  bool pooled_;
  quantised_weights weights_;
  sample_shape in_;
  sample_shape out_;
  std::size_t batch_;
  std::size_t tiles_high_;
  std::size_t tiles_wide_;
  std::size_t row_bytes_; ///< of the image with its margins
  std::size_t first_pixel_;
  std::vector<std::uint8_t> padded_;
  std::vector<std::uint8_t> transformed_;
  std::vector<tile_targets> targets_; ///< of the block's tiles
  std::vector<std::uint8_t> nowhere_; ///< where pixels go that there are not
  std::vector<float> windows_;
  quantised_matrix quantised_;
  packed_windows packed_;
  std::vector<float> multiplier_;
  std::vector<float> constant_;
  const std::uint8_t* from_ = nullptr;
  std::uint8_t* to_ = nullptr;
};

/// Where a third of the products are saved; AMX is faster without.
bool suits(const quantised_window& window, const sample_shape& in, const sample_shape& out) {
  constexpr auto side = static_cast<std::int64_t>(byte_winograd::side);
  constexpr auto points = static_cast<std::int64_t>(byte_winograd::points);
  const std::int64_t tiles = ((out.height + side - 1) / side) * ((out.width + side - 1) / side);
  return window.size == 3 && window.step == 1 && 3 * points * tiles <= 2 * 9 * out.height * out.width &&
         multiplies_byte_tiles(count(in.channels), count(out.channels)) && !has_amx();
}

} // namespace

std::unique_ptr<quantised_stage> make_quantised_winograd(const quantised_request& request,
                                                         const sample_shape& input,
                                                         const sample_shape& output,
                                                         const quantised_window& window,
                                                         const quantised_weights& weights) {
  if (!suits(window, input, output))
    return nullptr;
  return std::make_unique<quantised_winograd>(request, input, output, window.place, weights);
}

} // namespace triage
