#include "cluster_folder.hpp"

#include "core/npy.hpp"
#include "core/rng.hpp"

#include <csignal>
#include <filesystem>

using namespace triage;
using namespace triage::test;

TEST_CASE(
    "nodes: with shards each node trains its own points, read from a mapped file, and the status says whose "
    "they are") {
  const cluster_folder f;
  constexpr std::size_t points = 3000;
  std::vector<float> samples(points * 16);
  std::vector<std::int64_t> labels(points);
  rng random(1, 2);
  for (std::size_t i = 0; i < points; ++i) {
    labels[i] = static_cast<std::int64_t>(i * 4 / points); // sorted by class
    for (std::size_t k = 0; k < 16; ++k)
      samples[i * 16 + k] = static_cast<float>(random.normal() + (k % 4 == i * 4 / points ? 2.0 : 0.0));
  }
  REQUIRE(write_npy(f.folder.path("x.npy"), {points, 16}, samples).ok());
  REQUIRE(write_npy(f.folder.path("x_labels.npy"), {points}, labels).ok());
  const std::vector<std::string> options = {
      "--set", R"(data={"format":"npy","train":")" + f.folder.path("x.npy") + R"(","map":"always"})",
      "--set", R"(model=[{"type":"synthetic_wait","milliseconds":5},{"type":"dense","units":4}])",
      "--set", "sampling=auto",
      "--set", "duration.epochs=1e9",
      "--set", "evaluation.every_epochs=1"};
  auto sharded = options;
  for (const char* more : {"--set", "network.shards=8", "--min-workers", "2"})
    sharded.emplace_back(more);
  const auto leading = f.coordinator(sharded, "sharded");
  const auto address = f.address("sharded");
  REQUIRE_MESSAGE(!address.empty(), f.said("sharded"));
  const auto a = f.start({"node", "--join", address, "--threads", "1", "--name", "a"}, "a.txt");
  const auto b = f.start({"node", "--join", address, "--threads", "1", "--name", "b"}, "b.txt");
  finished_process asked;
  result<json_value> status = json_value{};
  REQUIRE_MESSAGE(eventually(60.0,
                             [&] {
                               asked = run_triage({"status", address, "--json"}, f.folder.path("status.txt"));
                               status = parse_json(asked.output, "status");
                               return status.ok() && status->find("epochs") != nullptr &&
                                      status->find("epochs")->as_number() >= 4.0;
                             }),
                  asked.output);
  const auto& holders = status->find("shards")->as_array();
  REQUIRE(holders.size() == 2);
  double mass = 0.0;
  std::size_t shards = 0;
  for (const auto& h : holders) {
    mass += h.find("mass")->as_number();
    shards += h.find("numbers")->as_array().size();
  }
  CHECK(mass == doctest::Approx(1.0));
  CHECK(shards == 8);
  const auto text = run_triage({"status", address}, f.folder.path("status.txt")).output;
  CHECK_MESSAGE(text.find("shards of") != std::string::npos, text);
  // The nodes would wait for the coordinator to come back.
  for (process* p : {leading.get(), a.get(), b.get()}) {
    p->signal(SIGTERM);
    CHECK(p->wait() == 128 + SIGTERM);
  }
  const auto summary = read_json_file(f.folder.path("sharded/summary.json"));
  REQUIRE(summary.ok());
  CHECK(summary->find("test_accuracy")->as_number() > 0.9);
  bool told = false;
  for (const auto& record : metrics_of(f.folder.path("sharded")))
    told = told || (record.find("shards") != nullptr && record.find("shards")->as_array().size() == 2);
  CHECK(told);
}

TEST_CASE("mapped data: a file that becomes shorter while it is trained on ends the run with a sentence, and "
          "code 3") {
  const cluster_folder f;
  const std::size_t points = 4000;
  REQUIRE(write_npy(f.folder.path("x.npy"), {points, 64}, std::vector<std::uint8_t>(points * 64, 7)).ok());
  std::vector<std::int64_t> labels(points);
  for (std::size_t i = 0; i < points; ++i)
    labels[i] = static_cast<std::int64_t>(i % 5);
  REQUIRE(write_npy(f.folder.path("x_labels.npy"), {points}, labels).ok());
  const auto run =
      f.start({"train", f.file, "--run-dir", f.folder.path("run"), "--set",
               R"(data={"format":"npy","train":")" + f.folder.path("x.npy") + R"(","map":"always"})", "--set",
               "duration.epochs=100000"},
              "run.txt");
  REQUIRE(eventually(20.0, [&] { return f.said("run").find("epoch") != std::string::npos; }));
  std::filesystem::resize_file(f.folder.path("x.npy"), 0);
  CHECK(run->wait() == 3);
  CHECK_MESSAGE(f.said("run").find("mapped into memory has become shorter") != std::string::npos,
                f.said("run"));
}
