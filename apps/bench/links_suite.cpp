#include "actors/net/credentials.hpp"
#include "apps/bench/link_pair.hpp"
#include "apps/bench/suites.hpp"

#include <filesystem>
#include <fmt/format.h>
#include <stdexcept>
#include <unistd.h>

namespace triage {

namespace {

/// Credentials for this measurement; removed afterwards.
class temporary_credentials {
public:
  temporary_credentials()
      : path_(std::filesystem::temp_directory_path() / fmt::format("triage-bench-{}", getpid())) {
    certain(make_authority((path_ / "authority").string(), 1));
    certain(make_node_credentials((path_ / "authority").string(), "coordinator", node(), 1));
  }
  temporary_credentials(const temporary_credentials&) = delete;
  temporary_credentials& operator=(const temporary_credentials&) = delete;
  ~temporary_credentials() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string node() const { return (path_ / "coordinator").string(); }

private:
  static void certain(const result<void>& r) {
    if (!r.ok())
      throw std::runtime_error(r.error().message);
  }
  std::filesystem::path path_;
};

} // namespace

void bench_links(const bench_options& options, bench_report& report) {
  const temporary_credentials credentials;
  const auto blocking = make_blocking_pair();
  const auto plain = make_link_pair("");
  const auto encrypted = make_link_pair(credentials.node());
  const auto shared = make_shared_memory_pair();
  constexpr std::size_t large = std::size_t{4} << 20U;
  constexpr std::size_t small = std::size_t{4} << 10U;
  const double seconds = options.seconds;

  const std::vector<contender> pushes = {
      {"blocking loop", [&] { return 1e-9 * large * blocking->rate(large, seconds); }},
      {"link", [&] { return 1e-9 * large * plain->rate(large, seconds); }},
      {"link, TLS", [&] { return 1e-9 * large * encrypted->rate(large, seconds); }},
      {"one core's AES-128-GCM", [&] { return 1e-9 * encryption_speed(seconds); }},
      {"link, shared memory", [&] { return 1e-9 * large * shared->rate(large, seconds); }}};
  const auto speed = alternate(pushes, options.rounds);
  for (std::size_t i = 0; i < pushes.size(); ++i)
    report.add({"4 MiB push and answer, " + pushes[i].name, "GB/s", speed[i]});
  report.add({"4 MiB: link / blocking loop", "", ratio(speed[1], speed[0]), 0.8});
  // The bytes must be copied as without TLS, and be encrypted besides.
  series bound;
  for (std::size_t i = 0; i < speed[0].values.size(); ++i)
    bound.values.push_back(1.0 / (1.0 / speed[0].values[i] + 1.0 / speed[3].values[i]));
  report.add({"4 MiB, TLS: bound by blocking loop and encryption", "GB/s", bound});
  report.add({"4 MiB: link with TLS / bound", "", ratio(speed[2], bound), 0.6});

  const std::vector<contender> trips = {
      {"blocking loop", [&] { return 1e6 / blocking->rate(small, seconds); }},
      {"link", [&] { return 1e6 / plain->rate(small, seconds); }},
      {"link, TLS", [&] { return 1e6 / encrypted->rate(small, seconds); }},
      {"link, shared memory", [&] { return 1e6 / shared->rate(small, seconds); }}};
  const auto times = alternate(trips, options.rounds);
  for (std::size_t i = 0; i < trips.size(); ++i)
    report.add({"4 KiB round trip, " + trips[i].name, "us", times[i]});
  report.add({"4 KiB: link / blocking loop", "", ratio(times[1], times[0]), 3.0, true});
}

} // namespace triage
