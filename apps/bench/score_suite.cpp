#include "actors/point_scorer.hpp"
#include "apps/bench/models.hpp"
#include "apps/bench/step.hpp"
#include "apps/bench/suites.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace triage {

namespace {

std::vector<double> ranks(const std::vector<float>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return values[a] < values[b]; });
  std::vector<double> rank(values.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    rank[order[i]] = static_cast<double>(i);
  return rank;
}

/// Spearman's rank correlation; ties do not occur among scores worth comparing.
double rank_correlation(const std::vector<float>& a, const std::vector<float>& b) {
  const auto x = ranks(a);
  const auto y = ranks(b);
  const auto n = static_cast<double>(a.size());
  double squares = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i)
    squares += (x[i] - y[i]) * (x[i] - y[i]);
  return 1.0 - 6.0 * squares / (n * (n * n - 1.0));
}

/// Share of the highest tenth by `a` that is among the highest tenth by `b`.
double top_tenth_overlap(const std::vector<float>& a, const std::vector<float>& b) {
  const auto x = ranks(a);
  const auto y = ranks(b);
  const double limit = 0.9 * static_cast<double>(a.size());
  double both = 0.0;
  double top = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (x[i] >= limit) {
      top += 1.0;
      both += y[i] >= limit ? 1.0 : 0.0;
    }
  return both / top;
}

} // namespace

void bench_score(const bench_options& options, bench_report& report) {
  struct subject {
    const char* model;
    std::int64_t batch;
  };
  const steady_clock time;
  for (const auto& s : {subject{"mlp", 64}, subject{"cnn", 64}, subject{"resnet8", 64}}) {
    if (!options.wants(s.model, s.batch))
      continue;
    const std::string sampling = R"(sampling={"type": "pps_epoch"})";
    const auto chosen = make_bench_setup(s.model, s.batch, {sampling, "optimizer.learning_rate=0.01"});
    const auto floats = make_bench_setup(
        s.model, s.batch, {sampling, "optimizer.learning_rate=0.01", "runtime.scoring_precision=f32"});
    training_step step(chosen);
    // Half-trained: scores spread, and activations are those of a network that has learned something.
    const std::size_t points = chosen->data.train.size;
    for (std::size_t i = 0; i < points / step.batch_size(); ++i)
      step.run();
    const snapshot at = step.current();
    std::vector<std::uint32_t> ids(static_cast<std::size_t>(chosen->config.scoring_batch_size));
    std::iota(ids.begin(), ids.end(), 0U);
    point_scorer fast(chosen, time);
    point_scorer exact(floats, time);
    std::uint64_t version = at.version;
    const auto per_sample = [&](point_scorer& scorer) {
      // A new version each time: quantising the parameters is part of the price.
      const double calls = calls_per_second(options.seconds, [&] {
        (void)scorer.measure({++version, at.parameters}, ids);
      });
      return 1e6 / calls / static_cast<double>(ids.size());
    };
    const std::vector<contender> contenders = {
        {"train one sample",
         [&] {
           return 1e6 / calls_per_second(options.seconds, [&] { step.run(); }) / static_cast<double>(s.batch);
         }},
        {"score one sample", [&] { return per_sample(fast); }},
        {"score one sample in floats", [&] { return per_sample(exact); }}};
    const auto figures = alternate(contenders, options.rounds);
    const std::string name = fmt::format("{}: ", s.model);
    for (std::size_t i = 0; i < contenders.size(); ++i)
      report.add({name + contenders[i].name, "us", figures[i]});
    report.add({name + "score / train", "", ratio(figures[1], figures[0]), 0.125, true});
    if (auto remark = fast.take_remark(); !remark.empty())
      report.remark(remark);
    if (!fast.uses_bytes())
      continue;
    std::vector<std::uint32_t> all(std::min<std::size_t>(points, 10000));
    std::iota(all.begin(), all.end(), 0U);
    const auto rough = fast.measure(at, all);
    const auto precise = exact.measure(at, all);
    report.add({name + "rank correlation of 8-bit and float scores",
                "",
                {{rank_correlation(rough, precise)}},
                0.98});
    report.add({name + "overlap of the top tenth", "", {{top_tenth_overlap(precise, rough)}}, 0.90});
  }
}

} // namespace triage
