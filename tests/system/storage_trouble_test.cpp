#include "cluster_support.hpp"
#include "run_folder.hpp"

#include <algorithm>
#include <csignal>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <linux/capability.h>

// A disk that is full or may not be written to, at the start of a run and in its middle.

using namespace triage;
using namespace triage::test;

namespace {

constexpr rlim_t small_file = 16384; ///< bytes; a checkpoint of the small description does not fit

/// As on a full disk: no file grows beyond so many bytes.
void limit_files(pid_t process, rlim_t bytes) {
  const rlimit limit{bytes, RLIM_INFINITY};
  prlimit(process, RLIMIT_FSIZE, &limit, nullptr);
}

/// Root may write anywhere; without this right it is like everybody. For others it changes nothing.
void obey_permissions() {
  (void)prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0);
}

std::vector<std::string> endless(const folder_with_description& f, const std::string& run) {
  return {"train", f.file, "--run-dir", run, "--quiet", "--set", "duration.epochs=100000"};
}

bool says(const folder_with_description& f, const std::string& text) {
  return file_text(f.log).find(text) != std::string::npos;
}

void check_last_good_checkpoint(const folder_with_description& f, const std::string& run) {
  const auto inspected = f.triage({"inspect", run});
  CHECK_MESSAGE(inspected.output.find("healthy") != std::string::npos, inspected.output);
  const auto resumed = f.triage({"resume", run, "--quiet", "--set", "duration.epochs=1"});
  CHECK_MESSAGE(resumed.exit_code == 0, resumed.output);
}

} // namespace

TEST_CASE("a run directory below a file: exit code 1 and the path") {
  const folder_with_description f;
  const auto r = f.triage({"train", f.file, "--run-dir", f.file + "/below"});
  CHECK(r.exit_code == 1);
  CHECK(r.output.find("below") != std::string::npos);
}

TEST_CASE("a run directory that may not be written to: exit code 1, the path and what to do") {
  const folder_with_description f;
  const std::string run = f.folder.path("r");
  std::filesystem::create_directory(run);
  chmod(run.c_str(), 0555);
  const auto r = f.triage({"train", f.file, "--run-dir", run}, obey_permissions);
  CHECK(r.exit_code == 1);
  CHECK_MESSAGE(r.output.find(run) != std::string::npos, r.output);
  CHECK_MESSAGE(r.output.find("--run-dir") != std::string::npos, r.output);
  CHECK(r.cpu_seconds < 3.0);
}

TEST_CASE("a full disk from the start: training goes on to the end, exit code 1, and it says why") {
  const folder_with_description f;
  const std::string run = f.folder.path("r");
  const auto r = f.triage({"train", f.file, "--run-dir", run, "--quiet"}, [] { limit_files(0, small_file); });
  CHECK(r.exit_code == 1);
  CHECK_MESSAGE(r.output.find("checkpoint") != std::string::npos, r.output);
  CHECK_MESSAGE(r.output.find("12.00 epochs") != std::string::npos, r.output);
}

TEST_CASE("a disk that becomes full: training goes on, the last good checkpoint stays and is resumed") {
  const folder_with_description f;
  const std::string run = f.folder.path("r");
  process p(endless(f, run), f.log);
  REQUIRE(eventually(60.0, [&] { return !newest_model(run).empty(); }));
  limit_files(p.pid(), small_file);
  REQUIRE(eventually(60.0, [&] { return says(f, "checkpoint not written"); }));
  CHECK(p.running());
  p.signal(SIGTERM);
  CHECK(p.wait() == 1); // not 143: what was asked for, a saved state, does not exist
  CHECK_MESSAGE(says(f, "the final checkpoint could not be written"), file_text(f.log));
  check_last_good_checkpoint(f, run);
}

TEST_CASE("a run directory that becomes read-only: the same") {
  const folder_with_description f;
  const std::string run = f.folder.path("r");
  process p(endless(f, run), f.log, obey_permissions);
  REQUIRE(eventually(60.0, [&] { return !newest_model(run).empty(); }));
  chmod((run + "/checkpoints").c_str(), 0555);
  chmod(run.c_str(), 0555);
  REQUIRE(eventually(60.0, [&] { return says(f, "checkpoint not written"); }));
  CHECK(p.running());
  p.signal(SIGTERM);
  CHECK(p.wait() == 1);
  chmod(run.c_str(), 0755);
  chmod((run + "/checkpoints").c_str(), 0755);
  check_last_good_checkpoint(f, run);
}
