#include "core/multiversion.hpp"
#include "nn/quantised/byte_windows.hpp"
#include "nn/quantised/weighted_quantised_stage.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace triage {

namespace {

using desc = dnnl::memory::desc;
using type = dnnl::memory::data_type;
using tag = dnnl::memory::format_tag;
constexpr std::size_t word = 4; ///< bytes that one instruction multiplies and sums

std::size_t count(std::int64_t n) {
  return static_cast<std::size_t>(n);
}

/// Windows in rows of whole words; what a word holds beyond the window meets weights of zero.
byte_windows windows_of(const sample_shape& in, const sample_shape& out, const quantised_window& w) {
  return {.pixels = count(out.width),
          .step = count(w.step),
          .rows = count(in.channels * w.size),
          .words = (count(w.size) + word - 1) / word,
          .outputs = count(out.channels)};
}
std::size_t row_width(const byte_windows& w) {
  return w.rows * w.words * word;
}
/// Where the weights of a window go in its rows.
std::vector<std::size_t> places(const byte_windows& w, std::int64_t side) {
  std::vector<std::size_t> out;
  for (std::size_t row = 0; row < w.rows; ++row)
    for (std::size_t j = 0; j < count(side); ++j)
      out.push_back(row * w.words * word + j);
  return out;
}

/// A convolution over samples with margins, row of pixels by row of pixels.
class input_convolution : public weighted_quantised_stage {
public:
  void load(const float* parameters, const byte_meaning& in, float output_scale) override {
    for (std::size_t c = 0; c < padding_.size(); ++c) {
      const std::size_t k = in.scale.size() > 1 ? c : 0;
      padding_[c] =
          static_cast<std::uint8_t>(std::clamp(std::round(-in.shift[k] / in.scale[k]), 0.0F, 255.0F));
    }
    weighted_quantised_stage::load(parameters, in, output_scale);
  }

protected:
  input_convolution(const quantised_request& r, const sample_shape& in, const sample_shape& out,
                    const quantised_window& w, const quantised_weights& weights, std::int64_t pooled)
      : weighted_quantised_stage(
            r, desc({r.batch, out.channels, out.height / pooled, out.width / pooled}, type::u8, tag::nhwc),
            weights, desc({out.channels, in.channels, w.size, w.size}, type::f32, tag::oihw),
            places(windows_of(in, out, w), w.size), row_width(windows_of(in, out, w))),
        windows_(windows_of(in, out, w)), in_(in), out_(out), place_(w), batch_(r.batch),
        padded_height_(count(in.height + w.place.top + w.place.bottom)),
        padded_width_(count(in.width + w.place.left + w.place.right)),
        padded_(count(in.channels) * padded_height_ * padded_width_ + windows_.words * word),
        rows_at_a_time_(count(pooled)), rows_(windows_.rows * rows_at_a_time_), padding_(count(in.channels)) {
  }

  [[nodiscard]] const byte_windows& windows() const { return windows_; }
  [[nodiscard]] std::int64_t pixels() const { return batch_ * out_.height * out_.width; }
  void read_from(const std::uint8_t* in) { input_ = in; }

  /// visit(rows): for each row of output pixels, or two of them where they are pooled, where the rows of its
  /// first window begin.
  template <class Visit>
  void for_each_row(const Visit& visit) {
    const std::size_t side = count(place_.size);
    for (std::int64_t n = 0; n < batch_; ++n) {
      pad(input_ + n * in_.size());
      for (std::size_t y = 0; y < count(out_.height); y += rows_at_a_time_) {
        for (std::size_t r = 0; r < rows_at_a_time_; ++r)
          for (std::size_t i = 0; i < windows_.rows; ++i)
            rows_[r * windows_.rows + i] =
                padded_.data() +
                (i / side * padded_height_ + (y + r) * windows_.step + i % side) * padded_width_;
        visit(rows_.data());
      }
    }
  }

private:
  /// One sample with its margins, which hold the byte that stands for zero.
  void pad(const std::uint8_t* sample) {
    const std::size_t width = count(in_.width);
    for (std::size_t c = 0; c < padding_.size(); ++c) {
      std::uint8_t* const plane = padded_.data() + c * padded_height_ * padded_width_;
      std::fill_n(plane, padded_height_ * padded_width_, padding_[c]);
      for (std::size_t y = 0; y < count(in_.height); ++y, sample += width)
        std::copy_n(sample, width,
                    plane + (y + count(place_.place.top)) * padded_width_ + count(place_.place.left));
    }
  }

  byte_windows windows_;
  sample_shape in_;
  sample_shape out_;
  quantised_window place_;
  std::int64_t batch_;
  const std::uint8_t* input_ = nullptr;
  std::size_t padded_height_;
  std::size_t padded_width_;
  std::vector<std::uint8_t> padded_; ///< with room for the last word
  std::size_t rows_at_a_time_;
  std::vector<const std::uint8_t*> rows_;
  std::vector<std::uint8_t> padding_;
};

/// With the kernel of our own, which does a max pool that follows on the way.
class direct_input_convolution : public input_convolution {
public:
  direct_input_convolution(const quantised_request& r, const sample_shape& in, const sample_shape& out,
                           const quantised_window& w, const quantised_weights& weights)
      : input_convolution(r, in, out, w, weights, r.pool_follows ? 2 : 1), pooled_(r.pool_follows),
        packed_(windows().outputs * row_width(windows())) {}

  [[nodiscard]] bool applies_next_pool() const override { return pooled_; }
  void bind(const std::uint8_t* in, std::byte* out) override {
    read_from(in);
    to_ = reinterpret_cast<std::uint8_t*>(out);
  }
  void load(const float* parameters, const byte_meaning& in, float output_scale) override {
    input_convolution::load(parameters, in, output_scale);
    pack_byte_windows(windows(), rows(), packed_.data());
  }
  void run() override {
    const auto multiply = pooled_ ? multiply_pooled_byte_windows : multiply_byte_windows;
    const std::size_t row = windows().pixels / (pooled_ ? 2 : 1) * windows().outputs;
    std::uint8_t* to = to_;
    for_each_row([&](const std::uint8_t* const* from) {
      multiply(windows(), from, packed_.data(), multiplier(), constant(), to);
      to += row;
    });
  }

private:
  bool pooled_;
  std::uint8_t* to_ = nullptr;
  std::vector<std::int8_t> packed_;
};

/// Copies `words` four-byte words from `from` to `to`.
TRIAGE_INLINE void copy_words(const std::uint8_t* from, std::size_t words, std::uint8_t* to) {
  for (std::size_t i = 0; i < words; ++i)
    std::memcpy(to + i * word, from + i * word, word);
}

/// The windows of one row of output pixels, each to become a row of words.
TRIAGE_MULTIVERSION void gather_row(const byte_windows& w, const std::uint8_t* const* rows,
                                    std::uint8_t* to) {
  if (w.rows == 3 && w.words == 1) { // one channel, 3x3: by far the most common
    for (std::size_t x = 0; x < w.pixels; ++x, to += 3 * word) {
      copy_words(rows[0] + x * w.step, 1, to);
      copy_words(rows[1] + x * w.step, 1, to + word);
      copy_words(rows[2] + x * w.step, 1, to + 2 * word);
    }
    return;
  }
  for (std::size_t x = 0; x < w.pixels; ++x)
    for (std::size_t i = 0; i < w.rows; ++i, to += w.words * word)
      copy_words(rows[i] + x * w.step, w.words, to);
}

/// With a matrix kernel, which multiplies the gathered windows of all samples.
class gathered_input_convolution : public input_convolution {
public:
  gathered_input_convolution(const quantised_request& r, const sample_shape& in, const sample_shape& out,
                             const quantised_window& w, const quantised_weights& weights)
      : input_convolution(r, in, out, w, weights, 1), gathered_(count(pixels()) * row_width(windows())) {
    const auto width = static_cast<std::int64_t>(row_width(windows()));
    auto attributes = kernel_attributes();
    attributes.set_output_scales(1 << 1, {DNNL_RUNTIME_F32_VAL});
    const desc source({pixels(), width}, type::u8, tag::nc);
    const desc wanted({out.channels, width}, type::s8, tag::any);
    const desc bias({out.channels}, type::f32, tag::a);
    const desc target({pixels(), out.channels}, type::u8, tag::nc); // channels last: the image that goes out
    const dnnl::inner_product_forward::primitive_desc forward(
        {dnnl::prop_kind::forward_inference, source, wanted, bias, target}, attributes, r.engine.engine());
    kernel compute(r.engine, forward, dnnl::inner_product_forward(forward));
    compute.add(DNNL_ARG_SRC, source);
    compute.set_bytes(DNNL_ARG_SRC, gathered_.data());
    compute.add(DNNL_ARG_DST, target);
    set_kernel(std::move(compute), desc({out.channels, width}, type::s8, tag::oi), forward.weights_desc(),
               bias, DNNL_ARG_ATTR_OUTPUT_SCALES);
  }

  void bind(const std::uint8_t* in, std::byte* out) override {
    read_from(in);
    compute_.set_bytes(DNNL_ARG_DST, out);
  }
  void run() override {
    std::uint8_t* to = gathered_.data();
    for_each_row([&](const std::uint8_t* const* from) {
      gather_row(windows(), from, to);
      to += windows().pixels * row_width(windows());
    });
    weighted_quantised_stage::run();
  }

private:
  std::vector<std::uint8_t> gathered_; ///< the rows that the kernel multiplies
};

} // namespace

std::unique_ptr<quantised_stage> make_quantised_input_convolution(const quantised_request& request,
                                                                  const sample_shape& input,
                                                                  const sample_shape& output,
                                                                  const quantised_window& window,
                                                                  const quantised_weights& weights) {
  if (multiplies_byte_windows(count(output.channels)))
    return std::make_unique<direct_input_convolution>(request, input, output, window, weights);
  return std::make_unique<gathered_input_convolution>(request, input, output, window, weights);
}

} // namespace triage
