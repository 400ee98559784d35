#include "core/multiversion.hpp"
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

dnnl::memory::dims weight_dims(const sample_shape& in, const sample_shape& out, std::int64_t size) {
  return {out.channels, in.channels, size, size};
}

desc image(std::int64_t batch, const sample_shape& shape) {
  return {{batch, shape.channels, shape.height, shape.width}, type::u8, tag::nhwc};
}

class quantised_convolution : public weighted_quantised_stage {
public:
  quantised_convolution(const quantised_request& r, const sample_shape& in, const sample_shape& out,
                        const quantised_window& w, const quantised_weights& weights)
      : weighted_quantised_stage(r, image(r.batch, out), weights,
                                 desc(weight_dims(in, out, w.size), type::f32, tag::oihw)) {
    // The kernels want output scales when they are compiled, but ours change with every snapshot: the
    // multiplier is a multiplication after the sum.
    const desc multiplier({1, out.channels, 1, 1}, type::f32, tag::nchw);
    dnnl::post_ops after;
    after.append_binary(dnnl::algorithm::binary_mul, multiplier);
    after.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
    auto attributes = kernel_attributes();
    attributes.set_post_ops(after);
    const desc wanted(weight_dims(in, out, w.size), type::s8, tag::any);
    const desc bias({out.channels}, type::f32, tag::a);
    const dnnl::convolution_forward::primitive_desc forward({dnnl::prop_kind::forward_inference,
                                                             dnnl::algorithm::convolution_direct,
                                                             r.incoming,
                                                             wanted,
                                                             bias,
                                                             output(),
                                                             {w.step, w.step},
                                                             {w.place.top, w.place.left},
                                                             {w.place.bottom, w.place.right}},
                                                            attributes, r.engine.engine());
    kernel compute(r.engine, forward, dnnl::convolution_forward(forward));
    compute.add(DNNL_ARG_SRC, r.incoming);
    compute.add(DNNL_ARG_DST, output());
    set_kernel(std::move(compute), desc(weight_dims(in, out, w.size), type::s8, tag::oihw),
               forward.weights_desc(), multiplier, DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1);
  }

  void bind(const std::uint8_t* in, std::byte* out) override {
    compute_.set_bytes(DNNL_ARG_SRC, const_cast<std::uint8_t*>(in)); // oneDNN's interface knows no const
    compute_.set_bytes(DNNL_ARG_DST, out);
  }
};

/// Copies `words` four-byte words from `from` to `to`.
TRIAGE_INLINE void copy_words(const std::uint8_t* from, std::size_t words, std::uint8_t* to) {
  for (std::size_t i = 0; i < words; ++i)
    std::memcpy(to + i * word, from + i * word, word);
}

/// The windows of one row of output pixels, each to become a row of words.
struct window_rows {
  std::size_t pixels;
  std::size_t step;
  std::size_t height; ///< rows of a window, over all channels
  std::size_t words;  ///< of a row of a window
};
TRIAGE_MULTIVERSION void gather_row(const window_rows& w, const std::uint8_t* const* rows, std::uint8_t* to) {
  if (w.height == 3 && w.words == 1) { // one channel, 3x3: by far the most common
    for (std::size_t x = 0; x < w.pixels; ++x, to += 3 * word) {
      copy_words(rows[0] + x * w.step, 1, to);
      copy_words(rows[1] + x * w.step, 1, to + word);
      copy_words(rows[2] + x * w.step, 1, to + 2 * word);
    }
    return;
  }
  for (std::size_t x = 0; x < w.pixels; ++x)
    for (std::size_t i = 0; i < w.height; ++i, to += w.words * word)
      copy_words(rows[i] + x * w.step, w.words, to);
}

class quantised_input_convolution : public weighted_quantised_stage {
public:
  quantised_input_convolution(const quantised_request& r, const sample_shape& in, const sample_shape& out,
                              const quantised_window& w, const quantised_weights& weights)
      : weighted_quantised_stage(r, image(r.batch, out), weights,
                                 desc(weight_dims(in, out, w.size), type::f32, tag::oihw), places(in, w),
                                 row_width(in, w)),
        in_(in), out_(out), window_(w), batch_(r.batch),
        padded_width_(static_cast<std::size_t>(in.width + w.place.left + w.place.right)),
        padded_(static_cast<std::size_t>(in.channels * (in.height + w.place.top + w.place.bottom)) *
                    padded_width_ +
                words(w) * word),
        windows_(static_cast<std::size_t>(r.batch * out.height * out.width) * row_width(in, w)),
        rows_(static_cast<std::size_t>(in.channels * w.size)),
        padding_(static_cast<std::size_t>(in.channels)) {
    const std::int64_t pixels = r.batch * out.height * out.width;
    const auto width = static_cast<std::int64_t>(row_width(in, w));
    auto attributes = kernel_attributes();
    attributes.set_output_scales(1 << 1, {DNNL_RUNTIME_F32_VAL});
    const desc source({pixels, width}, type::u8, tag::nc);
    const desc wanted({out.channels, width}, type::s8, tag::any);
    const desc bias({out.channels}, type::f32, tag::a);
    const desc target({pixels, out.channels}, type::u8, tag::nc); // channels last: the image that goes out
    const dnnl::inner_product_forward::primitive_desc forward(
        {dnnl::prop_kind::forward_inference, source, wanted, bias, target}, attributes, r.engine.engine());
    kernel compute(r.engine, forward, dnnl::inner_product_forward(forward));
    compute.add(DNNL_ARG_SRC, source);
    compute.set_bytes(DNNL_ARG_SRC, windows_.data());
    compute.add(DNNL_ARG_DST, target);
    set_kernel(std::move(compute), desc({out.channels, width}, type::s8, tag::oi), forward.weights_desc(),
               bias, DNNL_ARG_ATTR_OUTPUT_SCALES);
  }

  void bind(const std::uint8_t* in, std::byte* out) override {
    input_ = in;
    compute_.set_bytes(DNNL_ARG_DST, out);
  }

  void load(const float* parameters, const byte_meaning& in, float output_scale) override {
    for (std::size_t c = 0; c < padding_.size(); ++c) {
      const std::size_t k = in.scale.size() > 1 ? c : 0;
      padding_[c] =
          static_cast<std::uint8_t>(std::clamp(std::round(-in.shift[k] / in.scale[k]), 0.0F, 255.0F));
    }
    weighted_quantised_stage::load(parameters, in, output_scale);
  }

  void run() override {
    const auto height = static_cast<std::size_t>(in_.height + window_.place.top + window_.place.bottom);
    const auto step = static_cast<std::size_t>(window_.step);
    const auto side = static_cast<std::size_t>(window_.size);
    const window_rows row{static_cast<std::size_t>(out_.width), step, rows_.size(), words(window_)};
    std::uint8_t* to = windows_.data();
    for (std::int64_t n = 0; n < batch_; ++n) {
      pad(input_ + n * in_.size(), height);
      for (std::size_t y = 0; y < static_cast<std::size_t>(out_.height); ++y) {
        for (std::size_t i = 0; i < rows_.size(); ++i)
          rows_[i] = padded_.data() + (i / side * height + y * step + i % side) * padded_width_;
        gather_row(row, rows_.data(), to);
        to += row.pixels * row.height * row.words * word;
      }
    }
    weighted_quantised_stage::run();
  }

private:
  static std::size_t words(const quantised_window& w) {
    return (static_cast<std::size_t>(w.size) + word - 1) / word;
  }
  static std::size_t row_width(const sample_shape& in, const quantised_window& w) {
    return static_cast<std::size_t>(in.channels * w.size) * words(w) * word;
  }
  /// Each row of a window is a row of whole words; what a word holds beyond the window meets weights of zero.
  static std::vector<std::size_t> places(const sample_shape& in, const quantised_window& w) {
    std::vector<std::size_t> out;
    for (std::int64_t row = 0; row < in.channels * w.size; ++row)
      for (std::int64_t j = 0; j < w.size; ++j)
        out.push_back(static_cast<std::size_t>(row) * words(w) * word + static_cast<std::size_t>(j));
    return out;
  }
  /// One sample with its margins, which hold the byte that stands for zero.
  void pad(const std::uint8_t* sample, std::size_t padded_height) {
    const auto width = static_cast<std::size_t>(in_.width);
    for (std::size_t c = 0; c < padding_.size(); ++c) {
      std::uint8_t* const plane = padded_.data() + c * padded_height * padded_width_;
      std::fill_n(plane, padded_height * padded_width_, padding_[c]);
      for (std::size_t y = 0; y < static_cast<std::size_t>(in_.height); ++y, sample += width)
        std::copy_n(sample, width,
                    plane + (y + static_cast<std::size_t>(window_.place.top)) * padded_width_ +
                        static_cast<std::size_t>(window_.place.left));
    }
  }

  sample_shape in_;
  sample_shape out_;
  quantised_window window_;
  std::int64_t batch_;
  const std::uint8_t* input_ = nullptr;
  std::size_t padded_width_;
  std::vector<std::uint8_t> padded_;  ///< with room for the last word
  std::vector<std::uint8_t> windows_; ///< the rows that the kernel multiplies
  std::vector<const std::uint8_t*> rows_;
  std::vector<std::uint8_t> padding_;
};

} // namespace

std::unique_ptr<quantised_stage> make_quantised_convolution(const quantised_request& request,
                                                            const sample_shape& input,
                                                            const sample_shape& output,
                                                            const quantised_window& window,
                                                            const quantised_weights& weights) {
  return std::make_unique<quantised_convolution>(request, input, output, window, weights);
}

std::unique_ptr<quantised_stage> make_quantised_input_convolution(const quantised_request& request,
                                                                  const sample_shape& input,
                                                                  const sample_shape& output,
                                                                  const quantised_window& window,
                                                                  const quantised_weights& weights) {
  return std::make_unique<quantised_input_convolution>(request, input, output, window, weights);
}

} // namespace triage
