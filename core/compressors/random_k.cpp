#include "core/compressors/compressors.hpp"
#include "core/compressors/kept_share.hpp"
#include "core/finite.hpp"
#include "core/rng.hpp"

#include <algorithm>
#include <vector>

namespace triage {

namespace {

/// One value of each of `count` equal stretches, at a place that a number decides which travels along: both
/// sides draw the same places, and only values are sent.
class random_k_compressor : public compressor {
public:
  void visit(option_visitor& v) override { share_.visit(v); }

  void encode(std::span<const float> values, std::uint64_t round, byte_block& out) const override {
    out.clear();
    const auto count = static_cast<std::uint64_t>(share_.count(values.size(), round));
    const std::uint64_t head[2] = {round, count};
    put<std::uint64_t>(out, head);
    std::vector<float> kept;
    kept.reserve(count);
    for_places(round, count, values.size(), [&](std::size_t at) { kept.push_back(values[at]); });
    put<float>(out, kept);
  }

  [[nodiscard]] result<void> decode(std::span<const std::uint8_t> bytes,
                                    std::span<float> out) const override {
    std::uint64_t head[2] = {};
    if (bytes.size() < sizeof head)
      return not_encoded("random_k");
    get<std::uint64_t>(bytes, 0, head);
    const auto [round, count] = head;
    if (count > out.size() || (count == 0) != out.empty() ||
        bytes.size() != sizeof head + sizeof(float) * count)
      return not_encoded("random_k");
    std::vector<float> kept(count);
    get<float>(bytes, sizeof head, kept);
    if (!all_finite(kept))
      return not_encoded("random_k");
    std::fill(out.begin(), out.end(), 0.0F);
    std::size_t next = 0;
    for_places(round, count, out.size(), [&](std::size_t at) { out[at] = kept[next++]; });
    return {};
  }

  /// What is chosen may be all zeros.
  [[nodiscard]] double worst_error(std::size_t floats) const override {
    return share_.count(floats, 1000) == floats ? 0.0 : 1.0;
  }

private:
  template <class Visit>
  static void for_places(std::uint64_t round, std::uint64_t count, std::size_t floats, const Visit& visit) {
    rng random(0x72616e646f6d6bULL, round); // the places are no secret, and the same for all who compress
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::size_t begin = i * floats / count;
      const std::size_t end = (i + 1) * floats / count;
      visit(begin + random.below(end - begin));
    }
  }
  kept_share share_;
};

} // namespace

std::unique_ptr<compressor> make_random_k_compressor() {
  return std::make_unique<random_k_compressor>();
}

} // namespace triage
