#include "apps/program.hpp"

#include <csignal>
#include <string_view>
#include <unistd.h>

namespace {

/// Looking at what a mapped file no longer has is a signal, and no error that a call could return.
void explain_bus_error(int) {
  constexpr std::string_view text =
      "triage: a data file that is mapped into memory has become shorter, or its disk "
      "fails; do not change data while it is used, or set data.map to \"never\"\n";
  constexpr int data_error = 3;
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
  ::_exit(data_error);
}

} // namespace

int main(int argc, char** argv) {
  // A file at its size limit is an error like a full disk, not the end of the run.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGBUS, explain_bus_error);
  return triage::run_program({argv, argv + argc});
}
