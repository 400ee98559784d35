#include "core/process_room.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace triage;

TEST_CASE("threads: as many as are there can be started, and are gone again") {
  for (int i = 0; i < 20; ++i)
    REQUIRE(check_room(64).ok());
  CHECK(check_room(0).ok());
}

#ifndef __SANITIZE_ADDRESS__ // which has taken more address space than any limit leaves
TEST_CASE("threads: what the system refuses is an error that says how many there may be and what to do") {
  const pid_t child = fork(); // the limit is for this process alone
  if (child == 0) {
    const rlimit limit{std::size_t{1} << 30U, std::size_t{1} << 30U};
    setrlimit(RLIMIT_AS, &limit);
    const auto allowed = check_room(5000);
    spare_address_space();
    const bool told =
        !allowed.ok() && allowed.error().message.find("threads and not 5000") != std::string::npos;
    const auto memory = check_room(2, std::size_t{2} << 30U);
    const bool told_of_memory = !memory.ok() && memory.error().message.starts_with("out of memory");
    _exit(told && told_of_memory && check_room(2, 1000).ok() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
#endif
