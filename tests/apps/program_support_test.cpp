#include "apps/signals.hpp"
#include "apps/support.hpp"
#include "command_support.hpp"

#include <chrono>
#include <csignal>
#include <sys/wait.h>
#include <thread>

// What subcommands share: errors become exit codes, descriptions take overrides, signals become stop
// requests.

using namespace triage;
using namespace triage::test;

TEST_CASE("an error ends in one line on stderr and in the exit code of its kind") {
  const std::pair<error, int> cases[] = {{configuration_error("a"), 2},
                                         {data_error("b"), 3},
                                         {io_error("c"), 1},
                                         {run_error("d"), 1},
                                         {error{error_kind::retry, "e"}, 75}};
  for (const auto& [e, code] : cases) {
    const scratch_folder folder;
    int got = 0;
    {
      const redirected err(STDERR_FILENO, folder.path("err"));
      got = complain(e);
    }
    CHECK(got == code);
    CHECK(text_of(folder.path("err")) == "triage: " + e.message + "\n");
  }
}

TEST_CASE("a description is read with its overrides, the last of which wins; what cannot be set is named") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", R"({"a": {"b": 1}, "list": [1, 2]})");
  const auto read = read_description(file, {"a.b=2", "a.b=3", "c.d=\"text\"", "list.1=7", "e=plain words"});
  REQUIRE_MESSAGE(read.ok(), (read.ok() ? "" : read.error().message));
  CHECK(read->find("a")->find("b")->as_integer() == 3);
  CHECK(read->find("c")->find("d")->as_string() == "text");
  CHECK(read->find("list")->as_array()[1].as_integer() == 7);
  CHECK(read->find("e")->as_string() == "plain words"); // what is no JSON is text
  for (const char* bad : {"no-equals-sign", "=1", "a.b.c=1", "list.9=1", "list.x=1"}) {
    CAPTURE(std::string(bad));
    const auto refused = read_description(file, {bad});
    REQUIRE(!refused.ok());
    CHECK(refused.error().kind == error_kind::configuration);
    CHECK(refused.error().message.find("--set") != std::string::npos);
  }
}

TEST_CASE("a run is opened with its newest checkpoint; a folder that holds none says what is missing") {
  const auto& run = trained_run::small();
  const auto opened = open_run(run.directory());
  REQUIRE(opened.ok());
  CHECK(opened->parameters.size() == opened->setup->net->parameters().size());
  CHECK(opened->setup->config.name == "small");
  const scratch_folder folder;
  const auto nothing = open_run(folder.path());
  REQUIRE(!nothing.ok());
  CHECK(nothing.error().message.find(folder.path()) != std::string::npos);
  CHECK(!open_run(run.directory(), {"model.0.units=3"}).ok());
}

TEST_CASE("a signal becomes a stop request, and says which it was; the announcement goes to stderr") {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  for (const int number : {SIGINT, SIGTERM}) {
    const scratch_folder folder;
    {
      const redirected err(STDERR_FILENO, folder.path("err"));
      const signal_watch watch("ending soon");
      CHECK(watch.received() == 0);
      CHECK(!watch.token().stop_requested());
      kill(getpid(), number);
      while (!watch.token().stop_requested())
        std::this_thread::yield();
      CHECK(watch.received() == number);
    }
    CHECK(text_of(folder.path("err")).find("triage: ending soon") != std::string::npos);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("a second signal ends the process at once with 128 + its number") {
  const pid_t child = fork();
  if (child == 0) {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    const signal_watch watch;
    kill(getpid(), SIGTERM);
    while (!watch.token().stop_requested())
      std::this_thread::yield();
    kill(getpid(), SIGTERM);
    while (true)
      std::this_thread::yield();
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 128 + SIGTERM);
}

TEST_CASE("a watch that saw nothing ends without a word") {
  const scratch_folder folder;
  {
    const redirected err(STDERR_FILENO, folder.path("err"));
    const signal_watch watch;
  }
  CHECK(text_of(folder.path("err")).empty());
}
