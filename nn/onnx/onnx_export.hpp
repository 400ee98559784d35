#pragma once

#include "core/dataset.hpp"
#include "nn/loss.hpp"
#include "nn/network.hpp"

#include <span>
#include <string>

namespace triage {

/// What an ONNX file says about itself, beside the graph.
struct onnx_about {
  std::string name = {}; ///< of the graph
  std::string producer_version = {};
  std::vector<std::string> outputs = {};  ///< names of the predictions of a sample; empty: unknown
  std::vector<std::string> features = {}; ///< of the values of a row; empty: unknown
  std::string input = {};                 ///< what values samples have, for people
};

/// A network with its parameters as an ONNX file (operator set 13): it takes samples unscaled, as the data
/// has them ("input", float32: N x C x H x W images, bytes as 0 to 255, or N x values), standardises them,
/// and gives what `predict` gives ("prediction"), and behind a softmax or sigmoid also what went into it
/// ("logits"). An error where a layer has no form in ONNX, or the file would be larger than 2 GB.
[[nodiscard]] result<std::string> to_onnx(const network& net, std::span<const float> parameters,
                                          const standardisation& standard, const loss_function& loss,
                                          const onnx_about& about);

} // namespace triage
