#include "nn/network.hpp"
#include "nn/layer_chain.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace triage {

result<std::shared_ptr<const network>> network::build(const json_value& model, const json_place& place,
                                                      const sample_shape& input, std::int64_t output_width,
                                                      layer_table extra, std::int64_t batch_hint) {
  auto chain = make_layers(model, place, input, extra);
  if (!chain.ok())
    return chain.error();
  if (std::none_of(chain->begin(), chain->end(), [](const auto& l) { return l->has_parameters(); }))
    return json_error(place, model, "has no layer with parameters; there is nothing to train");
  const sample_shape out = chain->back()->output_shape();
  if (out.size() != output_width || out.is_image())
    return json_error(
        place, model,
        fmt::format("the last layer ({}) gives {} values per sample, but loss and data need {}; end the "
                    "model with {{\"type\": \"dense\", \"units\": {}}}",
                    chain->back()->type(), to_string(out), output_width, output_width));
  std::shared_ptr<network> net(new network);
  net->input_ = input;
  net->output_width_ = output_width;
  net->layers_ = chain.take();
  std::vector<std::size_t> first_tensors;
  for (std::size_t i = 0; i < net->layers_.size(); ++i) {
    first_tensors.push_back(net->parameters_.tensors().size());
    net->layers_[i]->declare(net->parameters_, layer_prefix("", i, *net->layers_[i]), batch_hint);
  }
  net->parameters_.finish();
  net->trained_offsets_ = net->find_trained_offsets(first_tensors);
  net->trained_ends_ = net->find_trained_ends(first_tensors);
  constexpr std::size_t most = std::size_t{1} << 31U;
  if (net->parameters_.size() > most)
    return json_error(place, model,
                      fmt::format("has {} parameters, more than 2^31", net->parameters_.size()));
  for (const auto& l : net->layers_)
    l->locate(net->parameters_);
  return std::shared_ptr<const network>(std::move(net));
}

std::vector<std::size_t> network::find_trained_offsets(const std::vector<std::size_t>& first_tensors) const {
  const auto& tensors = parameters_.tensors();
  std::vector<std::size_t> offsets;
  for (const std::size_t first : first_tensors) {
    const auto at = std::find_if(tensors.begin() + static_cast<std::ptrdiff_t>(first), tensors.end(),
                                 [](const auto& t) { return t.trained; });
    offsets.push_back(at == tensors.end() ? parameters_.trained_size() : at->offset);
  }
  return offsets;
}

std::vector<std::size_t> network::find_trained_ends(const std::vector<std::size_t>& first_tensors) const {
  const auto& tensors = parameters_.tensors();
  std::vector<std::size_t> ends(first_tensors.size(), 0);
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const std::size_t behind = i + 1 < ends.size() ? first_tensors[i + 1] : tensors.size();
    for (std::size_t t = first_tensors[i]; t < behind; ++t)
      if (tensors[t].trained)
        ends[i] = tensors[t].offset + tensors[t].size; // offsets rise
  }
  return ends;
}

std::string network::missing_sample_gradients() const {
  for (std::size_t i = 0; i < layers_.size(); ++i)
    if (!layers_[i]->has_sample_gradients())
      return std::to_string(i) + ": " + std::string(layers_[i]->type());
  return {};
}

bool network::ends_in_dense() const {
  return layers_.back()->type() == "dense";
}

json_value network::describe() const {
  json_value::array out;
  for (const auto& l : layers_)
    out.push_back(l->describe());
  return json_value(std::move(out));
}

std::string network::summary() const {
  std::string text = fmt::format("input {}\n", to_string(input_));
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const std::string prefix = fmt::format("{}.", i);
    std::size_t values = 0;
    for (const auto& t : parameters_.tensors())
      if (t.name.starts_with(prefix) && t.trained)
        values += t.size;
    text += fmt::format("{:>3}  {:<16} {:<14} {:>10}\n", i, layers_[i]->type(),
                        to_string(layers_[i]->output_shape()), values);
  }
  return text + fmt::format("{} trained values, {:.2f} Mflop per sample and forward pass\n",
                            parameters_.trained_values(), forward_flops() / 1e6);
}

double network::forward_flops() const {
  double total = 0.0;
  for (const auto& l : layers_)
    total += l->flops();
  return total;
}

} // namespace triage
