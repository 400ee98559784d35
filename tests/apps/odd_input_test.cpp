#include "apps/launch/host_list.hpp"
#include "apps/prediction_input.hpp"
#include "apps/race/run_result.hpp"
#include "apps/race/spec.hpp"
#include "command_support.hpp"
#include "core/npy.hpp"
#include "core/rng.hpp"
#include "race_support.hpp"

#include <functional>

// Whatever stands in a file that people or other programs have written: it is read, or refused with a
// sentence that names it. Nothing is thrown, nothing is read beyond its end (the sanitizers watch).

using namespace triage;
using namespace triage::test;

namespace {

/// The text with a few bytes changed, cut out, doubled or cut off.
std::string damaged(std::string text, rng& random) {
  const auto place = [&] { return static_cast<std::size_t>(random.below(text.size() + 1)); };
  for (std::uint64_t n = 1 + random.below(4); n > 0 && !text.empty(); --n) {
    const auto at = std::min(place(), text.size() - 1);
    switch (random.below(5)) {
    case 0:
      text[at] = static_cast<char>(random.below(256));
      break;
    case 1:
      text.erase(at, 1 + random.below(8));
      break;
    case 2:
      text.insert(at, text.substr(at, 1 + random.below(12)));
      break;
    case 3:
      text.resize(at);
      break;
    default:
      text.insert(at, std::string("\n,0-\"{}[]:\x00", 11).substr(random.below(11), 1));
    }
  }
  return text;
}

void check_error(const error& e, const std::string& source) {
  CHECK(!e.message.empty());
  CHECK_MESSAGE(e.message.find(source) != std::string::npos, e.message);
}

} // namespace

TEST_CASE("odd input: samples to predict, as CSV, npy and IDX") {
  const scratch_folder folder;
  rng random(1, 11);
  const sample_shape shape{4, 1, 1};
  const std::string csv = "a,b,c,d\n1,2,3,4\n5.5,-6e3,7,8\n0,0,0,0\n";
  const std::string npy = encode_npy({3, 4}, std::vector<float>(12, 0.5F));
  const std::string idx = std::string("\0\0\x08\x02\0\0\0\x02\0\0\0\x04", 12) + "abcdefgh";
  const std::string svm = "1 0:1 2:3.5\n1:2 3:-4e2 # no label\n-1\n";
  int read = 0;
  int refused = 0;
  for (int round = 0; round < 1500; ++round) {
    for (const auto& [name, text] : {std::pair{"in.csv", &csv}, std::pair{"in.npy", &npy},
                                     std::pair{"in.idx", &idx}, std::pair{"in.svm", &svm}}) {
      expected_samples expected{shape, false, ',',
                                round % 2 == 0 ? std::vector<std::string>{}
                                               : std::vector<std::string>{"a", "b", "c", "d"}};
      if (text == &svm)
        expected.first_index = 0;
      const auto input = read_prediction_input(folder.file(name, damaged(*text, random)), expected);
      if (!input.ok()) {
        ++refused;
        check_error(input.error(), name);
        continue;
      }
      ++read;
      const dataset& samples = input->samples;
      REQUIRE(samples.size > 0);
      REQUIRE((samples.is_bytes() ? samples.bytes.size() : samples.floats.size()) == 4 * samples.size);
    }
  }
  CHECK(read > 100);
  CHECK(refused > 100);
}

TEST_CASE("odd input: host lists") {
  rng random(1, 12);
  const std::string hosts =
      "# all\nme@node-1 threads=4 data=/d tls=k role=worker\nnode-2 program=/opt/triage\n";
  int read = 0;
  for (int round = 0; round < 5000; ++round) {
    const auto list = parse_hosts(damaged(hosts, random), "hosts");
    if (!list.ok()) {
      check_error(list.error(), "hosts");
      continue;
    }
    ++read;
    REQUIRE(!list->empty());
    for (const auto& h : *list) {
      REQUIRE(!h.host.empty());
      REQUIRE(h.host.front() != '-');
      REQUIRE((!h.threads || (*h.threads >= 1 && *h.threads <= 1024)));
    }
  }
  CHECK(read > 500);
}

TEST_CASE(
    "odd input: specifications of races keep what read_race_spec promises, or are refused with their place") {
  rng random(1, 13);
  // Members are taken away, replaced and moved about in the parsed document: most texts would be no JSON at
  // all.
  const std::vector<std::string> values = {
      "null", "true", "-1",     "1e308",   "\"\"",          "\"a/b\"",       "\"plain\"",
      "[]",   "{}",   "[1, 1]", "[\"x\"]", "{\"a.b\": []}", "{\"seed\": 1}", "[{}]"};
  int read = 0;
  for (int round = 0; round < 3000; ++round) {
    auto document = json_text(spec_text());
    for (std::uint64_t n = 1 + random.below(3); n > 0; --n) {
      json_value* at = &document;
      for (int depth = 0; depth < 4; ++depth) { // a random walk down
        if (at->is_object() && !at->as_object().empty() && random.below(3) != 0)
          at = &at->as_object()[random.below(at->as_object().size())].second;
        else if (at->is_array() && !at->as_array().empty() && random.below(3) != 0)
          at = &at->as_array()[random.below(at->as_array().size())];
      }
      if (at != &document)
        *at = json_text(values[random.below(values.size())]);
    }
    const auto spec = read_race_spec(document, "race.json");
    if (!spec.ok()) {
      check_error(spec.error(), "race.json");
      CHECK(spec.error().kind == error_kind::configuration);
      continue;
    }
    ++read;
    REQUIRE(!spec->arms.empty());
    REQUIRE(!spec->targets.empty());
    REQUIRE(!spec->seeds.empty());
    for (const auto& arm : spec->arms) {
      REQUIRE(arm.name.find('/') == std::string::npos);
      REQUIRE((arm.grid_of.empty() || spec->find_arm(arm.grid_of) != nullptr));
      for (const auto& axis : arm.grid)
        REQUIRE(!axis.values.empty());
    }
  }
  CHECK(read > 100);
}

TEST_CASE("odd input: metrics of a run") {
  const scratch_folder folder;
  rng random(1, 14);
  std::string metrics;
  for (int i = 1; i < 5; ++i)
    metrics += R"({"event": "evaluation", "epoch": )" + std::to_string(i) +
               R"(, "train_seconds": 1.5, "train_loss": 0.)" + std::to_string(9 - i) +
               "}\n{\"event\": \"progress\", \"step\": 4}\n";
  int read = 0;
  for (int round = 0; round < 1500; ++round) {
    const auto points = read_curve(folder.file("metrics.jsonl", damaged(metrics, random)));
    if (!points.ok()) {
      check_error(points.error(), "metrics.jsonl, line ");
      continue;
    }
    ++read;
    REQUIRE(points->size() <= 5);
  }
  CHECK(read > 300);
}

TEST_CASE("odd input: a run's summary and description of any content make a failed run, never a crash") {
  const scratch_folder folder;
  rng random(1, 15);
  std::filesystem::create_directories(folder.path("r"));
  const std::string summary =
      R"({"status": "finished", "train_seconds": 1, "problem": null, "scoring_share": 0})";
  const std::string description = R"({"data_fingerprint": "abc", "host": "h", "build": {"version": "1"}})";
  int failed = 0;
  for (int round = 0; round < 800; ++round) {
    (void)folder.file("r/summary.json", damaged(summary, random));
    (void)folder.file("r/description.json", damaged(description, random));
    (void)folder.file("r/metrics.jsonl", "{\"event\": \"evaluation\", \"epoch\": 1, \"train_loss\": 1}\n");
    const auto run = read_run_result(folder.path(), "r", 3);
    CHECK(run.seed == 3);
    failed += run.failed ? 1 : 0;
    if (run.failed)
      CHECK(!run.problem.empty());
  }
  CHECK(failed > 100);
  CHECK(failed < 800);
}
