#include "core/multiversion.hpp"
#include "nn/quantised/quantised_stage.hpp"

#include <algorithm>

namespace triage {

namespace {

using desc = dnnl::memory::desc;

class quantised_view : public quantised_stage {
public:
  explicit quantised_view(const desc& bytes) : quantised_stage(bytes) {}
  [[nodiscard]] bool is_view() const override { return true; }
};

/// The largest of four neighbours, channel by channel: 2x2 windows without padding, which nearly all pools
/// have. A tenth of the time of the general kernel.
TRIAGE_MULTIVERSION void max_of_four(const std::uint8_t* a, const std::uint8_t* below, std::size_t channels,
                                     std::size_t pixels, std::uint8_t* out) {
  for (std::size_t x = 0; x < pixels; ++x, a += 2 * channels, below += 2 * channels, out += channels)
    TRIAGE_INDEPENDENT
  for (std::size_t c = 0; c < channels; ++c)
    out[c] = std::max(std::max(a[c], a[c + channels]), std::max(below[c], below[c + channels]));
}

class quantised_max_of_four : public quantised_stage {
public:
  quantised_max_of_four(const quantised_request& r, const sample_shape& out)
      : quantised_stage(desc({r.batch, out.channels, out.height, out.width}, dnnl::memory::data_type::u8,
                             dnnl::memory::format_tag::nhwc)),
        channels_(static_cast<std::size_t>(out.channels)),
        height_(static_cast<std::size_t>(r.incoming.dims()[2])),
        width_(static_cast<std::size_t>(r.incoming.dims()[3])), batch_(static_cast<std::size_t>(r.batch)) {}
  void bind(const std::uint8_t* in, std::byte* out) override {
    in_ = in;
    out_ = reinterpret_cast<std::uint8_t*>(out);
  }
  void run() override {
    const std::size_t row = width_ * channels_;
    std::uint8_t* to = out_;
    for (std::size_t n = 0; n < batch_; ++n)
      for (std::size_t y = 0; y + 1 < height_; y += 2, to += width_ / 2 * channels_) {
        const std::uint8_t* const at = in_ + (n * height_ + y) * row;
        max_of_four(at, at + row, channels_, width_ / 2, to);
      }
  }

private:
  std::size_t channels_;
  std::size_t height_;
  std::size_t width_;
  std::size_t batch_;
  const std::uint8_t* in_ = nullptr;
  std::uint8_t* out_ = nullptr;
};

class quantised_pool : public quantised_stage {
public:
  quantised_pool(const quantised_request& r, const sample_shape& out, const quantised_window& w,
                 dnnl::algorithm algorithm)
      : quantised_stage(desc({r.batch, out.channels, out.height, out.width}, dnnl::memory::data_type::u8,
                             dnnl::memory::format_tag::nhwc)) {
    const dnnl::pooling_forward::primitive_desc forward({dnnl::prop_kind::forward_inference,
                                                         algorithm,
                                                         r.incoming,
                                                         output(),
                                                         {w.step, w.step},
                                                         {w.size, w.size},
                                                         {w.place.top, w.place.left},
                                                         {w.place.bottom, w.place.right}},
                                                        kernel_attributes(), r.engine.engine());
    compute_ = kernel(r.engine, forward, dnnl::pooling_forward(forward));
    compute_.add(DNNL_ARG_SRC, r.incoming);
    compute_.add(DNNL_ARG_DST, output());
  }
  void bind(const std::uint8_t* in, std::byte* out) override {
    compute_.set_bytes(DNNL_ARG_SRC, const_cast<std::uint8_t*>(in)); // oneDNN's interface knows no const
    compute_.set_bytes(DNNL_ARG_DST, out);
  }
  void run() override { compute_.run(); }

private:
  kernel compute_;
};

} // namespace

std::unique_ptr<quantised_stage> make_quantised_view(const dnnl::memory::desc& bytes) {
  return std::make_unique<quantised_view>(bytes);
}

std::unique_ptr<quantised_stage> make_quantised_pool(const quantised_request& request,
                                                     const sample_shape& output,
                                                     const quantised_window& window,
                                                     dnnl::algorithm algorithm) {
  const auto& p = window.place;
  if (algorithm == dnnl::algorithm::pooling_max && window.size == 2 && window.step == 2 &&
      p.top + p.bottom + p.left + p.right == 0)
    return std::make_unique<quantised_max_of_four>(request, output);
  return std::make_unique<quantised_pool>(request, output, window, algorithm);
}

} // namespace triage
