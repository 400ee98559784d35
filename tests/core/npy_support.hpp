#pragma once

#include "tests/core/storage_support.hpp"

namespace triage::test {

/// A .npy file whose header says what it is told, whatever `data` is.
inline std::string npy_bytes(const std::string& dtype, const std::string& shape, std::string_view data,
                             int version = 1, const std::string& fortran = "False") {
  std::string header =
      "{'descr': '" + dtype + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
  std::string out = "\x93NUMPY";
  out += static_cast<char>(version);
  out += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i)
    out += static_cast<char>((header.size() >> (8 * i)) & 0xFFU);
  return out.append(header).append(data);
}

/// The bytes of values in memory.
template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

} // namespace triage::test
