#include "core/log.hpp"
#include "core/metrics.hpp"
#include "tests/core/storage_support.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <regex>
#include <thread>

using namespace triage;
using namespace triage::test;

namespace {

json_value record(int step) {
  json_value r;
  r.set("step", json_value(step));
  return r;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    lines.push_back(text.substr(at, end - at));
  return lines;
}

/// What `body` wrote to stderr, which is a file meanwhile.
std::string stderr_of(const temp_folder& folder, const std::function<void()>& body) {
  const auto path = folder.path("stderr");
  const int saved = dup(STDERR_FILENO);
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  std::fflush(stderr);
  dup2(file, STDERR_FILENO);
  body();
  std::fflush(stderr);
  dup2(saved, STDERR_FILENO);
  close(file);
  close(saved);
  return slurp(path);
}

} // namespace

TEST_CASE("metrics: one line a record, there at once, and appended to what exists") {
  const temp_folder folder;
  const auto path = folder.path("metrics.jsonl");
  {
    metrics_writer metrics(path);
    CHECK(metrics.write(record(1)).ok());
    CHECK(slurp(path) == "{\"step\":1}\n");
    CHECK(metrics.write(record(2)).ok());
  }
  metrics_writer again(path);
  CHECK(again.write(record(3)).ok());
  CHECK(slurp(path) == "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n");
  CHECK(again.lost() == 0);
}

TEST_CASE("metrics: a line that a crash left unfinished does not swallow the next one") {
  const temp_folder folder;
  const auto path = folder.write("metrics.jsonl", "{\"step\":1}\n{\"st");
  metrics_writer metrics(path);
  CHECK(metrics.write(record(2)).ok());
  CHECK(metrics.write(record(3)).ok());
  CHECK(slurp(path) == "{\"step\":1}\n{\"st\n{\"step\":2}\n{\"step\":3}\n");
}

TEST_CASE("metrics: a full disk is reported once, counted, and later lines are whole again") {
  metrics_writer full("/dev/full");
  const auto first = full.write(record(1));
  REQUIRE(!first.ok());
  CHECK(contains(first.error().message, "/dev/full"));
  CHECK(contains(first.error().message, "free some space"));
  CHECK(full.write(record(2)).ok());
  CHECK(full.lost() == 2);

  const temp_folder folder;
  const auto path = folder.path("metrics.jsonl");
  CHECK(in_child([&] {
    metrics_writer metrics(path);
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{16, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit); // the second line gets half through
    bool good = metrics.write(record(1)).ok() && !metrics.write(record(2)).ok() && metrics.lost() == 1;
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    return good && metrics.write(record(3)).ok();
  }));
  CHECK(lines_of(slurp(path)) == std::vector<std::string>{"{\"step\":1}", "{\"ste", "{\"step\":3}"});
}

TEST_CASE("metrics: an impossible file is an error at the first line, and never an exception") {
  const temp_folder folder;
  metrics_writer metrics(impossible_path(folder));
  CHECK(contains(metrics.write(record(1)).error().message, "Not a directory"));
  CHECK(metrics.write(record(2)).ok());
  CHECK(metrics.lost() == 2);
}

TEST_CASE(
    "log: lines have time, level and source, on stderr and in the file, without colour off a terminal") {
  const temp_folder folder;
  const auto path = folder.write("log.txt", "earlier\n");
  const auto seen = stderr_of(folder, [&] {
    auto log = logger::to_stderr_and_file(path);
    log.info("worker-3", "hello {} %s"); // no format string
    log.warn("coordinator", "careful");
    logger moved = std::move(log);
    moved.error("node", "lost");
  });
  const auto lines = lines_of(seen);
  REQUIRE(lines.size() == 3);
  const std::string time = R"(\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\] )";
  CHECK(std::regex_match(lines[0], std::regex(time + R"(\[info\] \[worker-3\] hello \{\} %s)")));
  CHECK(std::regex_match(lines[1], std::regex(time + R"(\[warning\] \[coordinator\] careful)")));
  CHECK(std::regex_match(lines[2], std::regex(time + R"(\[error\] \[node\] lost)")));
  CHECK(slurp(path) == "earlier\n" + seen);
}

TEST_CASE("log: a silent logger writes nothing") {
  const temp_folder folder;
  CHECK(stderr_of(folder, [] {
          auto log = logger::silent();
          log.error("x", "y");
        }).empty());
}

TEST_CASE("log: a full disk or an impossible file costs lines of the file only") {
  const temp_folder folder;
  for (const auto& path : {std::string("/dev/full"), impossible_path(folder)}) {
    CAPTURE(path);
    const auto seen = stderr_of(folder, [&] {
      auto log = logger::to_stderr_and_file(path);
      for (int i = 0; i < 100; ++i)
        log.info("x", "still here");
    });
    std::size_t count = 0;
    for (const auto& line : lines_of(seen))
      count += contains(line, "[info] [x] still here") ? 1U : 0U;
    CHECK(count == 100);
    CHECK(lines_of(seen).size() <= 101); // the reason, once
  }
}

TEST_CASE("log: lines of several threads stay whole") {
  const temp_folder folder;
  const auto path = folder.path("log.txt");
  stderr_of(folder, [&] {
    auto log = logger::to_stderr_and_file(path);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&log] {
        for (int i = 0; i < 50; ++i)
          log.info("thread", std::string(40, 'x'));
      });
    for (auto& t : threads)
      t.join();
  });
  const auto lines = lines_of(slurp(path));
  CHECK(lines.size() == 200);
  for (const auto& line : lines)
    CHECK(line.substr(25) == " [info] [thread] " + std::string(40, 'x'));
}
