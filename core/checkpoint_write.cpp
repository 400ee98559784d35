#include "core/checkpoint.hpp"
#include "core/checkpoint_files.hpp"
#include "core/files.hpp"
#include "core/json.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

namespace triage {

namespace fs = std::filesystem;

namespace {

constexpr const char* latest_link = "latest";
constexpr const char* latest_temporary = ".latest.tmp";
constexpr const char* writing_prefix = ".writing-";
constexpr const char* removing_prefix = ".removing-";

/// Carries out the operations of a write one by one, so that a test can stop it between any two.
class write_steps {
public:
  explicit write_steps(const std::function<bool(const char*)>& before) : before_(before) {}
  template <class Operation>
  void operator()(const char* name, Operation operation) {
    if (!outcome.ok())
      return;
    if (before_ && !before_(name)) {
      crashed = true;
      outcome = run_error("stopped by the caller");
      return;
    }
    outcome = operation();
  }
  result<void> outcome;
  bool crashed = false;

private:
  const std::function<bool(const char*)>& before_;
};

/// The outcome of one operation on a path.
result<void> from_code(const std::error_code& ec, const std::string& path, const char* what) {
  if (ec)
    return file_error(path, what, ec.value());
  return {};
}

/// Everything that a write leaves in memory before it touches the disk.
struct encoded_checkpoint {
  std::string model;
  std::string state;
  std::string manifest;
};

struct encoded_file {
  std::string bytes;
  tensor_file_record record;
};

/// Refuses what could not be read back. The tensors are gone afterwards.
result<encoded_file> encode_tensors(std::vector<stored_tensor> tensors, const std::string& file) {
  if (auto fits = check_storable(tensors, file); !fits.ok())
    return fits.error();
  std::string bytes = encode_safetensors(tensors);
  if (const auto header = decode_safetensors_header(bytes, file); !header.ok())
    return header.error();
  auto record = describe_tensor_file(bytes, tensors);
  return encoded_file{std::move(bytes), std::move(record)};
}

result<encoded_checkpoint> encode(checkpoint_content content, const std::string& target) {
  if (content.step < 0)
    return run_error(fmt::format("{}: the step of a checkpoint is not negative", target));
  auto model = encode_tensors(to_stored(std::move(content.model)), target + "/" + checkpoint_files::model);
  if (!model.ok())
    return model.error();
  auto state = encode_tensors(to_stored(std::move(content.state)), target + "/" + checkpoint_files::state);
  if (!state.ok())
    return state.error();
  std::string manifest = encode_manifest({content.step, model->record, state->record});
  if (const auto json = parse_json(manifest, target + "/" + checkpoint_files::manifest); !json.ok())
    return json.error();
  return encoded_checkpoint{std::move(model->bytes), std::move(state->bytes), std::move(manifest)};
}

/// The directory, its hidden places and the names of one step in it.
class place {
public:
  place(std::string directory, std::int64_t step)
      : directory_(std::move(directory)), step_(step), name_(checkpoint_name(step)),
        target_(directory_ + "/" + name_), hidden_(directory_ + "/" + writing_prefix + name_),
        aside_(directory_ + "/" + checkpoint_name(step, true)) {}

  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] const std::string& target() const { return target_; }
  [[nodiscard]] const std::string& hidden() const { return hidden_; }

  /// Makes the directories, and removes what writers that crashed have left.
  [[nodiscard]] result<void> prepare() const {
    std::error_code ec;
    std::vector<std::string> changed; // the parents of all directories that are missing
    for (fs::path p = fs::absolute(directory_ + "/.", ec).lexically_normal().parent_path();
         p.has_relative_path() && !fs::exists(p, ec); p = p.parent_path())
      changed.push_back(p.parent_path());
    fs::create_directories(directory_, ec);
    if (ec)
      return file_error(directory_, "cannot be created", ec.value());
    for (const auto& parent : changed)
      if (auto durable = sync_directory(parent); !durable.ok())
        return durable;
    for (const auto& name : names_in(directory_))
      if (name.starts_with(writing_prefix) || name.starts_with(removing_prefix) || name == latest_temporary)
        fs::remove_all(directory_ + "/" + name, ec);
    fs::create_directory(hidden_, ec);
    return from_code(ec, hidden_, "cannot be created");
  }

  /// Frees the name: a checkpoint of this step that is there becomes the one set aside. At every moment, one
  /// of the two that was healthy before is still there.
  [[nodiscard]] result<void> set_aside() const {
    std::error_code ec;
    if (!fs::exists(fs::symlink_status(target_, ec)))
      return {};
    if (fs::exists(fs::symlink_status(aside_, ec))) {
      if (!read_checkpoint(target_).ok())
        return discard(target_);
      if (auto done = discard(aside_); !done.ok())
        return done;
    }
    fs::rename(target_, aside_, ec);
    return from_code(ec, target_, "cannot be replaced");
  }

  [[nodiscard]] result<void> publish() const {
    std::error_code ec;
    fs::rename(hidden_, target_, ec);
    return from_code(ec, target_, "cannot be written");
  }

  [[nodiscard]] result<void> point_latest() const {
    const std::string link = directory_ + "/" + latest_link;
    const std::string temporary = directory_ + "/" + latest_temporary;
    std::error_code ec;
    if (fs::is_directory(fs::symlink_status(link, ec))) // of a run that was copied without its links
      if (auto done = discard(link); !done.ok())
        return done;
    fs::create_directory_symlink(name_, temporary, ec);
    if (!ec)
      fs::rename(temporary, link, ec);
    return from_code(ec, link, "cannot be written");
  }

  [[nodiscard]] result<void> remove_aside() const {
    std::error_code ec;
    return fs::exists(fs::symlink_status(aside_, ec)) ? discard(aside_) : result<void>();
  }

  /// Removes all but this one and the `keep` - 1 before it, or all but this one. Otherwise those of later
  /// steps are left alone: they are from another course of the run, and this one is the only one that is
  /// known to be healthy.
  [[nodiscard]] result<void> prune(std::int64_t keep) const {
    std::int64_t kept = 0;
    for (const auto& p : find_checkpoints(directory_))
      if (keep == only_this ? p.step != step_ : p.step <= step_ && kept++ >= std::max<std::int64_t>(keep, 1))
        if (auto done = discard(p.path); !done.ok())
          return done;
    return {};
  }

  /// After a failure: what was begun goes, what was set aside comes back.
  void restore() const {
    std::error_code ec;
    fs::remove_all(hidden_, ec);
    fs::remove(directory_ + "/" + latest_temporary, ec);
    if (!fs::exists(fs::symlink_status(target_, ec)) && fs::exists(fs::symlink_status(aside_, ec)))
      fs::rename(aside_, target_, ec);
  }

private:
  /// Renamed first, so that no half removed checkpoint is ever seen.
  [[nodiscard]] result<void> discard(const std::string& path) const {
    const std::string removing = directory_ + "/" + removing_prefix + fs::path(path).filename().string();
    std::error_code ec;
    fs::rename(path, removing, ec);
    if (!ec)
      fs::remove_all(removing, ec);
    return from_code(ec, path, "cannot be removed");
  }

  std::string directory_;
  std::int64_t step_;
  std::string name_;
  std::string target_; ///< where the checkpoint is seen
  std::string hidden_; ///< where it is written
  std::string aside_;  ///< where an earlier one of the same step waits
};

} // namespace

result<std::string> write_checkpoint(const std::string& directory, checkpoint_content content,
                                     std::int64_t keep, const std::function<bool(const char*)>& before_step) {
  const place at(directory, content.step);
  const std::int64_t number = content.step;
  const auto encoded = encode(std::move(content), at.target());
  if (!encoded.ok())
    return encoded.error();
  const auto write = [&](const char* name, std::string_view bytes) {
    return write_file_durable(at.hidden() + "/" + name, bytes);
  };
  write_steps step(before_step);
  step("prepare", [&] { return at.prepare(); });
  step("write the model", [&] { return write(checkpoint_files::model, encoded->model); });
  step("write the state", [&] { return write(checkpoint_files::state, encoded->state); });
  step("write the manifest", [&] { return write(checkpoint_files::manifest, encoded->manifest); });
  step("write DONE", [&] { return write(checkpoint_files::done, seal_of(encoded->manifest)); });
  step("sync the checkpoint", [&] { return sync_directory(at.hidden()); });
  step("set aside", [&] { return at.set_aside(); });
  step("publish", [&] { return at.publish(); });
  step("sync the directory", [&] { return sync_directory(directory); });
  step("point latest", [&] { return at.point_latest(); });
  step("remove what was set aside", [&] { return at.remove_aside(); });
  step("prune", [&] { return at.prune(keep); });
  if (step.outcome.ok())
    return at.target();
  if (!step.crashed)
    at.restore();
  return with_context(step.outcome.error(), fmt::format("checkpoint of step {}", number));
}

} // namespace triage
