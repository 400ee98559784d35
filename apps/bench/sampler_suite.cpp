#include "apps/bench/suites.hpp"
#include "core/clock.hpp"
#include "sampling/sampling_source.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <malloc.h>
#include <stdexcept>

namespace triage {

namespace {

constexpr std::size_t points = 10'000'000;
constexpr std::size_t batch = 4096;

std::unique_ptr<sampling_source> make_source(const char* description, const point_classes& known = {}) {
  auto document = parse_json(description, "the sampler benchmark");
  auto made = make_sampling(*document, {"the sampler benchmark", ""});
  if (!made.ok())
    throw std::runtime_error(made.error().message);
  return std::make_unique<sampling_source>(made.take(), points, batch, 1, known);
}

std::vector<std::uint32_t> random_ids(rng& random) {
  std::vector<std::uint32_t> ids(batch);
  for (auto& id : ids)
    id = static_cast<std::uint32_t>(random.below(points));
  return ids;
}

double heap() {
  const auto m = mallinfo2();
  return static_cast<double>(m.uordblks) + static_cast<double>(m.hblkhd);
}

/// Draws and updates of a selector that keeps a search structure.
void measure_source(const std::string& name, const char* description, const bench_options& options,
                    bench_report& report) {
  const double before = heap();
  const auto source = make_source(description);
  rng random(3, rng_purpose::synthetic);
  std::vector<float> scores(batch);
  drawn_batch drawn;
  (void)source->draw(0.0, 1, drawn); // builds what is built once
  std::uint64_t version = 0;
  const std::vector<contender> contenders = {
      {"updates",
       [&] {
         return static_cast<double>(batch) * calls_per_second(options.seconds, [&] {
                  const auto ids = random_ids(random);
                  source->record(ids, scores, ++version);
                });
       }},
      {"draws", [&] {
         return static_cast<double>(batch) *
                calls_per_second(options.seconds, [&] { (void)source->draw(0.5, 1, drawn); });
       }}};
  for (auto& s : scores)
    s = random.uniform_float();
  report.add({fmt::format("{}, 10 M points: memory of a point", name),
              "bytes",
              {{(heap() - before) / static_cast<double>(points)}},
              16.0,
              true});
  const auto figures = alternate(contenders, options.rounds);
  for (std::size_t i = 0; i < contenders.size(); ++i)
    report.add({fmt::format("{}, 10 M points: {}", name, contenders[i].name), "1/s", figures[i], 5e6});
}

/// A whole pass over the data: its plans and its order are part of it.
double plan_seconds(const char* description, const point_classes& known, series& bytes) {
  const double before = heap();
  const auto source = make_source(description, known);
  rng random(5, rng_purpose::synthetic);
  std::vector<std::uint32_t> ids(points);
  std::vector<float> scores(points);
  for (std::uint32_t i = 0; i < points; ++i) {
    ids[i] = i;
    scores[i] = random.uniform_float();
  }
  source->record(ids, scores, 1);
  drawn_batch drawn;
  const steady_clock time;
  double seconds = 0.0;
  std::size_t taken = 0;
  while (taken < points / 2 - batch) { // one pass with kappa 0.5
    const double begin = time.now();
    (void)source->draw(0.5, 1, drawn);
    seconds += time.now() - begin;
    taken += drawn.ids.size();
  }
  std::vector<std::uint32_t>().swap(ids);
  std::vector<float>().swap(scores);
  bytes.values.push_back((heap() - before) / static_cast<double>(points));
  return seconds;
}

} // namespace

void bench_sampler(const bench_options& options, bench_report& report) {
  measure_source("multinomial", R"({"type": "multinomial"})", options, report);
  constexpr std::size_t classes = 10;
  std::vector<std::int32_t> labels(points);
  for (std::size_t i = 0; i < points; ++i)
    labels[i] = static_cast<std::int32_t>(i % classes);
  struct subject {
    const char* name;
    const char* description;
    point_classes known; ///< the noise guard needs classes
  };
  for (const auto& s :
       {subject{"pps_epoch",
                R"({"type": "pps_epoch", "warm_epochs": 0, "kappa": 0.5, "gate": {"mode": "off"}})",
                {}},
        subject{"auto, with its noise guard",
                R"({"type": "auto", "warm_epochs": 0, "kappa": 0.5, "gate": {"mode": "off"}})",
                {labels, classes}}}) {
    series plans;
    series bytes;
    for (int round = 0; round < std::min(options.rounds, 5); ++round)
      plans.values.push_back(plan_seconds(s.description, s.known, bytes));
    report.add({fmt::format("{}, 10 M points: memory of a point", s.name), "bytes", bytes, 16.0, true});
    report.add({fmt::format("{}, 10 M points: plans and draws of one pass", s.name), "s", plans, 0.5, true});
  }
}

} // namespace triage
