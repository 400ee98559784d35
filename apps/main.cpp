#include "apps/program.hpp"

#include <csignal>

int main(int argc, char** argv) {
  // A file at its size limit is an error like a full disk, not the end of the run.
  std::signal(SIGXFSZ, SIG_IGN);
  return triage::run_program({argv, argv + argc});
}
