#include "nn/model_tensors.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace triage {

std::vector<named_tensor> read_model(const parameter_layout& layout, std::span<const float> block) {
  std::vector<named_tensor> out;
  for (std::size_t i = 0; i < layout.tensors().size(); ++i)
    out.push_back({layout[i].name, layout[i].shape, layout.read(block, i)});
  return out;
}

result<void> write_model(const parameter_layout& layout, const std::vector<named_tensor>& tensors,
                         std::span<float> block) {
  for (const auto& t : tensors)
    if (std::none_of(layout.tensors().begin(), layout.tensors().end(),
                     [&](const auto& p) { return p.name == t.name; }))
      return data_error(
          fmt::format("the saved model has a tensor \"{}\" that this model does not have", t.name));
  for (std::size_t i = 0; i < layout.tensors().size(); ++i) {
    const auto& wanted = layout[i];
    const auto at =
        std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == wanted.name; });
    if (at == tensors.end())
      return data_error(fmt::format("the saved model has no tensor \"{}\"", wanted.name));
    if (at->shape != wanted.shape || at->values.size() != wanted.size)
      return data_error(fmt::format("the saved tensor \"{}\" has shape [{}], this model needs [{}]",
                                    wanted.name, fmt::join(at->shape, ", "), fmt::join(wanted.shape, ", ")));
    layout.write(block, i, at->values);
  }
  layout.clear_gaps(block);
  return {};
}

} // namespace triage
