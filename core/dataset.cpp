#include "core/dataset.hpp"

#include "core/formats/formats.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace triage {

registry_table<dataset_format_factory> dataset_formats() {
  static constexpr std::array<registry_entry<dataset_format_factory>, 8> table = {{
      {"idx", "IDX files of unsigned bytes, as MNIST and Fashion-MNIST are published; plain or gzip",
       make_idx_format},
      {"cifar10", "CIFAR-10, binary version; plain or gzip", make_cifar10_format},
      {"cifar100", "CIFAR-100, binary version, with fine or coarse labels; plain or gzip",
       make_cifar100_format},
      {"csv", "comma-separated numbers with a label or target columns; plain or gzip", make_csv_format},
      {"tsv", "tab-separated numbers with a label or target columns; plain or gzip", make_tsv_format},
      {"libsvm", "sparse text of LIBSVM and LightGBM, stored densely; plain or gzip", make_libsvm_format},
      {"npy", "NumPy arrays: .npy files or members of an .npz archive", make_npy_format},
      {"synthetic", "generated data: xor, blobs, spirals, regression, images", make_synthetic_format},
  }};
  return table;
}

std::string data_names::of_class(std::int32_t label) const {
  const auto at = static_cast<std::size_t>(label);
  return at < classes.size() ? classes[at] : std::to_string(label);
}

std::size_t dataset::stored_bytes() const {
  return bytes.size() + floats.size() * sizeof(float) + rows.size() * sizeof(std::uint32_t) +
         labels.size() * sizeof(std::int32_t) + targets.size() * sizeof(float);
}

std::size_t dataset::mapped_row_bytes() const {
  return static_cast<std::size_t>(shape.size()) * (mapped.floats ? sizeof(float) : 1);
}

sample_rows<std::uint8_t> dataset::byte_rows() const {
  return {is_mapped() ? mapped.file->bytes().data() + mapped.offset : bytes.data(),
          static_cast<std::size_t>(shape.size()),
          is_mapped() ? std::span(rows) : std::span<const std::uint32_t>()};
}

sample_rows<float> dataset::float_rows() const {
  return {is_mapped() ? reinterpret_cast<const float*>(mapped.file->bytes().data() + mapped.offset)
                      : floats.data(),
          static_cast<std::size_t>(shape.size()),
          is_mapped() ? std::span(rows) : std::span<const std::uint32_t>()};
}

namespace {

constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

std::size_t first_not_finite(std::span<const float> values) {
  const auto bad = std::find_if_not(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
  return bad == values.end() ? none : static_cast<std::size_t>(bad - values.begin());
}

} // namespace

value_kind kind_of(const dataset& set) {
  constexpr std::size_t most_samples = 4096; // enough to tell 0 to 1 from 0 to 255
  if (set.size == 0 || set.is_bytes())
    return {set.size > 0, 0.0F, set.size > 0 ? 255.0F : 0.0F};
  const auto rows = set.float_rows();
  value_kind out{false, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};
  for (std::size_t i = 0; i < std::min(set.size, most_samples); ++i)
    for (const float v : rows.sample(i)) {
      out.smallest = std::min(out.smallest, v);
      out.largest = std::max(out.largest, v);
    }
  return out;
}

result<void> check_same_kind(const value_kind& trained, const dataset& other, const std::string& name) {
  if (other.size == 0 || trained.bytes == other.is_bytes())
    return {};
  const auto floats = trained.bytes ? kind_of(other) : trained;
  if (floats.smallest >= 0.0F && floats.largest <= 255.0F && floats.largest > 1.0F)
    return {};
  const std::string bytes_text = "bytes from 0 to 255";
  const auto floats_text = fmt::format("numbers from {:g} to {:g}", floats.smallest, floats.largest);
  return data_error(fmt::format("{} holds {}, and the training set {}: give both in the same form", name,
                                trained.bytes ? floats_text : bytes_text,
                                trained.bytes ? bytes_text : floats_text));
}

result<void> check_dataset(const dataset& set, const std::string& name) {
  const auto fail = [&](const std::string& text) {
    return data_error(fmt::format("the {} set {}", name, text));
  };
  if (set.size == 0)
    return fail("has no samples");
  if (set.size > std::numeric_limits<std::uint32_t>::max())
    return fail(fmt::format("has {} samples; more than 2^32 - 1 are not supported", set.size));
  if (set.shape.channels < 1 || set.shape.height < 1 || set.shape.width < 1)
    return fail(fmt::format("has samples of shape {}", to_string(set.shape)));
  const auto per_sample = static_cast<std::size_t>(set.shape.size());
  if (set.is_mapped()) {
    if (!set.bytes.empty() || !set.floats.empty())
      return fail("has samples in memory and in a mapped file");
    if (set.mapped.offset > set.mapped.file->bytes().size())
      return fail("begins behind the end of the mapped file of its samples");
    const std::size_t present =
        (set.mapped.file->bytes().size() - set.mapped.offset) / set.mapped_row_bytes();
    const bool rows_fit =
        set.rows.empty()
            ? set.size <= present
            : set.rows.size() == set.size && *std::max_element(set.rows.begin(), set.rows.end()) < present;
    if (!rows_fit)
      return fail("does not fit the mapped file of its samples");
  } else {
    const std::size_t values = set.bytes.size() + set.floats.size();
    if ((!set.bytes.empty() && !set.floats.empty()) || values / set.size != per_sample ||
        values % set.size != 0)
      return fail(fmt::format("has {} values, which are not {} samples of shape {}", values, set.size,
                              to_string(set.shape)));
  }
  if (!set.rows.empty() && set.rows.size() != set.size)
    return fail(fmt::format("has {} numbers of rows for {} samples", set.rows.size(), set.size));
  if (set.classes < 0 || set.outputs < 0 || (set.classes > 0) == (set.outputs > 0))
    return fail("has neither labels nor targets, or both");
  if (set.classes > 0 && set.labels.size() != set.size)
    return fail(fmt::format("has {} labels for {} samples", set.labels.size(), set.size));
  for (std::size_t i = 0; i < set.labels.size(); ++i)
    if (set.labels[i] < 0 || set.labels[i] >= set.classes)
      return fail(
          fmt::format("has label {} at sample {}; there are {} classes", set.labels[i], i, set.classes));
  const auto outputs = static_cast<std::size_t>(set.outputs);
  if (outputs > 0 && (set.targets.size() / outputs != set.size || set.targets.size() % outputs != 0))
    return fail(
        fmt::format("has {} targets for {} samples with {} outputs", set.targets.size(), set.size, outputs));
  if (!set.is_bytes())
    for (std::size_t i = 0; i < set.size; ++i)
      if (const auto at = first_not_finite(set.float_rows().sample(i)); at != none)
        return fail(fmt::format(
            "has a value that is not finite at sample {}, position {}; clean the data first", i, at));
  if (const auto at = first_not_finite(set.targets); at != none)
    return fail(
        fmt::format("has a target that is not finite at sample {}; clean the data first", at / outputs));
  return {};
}

} // namespace triage
