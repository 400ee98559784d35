#include "apps/program.hpp"
#include "core/mapped_file.hpp"
#include "core/process_room.hpp"

#include <csignal>
#include <string_view>
#include <unistd.h>

namespace {

/// Looking at what a mapped file no longer has is a signal, and no error that a call could return. Others who
/// send it, and broken memory, get what they would get without this.
void explain_bus_error(int signal, siginfo_t* about, void*) {
  if (about->si_code == BUS_ADRERR && triage::mapped_file::any_holds(about->si_addr)) {
    constexpr std::string_view text = "triage: a data file that is mapped into memory has become shorter, or "
                                      "its disk fails; do not change data "
                                      "while it is used, or set data.map to \"never\"\n";
    constexpr int data_error = 3;
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    ::_exit(data_error);
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

} // namespace

int main(int argc, char** argv) {
  triage::spare_address_space();
  // A file at its size limit is an error like a full disk, not the end of the run.
  std::signal(SIGXFSZ, SIG_IGN);
  struct sigaction on_bus_error = {};
  on_bus_error.sa_sigaction = explain_bus_error;
  on_bus_error.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &on_bus_error, nullptr);
  return triage::run_program({argv, argv + argc});
}
