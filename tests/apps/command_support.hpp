#pragma once

#include "apps/program.hpp"
#include "core/files.hpp"
#include "core/json.hpp"

#include <csignal>
#include <cstdio>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <pthread.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace triage::test {

/// A folder that disappears with the object.
class scratch_folder {
public:
  scratch_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "triage_apps_XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() {
    std::error_code ec;
    std::filesystem::remove_all(path_, ec);
  }
  [[nodiscard]] std::string path(const std::string& name = {}) const {
    return name.empty() ? path_ : path_ + "/" + name;
  }
  /// Writes a file and returns its path.
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }

private:
  std::string path_;
};

inline std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// What a command did: its exit code, and what it said where.
struct said {
  int code = -1;
  std::string out;
  std::string err;
};

/// While it lives, one of the process's streams goes to a file.
class redirected {
public:
  redirected(int stream, const std::string& file) : stream_(stream), saved_(dup(stream)) {
    flush();
    const int target = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(target, stream);
    close(target);
  }
  redirected(const redirected&) = delete;
  redirected& operator=(const redirected&) = delete;
  ~redirected() {
    flush();
    dup2(saved_, stream_);
    close(saved_);
  }

private:
  static void flush() {
    std::cout.flush();
    std::cerr.flush();
    std::fflush(stdout);
    std::fflush(stderr);
  }
  int stream_;
  int saved_;
};

/// Runs the program in this process.
inline said run_command(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "triage");
  const scratch_folder scratch;
  sigset_t before; // commands that train block signals for the process
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  said result;
  {
    const redirected out(STDOUT_FILENO, scratch.path("out"));
    const redirected err(STDERR_FILENO, scratch.path("err"));
    result.code = run_program(arguments);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  result.out = text_of(scratch.path("out"));
  result.err = text_of(scratch.path("err"));
  return result;
}

/// A refusal: the exit code, a sentence on stderr that says all the parts, nothing on stdout.
inline void check_refused(const said& s, int code, const std::vector<std::string>& parts) {
  CHECK_MESSAGE(s.code == code, s.err);
  CHECK_MESSAGE(s.out.empty(), s.out);
  for (const auto& part : parts)
    CHECK_MESSAGE(s.err.find(part) != std::string::npos, s.err << " does not say " << part);
}

inline const char* const small_run_text = R"({
  "name": "small",
  "data": {"format": "synthetic", "kind": "blobs", "train_size": 300, "test_size": 60, "features": 4, "classes": 3},
  "model": [{"type": "dense", "units": 8, "activation": "relu"}, {"type": "dense", "units": 3}],
  "optimizer": {"type": "sgd", "learning_rate": 0.1, "momentum": 0.9},
  "batch_size": 16, "duration": {"epochs": 2}})";

/// A run of a second that several tests look at; made once.
class trained_run {
public:
  static const trained_run& small() {
    static const trained_run run;
    return run;
  }
  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] const std::string& description() const { return description_; }

private:
  trained_run() : description_(folder_.file("run.json", small_run_text)), directory_(folder_.path("run")) {
    const auto trained = run_command({"train", description_, "--run-dir", directory_, "--quiet"});
    REQUIRE_MESSAGE(trained.code == 0, trained.err);
  }
  scratch_folder folder_;
  std::string description_;
  std::string directory_;
};

/// A copy of the small run, for tests that damage it.
struct own_copy {
  scratch_folder folder;
  std::string directory = folder.path("run");
  own_copy() {
    std::filesystem::copy(trained_run::small().directory(), directory,
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::copy_symlinks);
  }
};

inline json_value json_of(const std::string& text) {
  auto parsed = parse_json(text, "output");
  REQUIRE_MESSAGE(parsed.ok(), text);
  return parsed.take();
}

/// A regression whose error grows a million times with every step.
inline std::string diverging_run(const scratch_folder& folder) {
  std::string rows = "a,y\n";
  for (int i = 0; i < 400; ++i)
    rows += std::to_string(i % 7) + "," + std::to_string(3 * (i % 7)) + "\n";
  return R"({"data": {"format": "csv", "path": ")" + folder.file("line.csv", rows) +
         R"(", "label_column": "y", "task": "regression", "test_fraction": 0.2},
    "model": [{"type": "dense", "units": 1}], "loss": "mean_squared_error",
    "optimizer": {"type": "sgd", "learning_rate": 1000000}, "batch_size": 16, "duration": {"epochs": 5}})";
}

} // namespace triage::test
