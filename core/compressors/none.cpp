#include "core/compressors/compressors.hpp"
#include "core/finite.hpp"

namespace triage {

namespace {

class no_compressor : public compressor {
public:
  void encode(std::span<const float> values, std::uint64_t, byte_block& out) const override {
    out.clear();
    put(out, values);
  }
  [[nodiscard]] result<void> decode(std::span<const std::uint8_t> bytes,
                                    std::span<float> out) const override {
    if (bytes.size() != out.size_bytes())
      return not_encoded("none");
    get(bytes, 0, out);
    return all_finite(out) ? result<void>() : not_encoded("none");
  }
  [[nodiscard]] double worst_error(std::size_t) const override { return 0.0; }
};

} // namespace

std::unique_ptr<compressor> make_no_compressor() {
  return std::make_unique<no_compressor>();
}

} // namespace triage
