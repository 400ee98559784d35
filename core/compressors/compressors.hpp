#pragma once

#include "core/compressor.hpp"

#include <cstring>

namespace triage {

// One factory per compressor; the table in core/compressor.cpp gives them their names.

[[nodiscard]] std::unique_ptr<compressor> make_no_compressor();
[[nodiscard]] std::unique_ptr<compressor> make_int8_compressor();
[[nodiscard]] std::unique_ptr<compressor> make_sign_compressor();
[[nodiscard]] std::unique_ptr<compressor> make_top_k_compressor();
[[nodiscard]] std::unique_ptr<compressor> make_random_k_compressor();

[[nodiscard]] inline error not_encoded(const char* how) {
  return run_error(std::string("compressed values (") + how + ") do not have the form that they should have");
}

/// Plain values one behind the other, as they lie in memory (little endian, see core/wire.hpp).
template <class T>
void put(byte_block& out, std::span<const T> values) {
  if (values.empty())
    return;
  const std::size_t at = out.size();
  out.resize(at + values.size_bytes());
  std::memcpy(out.data() + at, values.data(), values.size_bytes());
}
template <class T>
void get(std::span<const std::uint8_t> bytes, std::size_t at, std::span<T> values) {
  if (!values.empty())
    std::memcpy(values.data(), bytes.data() + at, values.size_bytes());
}

} // namespace triage
