#include "actors/net/link_emulator.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <vector>

using namespace triage;

namespace {

/// Arrivals of frames that leave at a pace, minus their departures.
std::vector<double> travels(const emulated_network& network, std::size_t bytes, double pace, int frames,
                            std::uint64_t seed = 1) {
  link_emulator emulator(network, seed, 1);
  std::vector<double> out;
  double last = 0.0;
  for (int i = 0; i < frames; ++i) {
    const double now = 1.0 + pace * i;
    const double arrival = emulator.arrival(now, bytes);
    CHECK(arrival >= last); // order is kept
    last = arrival;
    out.push_back(arrival - now);
  }
  return out;
}

double mean(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double v : values)
    sum += v;
  return sum / static_cast<double>(values.size());
}

} // namespace

TEST_CASE("link emulator: latency is added to every frame") {
  for (const double t : travels({.latency_ms = 20.0}, 100'000, 0.001, 100))
    CHECK(t == doctest::Approx(0.02));
}

TEST_CASE("link emulator: bytes leave one after another at the bandwidth") {
  link_emulator emulator({.latency_ms = 5.0, .bandwidth_mbps = 8.0}, 1, 1); // a megabyte a second
  CHECK(emulator.arrival(10.0, 500'000) == doctest::Approx(10.505));
  CHECK(emulator.arrival(10.0, 500'000) == doctest::Approx(11.005)); // behind the first
  CHECK(emulator.arrival(10.2, 1) == doctest::Approx(11.005001));
  CHECK(emulator.arrival(20.0, 1'000'000) == doctest::Approx(21.005)); // the line was free again
}

TEST_CASE("link emulator: jitter has its mean, keeps the order, and is that of its seed") {
  const emulated_network network{.latency_ms = 10.0, .jitter_ms = 5.0};
  const auto slow = travels(network, 100, 1.0, 5000); // far apart: none waits for the one before
  CHECK(mean(slow) == doctest::Approx(0.015).epsilon(0.05));
  CHECK(*std::min_element(slow.begin(), slow.end()) >= 0.01);
  CHECK(slow == travels(network, 100, 1.0, 5000));
  CHECK(slow != travels(network, 100, 1.0, 5000, 2));
  CHECK(mean(travels(network, 100, 0.0001, 5000)) > 0.015); // close together: they wait for each other
}

TEST_CASE("link emulator: loss costs retransmissions, at least 200 ms or a round trip each") {
  const auto share_late = [](const std::vector<double>& t) {
    return static_cast<double>(std::count_if(t.begin(), t.end(), [](double s) { return s > 0.1; })) /
           static_cast<double>(t.size());
  };
  const auto few = travels({.loss = 0.01}, 100, 10.0, 20'000); // one packet each
  CHECK(share_late(few) == doctest::Approx(0.01).epsilon(0.25));
  const auto large = travels({.loss = 0.01}, 144'800, 10.0, 20'000); // 100 packets: any of them
  CHECK(share_late(large) == doctest::Approx(1.0 - std::pow(0.99, 100)).epsilon(0.05));
  for (const double t : few)
    CHECK((t < 1e-9 || t >= 0.2 - 1e-9));
  for (const double t : travels({.latency_ms = 300.0, .loss = 0.5}, 100, 100.0, 1000))
    CHECK((t < 0.3 + 1e-9 || t >= 0.9 - 1e-9));
}
