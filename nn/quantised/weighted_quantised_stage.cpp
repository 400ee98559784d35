#include "nn/quantised/weighted_quantised_stage.hpp"

#include <algorithm>

namespace triage {

namespace {

/// Kernels read whole vectors of factors: there is room behind the last one.
constexpr std::size_t margin = 16;

} // namespace

weighted_quantised_stage::weighted_quantised_stage(const quantised_request& r, dnnl::memory::desc output,
                                                   const quantised_weights& place,
                                                   const dnnl::memory::desc& plain,
                                                   std::vector<std::size_t> places, std::size_t row_width)
    : quantised_stage(std::move(output)), engine_(r.engine), place_(place),
      matrix_(static_cast<std::size_t>(plain.dims()[0]),
              plain.get_size() / sizeof(float) / static_cast<std::size_t>(plain.dims()[0])),
      places_(std::move(places)), row_width_(row_width),
      spread_(places_.empty() ? 0 : matrix_.rows * row_width_), unpacks_(!(place.storage == plain)),
      multiplier_(matrix_.rows + margin), constant_(matrix_.rows + margin) {
  if (unpacks_) {
    plain_ = float_buffer(plain.get_size() / sizeof(float));
    unpack_ = make_reorder(engine_, place.storage, plain);
    unpack_.set(DNNL_ARG_TO, plain_.data());
  }
}

void weighted_quantised_stage::set_rearrangement(const dnnl::memory::desc& from,
                                                 const dnnl::memory::desc& to) {
  spread_.resize(to.get_size());
  rearrange_ = make_reorder(engine_, from, to);
  rearrange_.set_bytes(DNNL_ARG_FROM, matrix_.values.data());
  rearrange_.set_bytes(DNNL_ARG_TO, spread_.data());
}

void weighted_quantised_stage::set_kernel(kernel compute, const dnnl::memory::desc& rows,
                                          const dnnl::memory::desc& wanted,
                                          const dnnl::memory::desc& multiplier, int multiplier_argument) {
  const auto floats = [](std::size_t bytes) { return (bytes + sizeof(float) - 1) / sizeof(float); };
  packed_ = float_buffer(floats(wanted.get_size()));
  pack_ = make_reorder(engine_, rows, wanted);
  pack_.set_bytes(DNNL_ARG_FROM, spread_.empty() ? matrix_.values.data() : spread_.data());
  pack_.set_bytes(DNNL_ARG_TO, packed_.data());
  const auto channels = static_cast<std::int64_t>(matrix_.rows);
  compute_ = std::move(compute);
  compute_.add(DNNL_ARG_WEIGHTS, wanted);
  compute_.set_bytes(DNNL_ARG_WEIGHTS, packed_.data());
  compute_.add(DNNL_ARG_BIAS, {{channels}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a},
               constant_.data());
  compute_.add(multiplier_argument, multiplier, multiplier_.data());
}

void weighted_quantised_stage::load(const float* parameters, const byte_meaning& in, float output_scale) {
  const float* weights = parameters + place_.weight;
  if (unpacks_) {
    unpack_.set(DNNL_ARG_FROM, weights);
    unpack_.run();
    weights = plain_.data();
  }
  // Channels that are scaled differently go into the weights; one scale for all goes into the multiplier.
  const bool varies = in.scale.size() > 1;
  const std::size_t pixels = matrix_.columns / in.scale.size(); // columns that belong to one channel
  const bool shifted = std::any_of(in.shift.begin(), in.shift.end(), [](float t) { return t != 0.0F; });
  column_scale_.resize(varies ? matrix_.columns : 0);
  column_offset_.resize(shifted ? matrix_.columns : 0);
  for (std::size_t j = 0; j < column_scale_.size(); ++j)
    column_scale_[j] = in.scale[j / pixels];
  for (std::size_t j = 0; j < column_offset_.size(); ++j) {
    column_offset_[j] = in.shift[j / pixels] / in.scale[j / pixels];
  }
  quantise_rows(weights, column_scale_, column_offset_, matrix_);
  if (!places_.empty())
    for (std::size_t o = 0; o < matrix_.rows; ++o)
      for (std::size_t j = 0; j < places_.size(); ++j)
        spread_[o * row_width_ + places_[j]] = matrix_.values[o * matrix_.columns + j];
  if (!rearrange_.empty())
    rearrange_.run();
  if (!pack_.empty())
    pack_.run();
  const float input_scale = varies ? 1.0F : in.scale[0];
  for (std::size_t o = 0; o < matrix_.rows; ++o) {
    const float step = input_scale * matrix_.scale[o];
    const float bias = place_.bias ? parameters[*place_.bias + o] : 0.0F;
    multiplier_.data()[o] = step / output_scale;
    constant_.data()[o] = bias / step + matrix_.offset[o];
  }
}

} // namespace triage
