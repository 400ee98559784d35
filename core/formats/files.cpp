#include "core/formats/files.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <system_error>
#include <zlib.h>

namespace triage {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t deflate_max_ratio = 1032; // a 258-byte match may take two bits
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 38U;
constexpr std::size_t chunk_bytes = std::size_t{1} << 20U;

gzFile as_gz(void* stream) {
  return static_cast<gzFile>(stream);
}

error path_problem(const std::string& path, std::string_view text) {
  return data_error(fmt::format("{}: {}", path, text));
}

} // namespace

void input_file::stream_closer::operator()(void* stream) const {
  gzclose(as_gz(stream));
}

error input_file::problem(std::string_view text) const {
  return path_problem(path_, text);
}

result<input_file> input_file::open(const std::string& path) {
  std::error_code ec;
  const auto status = fs::status(path, ec);
  if (status.type() == fs::file_type::not_found)
    return path_problem(path, "no such file; check the path");
  if (status.type() == fs::file_type::directory)
    return path_problem(path, "is a directory where a file is expected; name a file in it");
  if (status.type() != fs::file_type::regular)
    return path_problem(path, "is no regular file that can be read");
  const std::uint64_t size = fs::file_size(path, ec);
  if (ec)
    return path_problem(path, "its size cannot be read: " + ec.message());
  if (size == 0)
    return path_problem(path, "is empty; was the download or copy cut off?");
  if (size > most_bytes)
    return path_problem(path, fmt::format("{} bytes are more than can be loaded into memory here", size));
  input_file file;
  file.path_ = path;
  file.stream_.reset(gzopen(path.c_str(), "rb"));
  if (!file.stream_)
    return path_problem(path, "cannot be opened; check its permissions");
  gzbuffer(as_gz(file.stream_.get()), 1U << 18U);
  file.packed_ = gzdirect(as_gz(file.stream_.get())) == 0;
  file.capacity_ = file.packed_ ? std::min(size * deflate_max_ratio, most_bytes) : size;
  return file;
}

std::uint64_t input_file::most_remaining() const {
  return capacity_ > position_ ? capacity_ - position_ : 0;
}

result<std::size_t> input_file::read_some(std::span<std::uint8_t> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto wanted = static_cast<unsigned>(std::min(out.size() - done, std::size_t{1} << 30U));
    const int got = gzread(as_gz(stream_.get()), out.data() + done, wanted);
    if (got > 0) {
      done += static_cast<std::size_t>(got);
      position_ += static_cast<std::uint64_t>(got);
      continue;
    }
    int code = Z_OK;
    const char* text = gzerror(as_gz(stream_.get()), &code);
    if (code == Z_BUF_ERROR)
      return problem("the gzip stream ends too early; the file is truncated, fetch it again");
    if (code == Z_ERRNO)
      return problem("cannot be read; check the disk and the permissions");
    if (code != Z_OK && code != Z_STREAM_END)
      return problem(fmt::format("the gzip stream is damaged ({}); fetch the file again",
                                 code == Z_DATA_ERROR ? "bad data or checksum" : text));
    break;
  }
  return done;
}

result<void> input_file::read_exactly(std::span<std::uint8_t> out, std::string_view what) {
  const auto before = position_;
  auto got = read_some(out);
  if (!got.ok())
    return got.error();
  if (*got < out.size())
    return problem(
        fmt::format("ends after {} bytes, inside {} (bytes {} to {}); the file is truncated, fetch it again",
                    position_, what, before, before + out.size()));
  return {};
}

result<std::vector<std::uint8_t>> input_file::read_block(std::uint64_t count, std::string_view what) {
  if (count > most_remaining())
    return problem(
        fmt::format("the header promises {} bytes of {}, but at most {} can follow; the file is truncated "
                    "or is not what it claims to be",
                    count, what, most_remaining()));
  std::vector<std::uint8_t> block;
  if (!packed_) {
    block.resize(count);
    if (auto read = read_exactly(block, what); !read.ok())
      return read.error();
    return block;
  }
  while (block.size() < count) {
    // Grows with what has arrived, so that a false promise costs a factor of two and no more.
    const std::size_t old = block.size();
    const std::size_t step = std::min<std::uint64_t>(count - old, std::max(old, chunk_bytes));
    block.reserve(old + step);
    block.resize(old + step);
    if (auto read = read_exactly(std::span(block).subspan(old), what); !read.ok())
      return read.error();
  }
  return block;
}

result<std::string> input_file::read_rest() {
  std::string text;
  if (!packed_)
    text.reserve(most_remaining() + 1);
  while (true) {
    const std::size_t old = text.size();
    const std::size_t step =
        packed_ ? std::max(old, chunk_bytes) : std::min<std::uint64_t>(most_remaining() + 1, chunk_bytes);
    if (old + step > most_bytes)
      return problem(
          fmt::format("unpacks to more than {} bytes, which is more than can be loaded here", most_bytes));
    text.resize(old + step);
    auto got = read_some({reinterpret_cast<std::uint8_t*>(text.data()) + old, step});
    if (!got.ok())
      return got.error();
    text.resize(old + *got);
    if (*got < step)
      return text;
  }
}

result<void> input_file::expect_end() {
  std::array<std::uint8_t, 1> extra{};
  auto got = read_some(extra);
  if (!got.ok())
    return got.error();
  if (*got > 0)
    return problem(fmt::format(
        "has more bytes than its header announces ({}); header and contents do not fit", position_ - 1));
  return {};
}

} // namespace triage
