#include "core/formats/libsvm_samples.hpp"

#include "core/formats/libsvm_parser.hpp"
#include "core/formats/text.hpp"

#include <fmt/format.h>
#include <optional>

namespace triage {

result<dataset> read_libsvm_samples(const std::string& path, std::uint64_t first, std::uint64_t features) {
  const auto text = read_text_file(path);
  if (!text.ok())
    return text.error();
  target_cells labels{path, {"label"}, {}, {}};
  const auto found = scan_libsvm(*text, labels, libsvm_labels::optional);
  if (!found.ok())
    return found.error();
  if (!found->any_feature)
    return data_error(fmt::format("{}: holds no features, only labels", path));
  if (auto fits = check_dense_libsvm(path, text->size(), found->rows, features); !fits.ok())
    return fits.error();
  dataset set;
  set.shape.channels = static_cast<std::int64_t>(features);
  set.size = found->rows;
  set.floats.resize(found->rows * features);
  std::optional<error> odd;
  visit_libsvm(*text, [&](std::uint64_t row, std::uint64_t index, double value) {
    if (index >= first && index - first < features)
      set.floats[row * features + index - first] = static_cast<float>(value);
    else if (!odd)
      odd = data_error(
          fmt::format("{}, line {}: has feature {}, but the model was trained on features {} to {}; "
                      "number them as in its training data, and leave out what is not in that",
                      path, labels.lines[row], index, first, first + features - 1));
  });
  if (odd)
    return *odd;
  return set;
}

} // namespace triage
