#pragma once

#include "core/dataset.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>
#include <zlib.h>

namespace triage::test {

/// A folder of its own for one test, gone with it.
class temp_folder {
public:
  temp_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "triage_data_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr)
      throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~temp_folder() {
    std::error_code ec;
    std::filesystem::remove_all(path_, ec);
  }
  temp_folder(const temp_folder&) = delete;
  temp_folder& operator=(const temp_folder&) = delete;

  [[nodiscard]] std::string path(const std::string& name = {}) const {
    return name.empty() ? path_.string() : (path_ / name).string();
  }
  /// Writes a file and returns its path.
  std::string write(const std::string& name, std::string_view bytes) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::filesystem::remove(path_ / name); // ext4 flushes a file that is truncated and written again
    std::ofstream out(path_ / name, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path(name);
  }

private:
  std::filesystem::path path_;
};

inline std::string gzip(std::string_view bytes) {
  z_stream z{};
  deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, static_cast<uLong>(bytes.size())) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

/// An IDX file of unsigned bytes; the header says what `dimensions` say, whatever `values` are.
inline std::string idx_file(const std::vector<std::uint32_t>& dimensions, std::string_view values) {
  std::string out{'\0', '\0', '\x08', static_cast<char>(dimensions.size())};
  for (const auto d : dimensions)
    for (const int shift : {24, 16, 8, 0})
      out += static_cast<char>(d >> static_cast<unsigned>(shift));
  return out.append(values);
}

/// `count` bytes 0, 1, 2, …
inline std::string counting(std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i)
    out += static_cast<char>(i);
  return out;
}

/// load_data with the description as JSON text, in which every ' stands for ".
inline result<data_splits> load(std::string description, std::uint64_t seed = 1,
                                json_value* resolved = nullptr) {
  for (auto& c : description)
    c = c == '\'' ? '"' : c;
  auto json = parse_json(description, "run.json");
  if (!json.ok())
    return json.error();
  return load_data(*json, {"run.json", "/data"}, seed, resolved);
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// The message of an error of kind `data`; says so when there is none, or one of another kind.
template <class T>
std::string data_problem(const result<T>& r) {
  if (r.ok())
    return "(no error)";
  return r.error().kind == error_kind::data ? r.error().message : "(not a data error) " + r.error().message;
}

} // namespace triage::test
