#pragma once

#include "core/result.hpp"
#include "core/safetensors.hpp"
#include "core/saved_state.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace triage {

/// Everything that a run needs to go on: parameters by tensor, and the state of all its parts.
struct checkpoint_content {
  std::int64_t step = 0;
  std::vector<named_tensor> model;
  saved_state state;
};

constexpr std::int64_t only_this = 0;

/// Writes `<directory>/step-<12 digits>/` with model.safetensors, state.safetensors, manifest.json (SHA-256
/// of every file and tensor) and DONE, then points `<directory>/latest` to it and removes the oldest: this
/// one and the `keep` - 1 before it stay, as do those of later steps; with `only_this` nothing else stays.
/// Returns the path.
///
/// Atomic: files are written into a hidden directory and made durable, DONE last, and only then does a
/// rename make the checkpoint visible under its name. A crash at any point leaves a healthy checkpoint where
/// there was one; a failure (full disk) is an error that says what to do, and what was written is removed.
/// A checkpoint of the same step is first set aside under the name `step-<12 digits>.old`, which readers
/// know. One writer at a time. Holds each array once, and once more as the bytes of its file. `before_step`,
/// for tests, is called before each operation and stops the write by returning false, as a crash would:
/// nothing is tidied up then.
[[nodiscard]] result<std::string> write_checkpoint(const std::string& directory, checkpoint_content content,
                                                   std::int64_t keep,
                                                   const std::function<bool(const char*)>& before_step = {});

/// Reads and verifies one checkpoint. Whatever is wrong is an error of kind data that names the file or the
/// tensor that is damaged.
[[nodiscard]] result<checkpoint_content> read_checkpoint(const std::string& path);

/// The checkpoints in a directory, newest first; whether they are healthy is not looked at.
[[nodiscard]] std::vector<std::string> list_checkpoints(const std::string& directory);

struct loaded_checkpoint {
  checkpoint_content content;
  std::string path;
  std::vector<std::string> rejected; ///< newer ones that could not be used, each with its reason
};
/// The newest checkpoint that verifies.
[[nodiscard]] result<loaded_checkpoint> read_latest_checkpoint(const std::string& directory);

} // namespace triage
