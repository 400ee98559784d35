#include "apps/bench/models.hpp"
#include "apps/bench/report.hpp"
#include "apps/bench/series.hpp"
#include "apps/bench/step.hpp"
#include "apps/bench/suites.hpp"
#include "command_support.hpp"

#include "actors/train.hpp"
#include "core/rng.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

using namespace triage;
using namespace triage::test;

TEST_CASE("bench: quantiles are interpolated between the sorted values, whatever their order") {
  rng random(3, 3);
  for (int round = 0; round < 200; ++round) {
    series s;
    const auto n = 1 + random.below(12);
    for (std::uint64_t i = 0; i < n; ++i)
      s.values.push_back(random.normal());
    auto sorted = s.values;
    std::sort(sorted.begin(), sorted.end());
    CHECK(s.quantile(0.0) == sorted.front());
    CHECK(s.quantile(1.0) == sorted.back());
    for (std::size_t k = 0; k < sorted.size() && n > 1; ++k)
      CHECK(s.quantile(static_cast<double>(k) / static_cast<double>(n - 1)) == doctest::Approx(sorted[k]));
    const double q = random.uniform();
    const auto at_most =
        std::count_if(sorted.begin(), sorted.end(), [&](double v) { return v <= s.quantile(q) + 1e-12; });
    CHECK(static_cast<double>(at_most) >= q * static_cast<double>(n - 1));
  }
  CHECK(series{{4.0, 1.0, 2.0, 3.0}}.median() == 2.5);
  CHECK(series{}.median() == 0.0);
}

TEST_CASE("bench: ratios are taken round by round, so that a slow round hits both sides") {
  const auto r = ratio(series{{2.0, 8.0, 3.0}}, series{{1.0, 2.0, 4.0}});
  CHECK(r.values == std::vector<double>{2.0, 4.0, 0.75});
}

TEST_CASE("bench: contenders take turns, and a first round is thrown away") {
  std::string order;
  double figure = 0.0;
  const std::vector<contender> contenders = {{"a",
                                              [&] {
                                                order += 'a';
                                                return ++figure;
                                              }},
                                             {"b", [&] {
                                                order += 'b';
                                                return ++figure;
                                              }}};
  const auto results = alternate(contenders, 3);
  CHECK(order == "abababab");
  REQUIRE(results.size() == 2);
  CHECK(results[0].values == std::vector<double>{3.0, 5.0, 7.0});
  CHECK(results[1].values == std::vector<double>{4.0, 6.0, 8.0});
}

TEST_CASE("bench: calls per second count at least one call, also of work that is longer than the time") {
  int calls = 0;
  const double rate = calls_per_second(0.0, [&] { ++calls; });
  CHECK(calls == 1);
  CHECK(rate > 0.0);
}

TEST_CASE("bench: a report prints each row at once, says which goals are met, and writes all of it as JSON") {
  const scratch_folder folder;
  json_value written;
  {
    const redirected out(STDOUT_FILENO, folder.path("out"));
    bench_report report;
    report.begin_suite("speed");
    report.add({"fast enough", "1/s", {{3.0, 1.0, 2.0}}, 1.5});
    report.add({"too slow", "1/s", {{1.0}}, 1.5});
    report.add({"short enough", "ms", {{0.5}}, 1.0, true});
    report.add({"no goal", "ms", {{1234567.0}}});
    report.remark("it was a cold day");
    report.begin_suite("empty");
    written = report.to_json();
  }
  const auto text = text_of(folder.path("out"));
  const auto line_of = [&](const std::string& name) {
    const auto begin = text.find(name);
    REQUIRE(begin != std::string::npos);
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  CHECK(line_of("fast enough").find("[meets at least 1.500]") != std::string::npos);
  CHECK(line_of("too slow").find("[misses at least 1.500]") != std::string::npos);
  CHECK(line_of("short enough").find("[meets at most 1.000]") != std::string::npos);
  CHECK(line_of("no goal").find('[') == std::string::npos);
  CHECK(line_of("no goal").find("1.23 M") != std::string::npos);
  CHECK(text.find("it was a cold day") != std::string::npos);

  const auto* suites = written.find("suites");
  REQUIRE(suites != nullptr);
  REQUIRE(suites->as_object().size() == 2);
  const auto& rows = suites->find("speed")->find("rows")->as_array();
  REQUIRE(rows.size() == 4);
  CHECK(rows[0].find("median")->as_number() == 2.0);
  CHECK(rows[0].find("low")->as_number() == 1.5);
  CHECK(rows[0].find("high")->as_number() == 2.5);
  CHECK(rows[0].find("at_least")->as_number() == 1.5);
  CHECK(rows[2].find("at_most")->as_number() == 1.0);
  CHECK(rows[2].find("at_least") == nullptr);
  CHECK(rows[3].find("at_least") == nullptr);
  CHECK(rows[0].find("values")->as_array().size() == 3);
  CHECK(suites->find("speed")->find("remarks")->as_array().size() == 1);
  CHECK(suites->find("empty")->find("rows")->as_array().empty());
  CHECK(written.find("build")->find("version") != nullptr);
}

TEST_CASE("bench: suites have names of their own, and --only is read as model and batch") {
  std::set<std::string_view> names;
  for (const auto& s : bench_suites) {
    CHECK(names.insert(s.name).second);
    CHECK(!s.summary.empty());
    CHECK((s.run != nullptr));
  }
  bench_options options;
  CHECK(options.wants("mlp", 64));
  options.only = "mlp:64";
  CHECK(options.wants("mlp", 64));
  CHECK(!options.wants("mlp", 256));
  CHECK(!options.wants("cnn", 64));
}

TEST_CASE("bench: the step that is timed is the step that trains: after an epoch it has the loss down") {
  auto setup = prepare_run_text(small_run_text);
  REQUIRE(setup.ok());
  training_step step(*setup);
  CHECK(step.batch_size() == 16);
  const auto first = step.current();
  step.gradient();
  CHECK(step.current().version == first.version); // only an update changes parameters
  step.update();
  CHECK(step.current().version == first.version + 1);
  for (int i = 0; i < 200; ++i)
    step.run();
  const auto loss_at = [&](const snapshot& at) {
    workspace w((*setup)->net);
    std::vector<std::uint32_t> ids(300);
    std::iota(ids.begin(), ids.end(), 0U);
    std::vector<std::int32_t> labels;
    std::vector<float> values;
    gather_samples((*setup)->data.train, (*setup)->data.standard, ids, w.input(300));
    const auto targets = gather_targets((*setup)->data.train, ids, labels, values);
    const auto s =
        w.measure(at.parameters.view(), 300, targets, *(*setup)->loss, static_cast<signal_set>(signal::loss));
    double sum = 0.0;
    for (const float l : s.loss)
      sum += static_cast<double>(l);
    return sum / 300.0;
  };
  CHECK(loss_at(step.current()) < 0.5 * loss_at(first));
}

TEST_CASE("bench: a suite runs from the command line, its figures go to stdout and to the JSON file") {
  const scratch_folder folder;
  const auto s = run_command({"bench", "kernels", "--only", "mlp:64", "--rounds", "1", "--seconds", "0.001",
                              "--json", folder.path("bench.json")});
  REQUIRE_MESSAGE(s.code == 0, s.err);
  CHECK(s.out.find("kernels") != std::string::npos);
  const auto written = read_json_file(folder.path("bench.json"));
  REQUIRE(written.ok());
  const auto& rows = written->find("suites")->find("kernels")->find("rows")->as_array();
  CHECK(!rows.empty());
  for (const auto& row : rows)
    CHECK(row.find("median")->as_number() > 0.0);
}
