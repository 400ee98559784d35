#include "core/compressors/compressors.hpp"
#include "core/compressors/kept_share.hpp"
#include "core/finite.hpp"

#include <algorithm>
#include <bit>
#include <vector>

namespace triage {

namespace {

/// The bits of |x|, which order floats as their sizes do.
std::uint32_t size_bits(float x) {
  return std::bit_cast<std::uint32_t>(x) & 0x7FFFFFFFU;
}

/// The places of the `count` largest, in rising order; of equal ones the first. A histogram over the leading
/// bits says in one pass where the smallest of them lies; only what shares those bits with it is sorted.
std::vector<std::uint32_t> largest(std::span<const float> values, std::size_t count) {
  constexpr unsigned shift = 19; // sign bit aside: 8 of exponent, 4 of mantissa
  std::vector<std::uint32_t> histogram(std::size_t{1} << (31U - shift));
  for (const float x : values)
    ++histogram[size_bits(x) >> shift];
  std::size_t above = 0;
  std::size_t bin = histogram.size();
  while (bin > 0 && above + histogram[bin - 1] <= count)
    above += histogram[--bin];
  std::vector<std::uint32_t> places;
  std::vector<std::uint32_t> doubtful;
  places.reserve(count);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t b = size_bits(values[i]) >> shift;
    if (b >= bin)
      places.push_back(static_cast<std::uint32_t>(i));
    else if (b + 1 == bin)
      doubtful.push_back(static_cast<std::uint32_t>(i));
  }
  const auto rest = doubtful.begin() + static_cast<std::ptrdiff_t>(count - places.size());
  std::nth_element(doubtful.begin(), rest, doubtful.end(), [&](auto a, auto b) {
    const auto x = size_bits(values[a]);
    const auto y = size_bits(values[b]);
    return x != y ? x > y : a < b;
  });
  places.insert(places.end(), doubtful.begin(), rest);
  std::sort(places.begin(), places.end());
  return places;
}

/// The largest values with their places: a count, the places, the values. Where places would cost more than
/// they save all values are sent, and no places.
class top_k_compressor : public compressor {
public:
  void visit(option_visitor& v) override { share_.visit(v); }

  void encode(std::span<const float> values, std::uint64_t round, byte_block& out) const override {
    out.clear();
    const std::size_t count = share_.count(values.size(), round);
    if (2 * count >= values.size()) {
      put_count(out, values.size());
      put(out, values);
      return;
    }
    const auto places = largest(values, count);
    std::vector<float> kept(count);
    for (std::size_t i = 0; i < count; ++i)
      kept[i] = values[places[i]];
    put_count(out, count);
    put<std::uint32_t>(out, places);
    put<float>(out, kept);
  }

  [[nodiscard]] result<void> decode(std::span<const std::uint8_t> bytes,
                                    std::span<float> out) const override {
    std::uint32_t count = 0;
    if (bytes.size() < sizeof count)
      return not_encoded("top_k");
    get(bytes, 0, std::span(&count, 1));
    const std::size_t per_value = count == out.size() ? 4 : 8;
    if (count > out.size() || bytes.size() != sizeof count + per_value * count)
      return not_encoded("top_k");
    if (count == out.size()) {
      get(bytes, sizeof count, out);
      return all_finite(out) ? result<void>() : not_encoded("top_k");
    }
    std::vector<std::uint32_t> places(count);
    std::vector<float> kept(count);
    get<std::uint32_t>(bytes, sizeof count, places);
    get<float>(bytes, sizeof count + 4 * std::size_t{count}, kept);
    const bool rising =
        std::adjacent_find(places.begin(), places.end(), std::greater_equal<>()) == places.end();
    if (!rising || (count > 0 && places.back() >= out.size()) || !all_finite(kept))
      return not_encoded("top_k");
    std::fill(out.begin(), out.end(), 0.0F);
    for (std::size_t i = 0; i < count; ++i)
      out[places[i]] = kept[i];
    return {};
  }

  [[nodiscard]] double worst_error(std::size_t floats) const override {
    const std::size_t count = share_.count(floats, 1000);
    return 2 * count >= floats ? 0.0 : 1.0 - static_cast<double>(count) / static_cast<double>(floats);
  }

private:
  static void put_count(byte_block& out, std::size_t count) {
    const auto n = static_cast<std::uint32_t>(count);
    put(out, std::span(&n, 1));
  }
  kept_share share_;
};

} // namespace

std::unique_ptr<compressor> make_top_k_compressor() {
  return std::make_unique<top_k_compressor>();
}

} // namespace triage
