#include "sampling/irreducible_losses.hpp"

#include "core/npy.hpp"
#include "core/npz.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace triage {

namespace {

constexpr std::string_view losses_name = "losses";
constexpr std::string_view fingerprint_name = "data_fingerprint";

bool is_archive(const std::string& file) {
  return file.ends_with(".npz");
}

result<named_arrays> read_arrays(const std::string& file) {
  if (is_archive(file))
    return read_npz(file);
  auto array = read_npy(file);
  if (!array.ok())
    return array.error();
  named_arrays out;
  out.emplace_back(losses_name, array.take());
  return out;
}

} // namespace

result<irreducible_losses> irreducible_losses::read(const std::string& file, const json_place& option) {
  auto arrays = read_arrays(file);
  if (!arrays.ok())
    return with_context(arrays.error(),
                        option.source + ", " + option.pointer +
                            "; `triage irreducible RUN.json --output FILE` makes such a file");
  const auto find = [&](std::string_view name) -> npy_array* {
    const auto at =
        std::find_if(arrays->begin(), arrays->end(), [&](const auto& a) { return a.first == name; });
    return at == arrays->end() ? nullptr : &at->second;
  };
  npy_array* losses = find(losses_name);
  auto* values = losses == nullptr ? nullptr : std::get_if<std::vector<float>>(&losses->values);
  if (values == nullptr || losses->shape.size() != 1)
    return data_error(fmt::format("{}: must hold {}one float for each training point", file,
                                  is_archive(file) ? "an array \"losses\" with " : ""));
  if (const auto odd = std::find_if_not(values->begin(), values->end(),
                                        [](float v) { return std::isfinite(v) && v >= 0.0F; });
      odd != values->end())
    return data_error(fmt::format("{}: the loss of point {} is {}", file, odd - values->begin(),
                                  std::isfinite(*odd) ? "negative" : "not finite"));
  irreducible_losses out;
  out.file_ = file;
  out.values_ = std::move(*values);
  if (const npy_array* fingerprint = find(fingerprint_name))
    if (const auto* bytes = std::get_if<std::vector<std::uint8_t>>(&fingerprint->values))
      out.data_fingerprint_.assign(bytes->begin(), bytes->end());
  return out;
}

result<void> irreducible_losses::check(std::size_t points, std::string_view data_fingerprint) const {
  constexpr const char* advice = "run `triage irreducible` with the same \"data\" and seed";
  if (values_.size() != points)
    return data_error(fmt::format("{}: holds {} irreducible losses, the training set has {} points; {}",
                                  file_, values_.size(), points, advice));
  if (!data_fingerprint_.empty() && data_fingerprint_ != data_fingerprint)
    return data_error(fmt::format("{}: was measured on other data (fingerprint {:.12} instead of {:.12}); {}",
                                  file_, data_fingerprint_, data_fingerprint, advice));
  return {};
}

result<void> write_irreducible_losses(const std::string& file, std::span<const float> losses,
                                      std::string_view data_fingerprint) {
  const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(losses.size())};
  if (!is_archive(file))
    return write_npy(file, shape, losses);
  const std::vector<std::uint8_t> bytes(data_fingerprint.begin(), data_fingerprint.end());
  return write_npz_arrays({{std::string(losses_name), shape, losses},
                           {std::string(fingerprint_name),
                            {static_cast<std::int64_t>(bytes.size())},
                            std::span<const std::uint8_t>(bytes)}},
                          file);
}

} // namespace triage
