#include "core/npz.hpp"

#include "core/element_count.hpp"
#include "core/files.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <zip.h>

namespace triage {

namespace {

constexpr std::uint64_t most_expansion = 1032; ///< what deflate can reach
constexpr zip_uint64_t most_entries = 65'536;

struct archive_closer {
  void operator()(zip_t* z) const { zip_discard(z); }
};
struct source_closer {
  void operator()(zip_source_t* s) const { zip_source_free(s); }
};
struct entry_closer {
  void operator()(zip_file_t* f) const { zip_fclose(f); }
};

error bad(const std::string& file, const std::string& why) {
  return data_error(fmt::format("{}: not a usable .npz archive: {}", file, why));
}

std::string code_text(int code) {
  zip_error_t e;
  zip_error_init_with_code(&e, code);
  std::string text = zip_error_strerror(&e);
  zip_error_fini(&e);
  return text;
}

result<std::string> read_entry(zip_t* archive, zip_uint64_t index, std::uint64_t most_bytes,
                               const std::string& path) {
  zip_stat_t info;
  if (zip_stat_index(archive, index, 0, &info) != 0 || (info.valid & ZIP_STAT_SIZE) == 0)
    return bad(path, "an entry has no size");
  if (info.size > most_bytes)
    return bad(path, "its entries promise more data than the archive can hold");
  const std::unique_ptr<zip_file_t, entry_closer> entry(zip_fopen_index(archive, index, 0));
  if (!entry)
    return bad(path, zip_strerror(archive));
  std::string bytes;
  char chunk[1 << 16];
  while (true) {
    const zip_int64_t n = zip_fread(entry.get(), chunk, sizeof chunk);
    if (n < 0)
      return bad(path, "an entry is damaged");
    if (n == 0)
      break;
    bytes.append(chunk, static_cast<std::size_t>(n));
    if (bytes.size() > info.size)
      return bad(path, "an entry is longer than it promises");
  }
  if (bytes.size() != info.size)
    return bad(path, "an entry is shorter than it promises");
  return bytes;
}

error write_problem(zip_t* archive, const std::string& path) {
  const int reason = zip_error_code_system(zip_get_error(archive));
  if (reason != 0)
    return file_error(path, "cannot be written", reason);
  return io_error(fmt::format("{}: cannot be written: {}", path, zip_strerror(archive)));
}

/// The bytes of an archive that was made in memory.
std::optional<std::string> read_source(zip_source_t* source) {
  if (zip_source_open(source) != 0)
    return std::nullopt;
  std::string bytes;
  if (zip_source_seek(source, 0, SEEK_END) == 0)
    bytes.resize(static_cast<std::size_t>(std::max<zip_int64_t>(zip_source_tell(source), 0)));
  const bool complete =
      zip_source_seek(source, 0, SEEK_SET) == 0 &&
      zip_source_read(source, bytes.data(), bytes.size()) == static_cast<zip_int64_t>(bytes.size());
  zip_source_close(source);
  return complete ? std::optional(std::move(bytes)) : std::nullopt;
}

struct opened_archive {
  std::unique_ptr<zip_t, archive_closer> zip;
  std::uint64_t file_bytes = 0;
  std::vector<std::pair<std::string, zip_uint64_t>> arrays; ///< names without ".npy", and their entries
};

result<opened_archive> open_archive(const std::string& path) {
  opened_archive out;
  std::error_code ec;
  out.file_bytes = std::filesystem::file_size(path, ec);
  if (ec)
    return data_error(fmt::format("{}: {}", path, ec.message()));
  int code = 0;
  out.zip.reset(zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
  if (!out.zip)
    return bad(path, code_text(code));
  const auto entries =
      static_cast<zip_uint64_t>(std::max<zip_int64_t>(zip_get_num_entries(out.zip.get(), 0), 0));
  if (entries > most_entries)
    return bad(path, fmt::format("it has {} entries; {} are possible", entries, most_entries));
  for (zip_uint64_t index = 0; index < entries; ++index) {
    const char* raw = zip_get_name(out.zip.get(), index, 0);
    std::string name = raw == nullptr ? "" : raw;
    if (!name.ends_with(".npy"))
      continue;
    name.resize(name.size() - 4);
    out.arrays.emplace_back(std::move(name), index);
  }
  return out;
}

/// Of the arrays that `wants`.
template <class Wants>
result<named_arrays> read_archive(const std::string& path, const Wants& wants) {
  auto archive = open_archive(path);
  if (!archive.ok())
    return archive.error();
  named_arrays out;
  // For all entries together: they may share compressed bytes.
  std::uint64_t budget = archive->file_bytes * most_expansion;
  for (auto& [name, index] : archive->arrays) {
    if (!wants(name))
      continue;
    const auto bytes = read_entry(archive->zip.get(), index, budget, path);
    if (!bytes.ok())
      return bytes.error();
    budget -= bytes->size();
    auto array = decode_npy(*bytes, fmt::format("{}[{}.npy]", path, name));
    if (!array.ok())
      return array.error();
    out.emplace_back(std::move(name), array.take());
  }
  return out;
}

template <class Wants>
result<named_arrays> read_guarded(const std::string& path, const Wants& wants) {
  try {
    return read_archive(path, wants);
  } catch (const std::bad_alloc&) { // a small archive may honestly unpack to more than there is
    return bad(path, "its arrays do not fit into memory");
  }
}

} // namespace

result<named_arrays> read_npz(const std::string& path) {
  return read_guarded(path, [](const std::string&) { return true; });
}

result<named_arrays> read_npz(const std::string& path, std::span<const std::string> wanted) {
  return read_guarded(path, [&](const std::string& name) {
    return std::find(wanted.begin(), wanted.end(), name) != wanted.end();
  });
}

result<std::vector<std::string>> names_in_npz(const std::string& path) {
  const auto archive = open_archive(path);
  if (!archive.ok())
    return archive.error();
  std::vector<std::string> names;
  for (const auto& [name, index] : archive->arrays)
    names.push_back(name);
  return names;
}

result<void> write_npz_arrays(const std::vector<npz_entry>& entries, const std::string& path) {
  // In memory, so that it gets to its file, pipe or device as everything else does.
  zip_error_t problem;
  zip_error_init(&problem);
  const std::unique_ptr<zip_source_t, source_closer> bytes(zip_source_buffer_create(nullptr, 0, 0, &problem));
  std::unique_ptr<zip_t, archive_closer> archive(
      bytes ? zip_open_from_source(bytes.get(), ZIP_TRUNCATE, &problem) : nullptr);
  if (!archive) {
    auto failed = io_error(fmt::format("{}: cannot be written: {}", path, zip_error_strerror(&problem)));
    zip_error_fini(&problem);
    return failed;
  }
  zip_source_keep(bytes.get());     // the archive frees it, and so do we
  std::vector<std::string> encoded; // libzip reads the bytes when it closes the archive
  encoded.reserve(entries.size());
  for (const auto& t : entries) {
    const std::size_t count = std::visit([](const auto& v) { return v.size(); }, t.values);
    if (element_count(t.shape) != count)
      return data_error(fmt::format("{}: array \"{}\" cannot be written: {} values do not fill its shape",
                                    path, t.name, count));
    encoded.push_back(encode_npy(t.shape, t.values));
    zip_source_t* source = zip_source_buffer(archive.get(), encoded.back().data(), encoded.back().size(), 0);
    const std::string name = t.name + ".npy";
    if (source == nullptr || zip_file_add(archive.get(), name.c_str(), source, ZIP_FL_ENC_UTF_8) < 0) {
      zip_source_free(source);
      return write_problem(archive.get(), path);
    }
  }
  if (zip_close(archive.get()) != 0)
    return write_problem(archive.get(), path);
  (void)archive.release(); // closed
  encoded = {};            // before there is one more copy
  const auto whole = read_source(bytes.get());
  if (!whole)
    return io_error(
        fmt::format("{}: cannot be written: {}", path, zip_error_strerror(zip_source_error(bytes.get()))));
  return write_file_atomic(path, *whole);
}

result<void> write_npz(const std::vector<named_tensor>& tensors, const std::string& path) {
  std::vector<npz_entry> entries;
  entries.reserve(tensors.size());
  for (const auto& t : tensors)
    entries.push_back({t.name, t.shape, t.values});
  return write_npz_arrays(entries, path);
}

} // namespace triage
