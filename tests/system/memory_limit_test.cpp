#include "run_folder.hpp"

#include <csignal>
#include <sys/resource.h>
#include <thread>

// A process that may have no more memory ends with a reason, at whatever moment that is: it neither crashes
// nor waits for an actor that could not be started.

using namespace triage;
using namespace triage::test;

#ifndef __SANITIZE_ADDRESS__ // which has taken more address space than any limit leaves

TEST_CASE("memory limits: a run that gets too little says so and ends, with any limit") {
  const folder_with_description f;
  int refused = 0;
  int finished = 0;
  for (rlim_t megabytes = 60; megabytes <= 1500; megabytes += megabytes / 6) {
    CAPTURE(megabytes);
    const std::string run = f.folder.path("r" + std::to_string(megabytes));
    process p({"train", f.file, "--run-dir", run, "--quiet"}, f.log, [megabytes] {
      const rlimit limit{megabytes << 20U, megabytes << 20U};
      setrlimit(RLIMIT_AS, &limit);
    });
    for (int waited = 0; waited < 600 && p.running(); ++waited)
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const bool hangs = p.running();
    if (hangs)
      p.signal(SIGKILL);
    const int code = p.wait();
    const auto said = file_text(f.log);
    REQUIRE_MESSAGE(!hangs, said);
    if (code == 0) {
      ++finished;
      continue;
    }
    ++refused;
    // Where not even the libraries fit, it is the loader who speaks.
    const bool no_program =
        code == 127 && said.find("error while loading shared libraries") != std::string::npos;
    CHECK_MESSAGE((code == 1 || code == 3 || no_program), said); // 3: it is the data that do not fit
    CHECK_FALSE(said.empty());
  }
  CHECK(finished >= 1);
  CHECK(refused >= 1);
}

#endif
