#include "apps/ledger/png.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <stdexcept>
#include <vector>
#include <zlib.h>

namespace triage {

namespace {

void put_u32(std::string& out, std::uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out += static_cast<char>((v >> static_cast<unsigned>(shift)) & 0xFFU);
}

const Bytef* bytes_of(const std::string& text) {
  return reinterpret_cast<const Bytef*>(text.data());
}

void put_chunk(std::string& out, const char* type, const std::string& data) {
  put_u32(out, static_cast<std::uint32_t>(data.size()));
  const std::string body = type + data;
  out += body;
  put_u32(out, static_cast<std::uint32_t>(crc32(0, bytes_of(body), static_cast<uInt>(body.size()))));
}

std::vector<std::uint8_t> pixels_of(const dataset& set, std::size_t id) {
  const auto n = static_cast<std::size_t>(set.shape.size());
  std::vector<std::uint8_t> planes(n);
  if (set.is_bytes()) {
    std::copy_n(set.byte_rows()[id], n, planes.begin());
  } else {
    const float* const x = set.float_rows()[id];
    const auto [low, high] = std::minmax_element(x, x + n);
    const float range = *high > *low ? *high - *low : 1.0F;
    for (std::size_t i = 0; i < n; ++i)
      planes[i] = static_cast<std::uint8_t>((x[i] - *low) / range * 255.0F + 0.5F);
  }
  const auto channels = static_cast<std::size_t>(set.shape.channels);
  const std::size_t plane = n / channels;
  std::vector<std::uint8_t> out(n);
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t i = 0; i < plane; ++i)
      out[i * channels + c] = planes[c * plane + i];
  return out;
}

} // namespace

std::string encode_png(std::span<const std::uint8_t> pixels, std::uint32_t width, std::uint32_t height,
                       int channels) {
  const std::size_t row = static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
  std::string raw;
  for (std::uint32_t y = 0; y < height; ++y) {
    raw += '\0'; // no filter
    raw.append(reinterpret_cast<const char*>(pixels.data() + y * row), row);
  }
  uLongf size = compressBound(static_cast<uLong>(raw.size()));
  std::string packed(size, '\0');
  if (compress(reinterpret_cast<Bytef*>(packed.data()), &size, bytes_of(raw),
               static_cast<uLong>(raw.size())) != Z_OK)
    throw std::runtime_error("a picture could not be compressed");
  packed.resize(size);
  std::string header;
  put_u32(header, width);
  put_u32(header, height);
  header += {8, static_cast<char>(channels == 3 ? 2 : 0), 0, 0, 0};
  std::string out = "\x89PNG\r\n\x1a\n";
  put_chunk(out, "IHDR", header);
  put_chunk(out, "IDAT", packed);
  put_chunk(out, "IEND", "");
  return out;
}

std::string encode_base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](std::size_t k) {
      return k < bytes.size() ? std::uint32_t{static_cast<unsigned char>(bytes[k])} : 0U;
    };
    const std::uint32_t word = (at(i) << 16U) | (at(i + 1) << 8U) | at(i + 2);
    for (std::size_t k = 0; k < 4; ++k)
      out += i + k <= bytes.size() ? digits[(word >> (18U - 6U * k)) & 63U] : '=';
  }
  return out;
}

bool is_picture(const sample_shape& shape) {
  return shape.is_image() && (shape.channels == 1 || shape.channels == 3);
}

std::string picture_tag(const dataset& set, std::size_t id) {
  const auto png =
      encode_png(pixels_of(set, id), static_cast<std::uint32_t>(set.shape.width),
                 static_cast<std::uint32_t>(set.shape.height), static_cast<int>(set.shape.channels));
  return fmt::format("<img alt=\"point {}\" src=\"data:image/png;base64,{}\">", id, encode_base64(png));
}

} // namespace triage
