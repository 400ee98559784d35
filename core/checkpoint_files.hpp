#pragma once

#include "core/result.hpp"
#include "core/safetensors.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace triage {

// Names and files of checkpoints, for core/checkpoint.cpp and core/checkpoint_write.cpp.

namespace checkpoint_files {
inline constexpr const char* model = "model.safetensors";
inline constexpr const char* state = "state.safetensors";
inline constexpr const char* manifest = "manifest.json";
inline constexpr const char* done = "DONE";
} // namespace checkpoint_files

/// Where a checkpoint lies. One that was set aside makes room for a new one of the same step.
struct checkpoint_place {
  std::int64_t step = 0;
  bool set_aside = false;
  std::string path;
};
[[nodiscard]] std::string checkpoint_name(std::int64_t step, bool set_aside = false);
/// Newest first; of the same step, one that was set aside comes last.
[[nodiscard]] std::vector<checkpoint_place> find_checkpoints(const std::string& directory);
/// The names in a directory; none when it cannot be read.
[[nodiscard]] std::vector<std::string> names_in(const std::string& directory);

/// What a manifest says about one tensor file.
struct tensor_file_record {
  std::uint64_t bytes = 0;
  std::string hash;
  std::vector<std::pair<std::string, std::string>> tensors; ///< name and SHA-256 of the values
};

struct checkpoint_manifest {
  std::int64_t step = 0;
  tensor_file_record model;
  tensor_file_record state;
};

[[nodiscard]] tensor_file_record describe_tensor_file(std::string_view bytes,
                                                      const std::vector<stored_tensor>& tensors);
[[nodiscard]] std::string encode_manifest(const checkpoint_manifest& manifest);
/// The contents of DONE: the hash of the manifest, which holds those of everything else.
[[nodiscard]] std::string seal_of(std::string_view manifest_bytes);

/// The manifest in the directory, checked against DONE. Errors are of kind data.
[[nodiscard]] result<checkpoint_manifest> read_manifest(const std::string& directory);
/// The tensors of a file, checked against its record. The error names the damaged tensors, as far as the
/// file's header can still be read.
[[nodiscard]] result<std::vector<stored_tensor>> read_tensor_file(const std::string& path,
                                                                  const tensor_file_record& record);

} // namespace triage
