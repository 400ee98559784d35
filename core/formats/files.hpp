#pragma once

#include "core/dataset.hpp"
#include "core/result.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace triage {

/// A file that is read once, from front to back; gzip is recognised by its content and unpacked on the way.
/// Every error is of kind `data` and starts with the path. No number in a file is trusted: memory is taken
/// only for bytes that the file can hold (plain) or that have arrived (gzip).
class input_file {
public:
  /// Refuses what does not exist, is no regular file, is empty or cannot be opened.
  [[nodiscard]] static result<input_file> open(const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] bool packed() const { return packed_; }
  /// The most bytes that can still follow: exact for a plain file; for gzip what deflate can expand to.
  [[nodiscard]] std::uint64_t most_remaining() const;

  /// Reads as many bytes as there are, up to out.size(); less than that means the end of the file.
  [[nodiscard]] result<std::size_t> read_some(std::span<std::uint8_t> out);
  /// Fills `out`; a file that ends before is an error, and `what` says what was being read.
  [[nodiscard]] result<void> read_exactly(std::span<std::uint8_t> out, std::string_view what);
  /// The next `count` bytes. A count that the file cannot hold is refused before any memory is taken.
  [[nodiscard]] result<std::vector<std::uint8_t>> read_block(std::uint64_t count, std::string_view what);
  /// Everything up to the end.
  [[nodiscard]] result<std::string> read_rest();
  /// An error when bytes follow; also the moment when a damaged gzip trailer is noticed.
  [[nodiscard]] result<void> expect_end();

  /// A data error "PATH: problem".
  [[nodiscard]] error problem(std::string_view text) const;

private:
  struct stream_closer {
    void operator()(void* stream) const;
  };
  input_file() = default;

  std::string path_;
  std::unique_ptr<void, stream_closer> stream_;
  std::uint64_t capacity_ = 0; ///< upper bound of the unpacked size
  std::uint64_t position_ = 0;
  bool packed_ = false;
};

/// The first of `names` that exists in `folder`, plain or with ".gz"; empty when there is none.
[[nodiscard]] std::string find_in_folder(const std::string& folder, std::span<const std::string> names);

/// The training file and the (possibly empty) test file of a format that needs one file per set: `train` and
/// `test`, else the file `path`, else `train.EXTENSION` and `test.EXTENSION` in the folder `path`.
struct file_pair {
  std::string train;
  std::string test;
};
[[nodiscard]] result<file_pair> find_file_pair(const data_source& source,
                                               std::span<const std::string_view> extensions);

/// `file` below the folder `path` when it is relative and there is such a folder.
[[nodiscard]] std::string resolve_path(const data_source& source, const std::string& file);

/// `path` must be an existing folder; `wanted` says which files are expected in it.
[[nodiscard]] result<void> require_folder(const std::string& path, std::string_view wanted);

} // namespace triage
