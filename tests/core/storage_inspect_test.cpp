#include "core/checkpoint.hpp"
#include "core/inspect.hpp"
#include "core/npz.hpp"
#include "tests/core/npy_support.hpp"

#include <cmath>
#include <doctest/doctest.h>

using namespace triage;
using namespace triage::test;

namespace {

std::string text_of(const std::string& path) {
  const auto text = inspect_file(path);
  REQUIRE_MESSAGE(text.ok(), text.error().message);
  return *text;
}

checkpoint_content content_of(std::int64_t step) {
  checkpoint_content c;
  c.step = step;
  c.model = {{"0/weights", {2, 2}, {-1.5F, 2, 0, std::nanf("")}}};
  c.state.put("sampler/random", std::vector<std::uint64_t>{1, 2, 3});
  return c;
}

} // namespace

TEST_CASE("inspect: arrays say their type and shape") {
  const temp_folder folder;
  CHECK(contains(text_of(folder.write("a", npy_bytes("<i4", "(2, 1)", counting(8)))),
                 "npy array, dtype <i4, shape [2, 1]"));
  const auto idx = idx_file({2, 3}, counting(6));
  CHECK(contains(text_of(folder.write("b", idx)), "IDX array, unsigned bytes, shape [2, 3]"));
  CHECK(contains(text_of(folder.write("c", gzip(idx))), "IDX array, unsigned bytes, shape [2, 3]"));
  REQUIRE(write_npz({{"w", {1}, {2}}}, folder.path("d")).ok());
  const auto npz = text_of(folder.path("d"));
  CHECK(contains(npz, "npz archive, 1 arrays"));
  CHECK(contains(npz, "<f4 [1]"));
}

TEST_CASE("inspect: safetensors show name, type, shape and range of each tensor") {
  const temp_folder folder;
  const auto text = text_of(folder.write("m", encode_safetensors(to_stored(content_of(1).model))));
  CHECK(contains(text, "safetensors file, 1 tensors"));
  for (const char* part : {"0/weights", "F32", "[2, 2]", "-1.5 to 2", "1 not finite"})
    CHECK_MESSAGE(contains(text, part), text);
}

TEST_CASE("inspect: a checkpoint is verified") {
  const temp_folder folder;
  const auto path = write_checkpoint(folder.path(), content_of(7), 1).value();
  const auto text = text_of(path);
  for (const char* part :
       {"checkpoint at step 7, healthy", "1 tensors with 4 values", "sampler/random", "U64"})
    CHECK_MESSAGE(contains(text, part), text);
  std::filesystem::resize_file(path + "/state.safetensors", 20);
  CHECK(contains(data_problem(inspect_file(path)), "state.safetensors"));
}

TEST_CASE("inspect: a run shows its name, outcome, last metrics and the health of its checkpoints") {
  const temp_folder folder;
  folder.write("config.json", R"({"name": "fashion"})");
  auto text = text_of(folder.path());
  CHECK(contains(text, "run \"fashion\""));
  CHECK(contains(text, "not finished"));
  CHECK(!contains(text, "last metrics"));

  folder.write("summary.json", R"({"status": "finished", "test_accuracy": 0.5})");
  folder.write("metrics.jsonl", "{\"step\":1}\n{\"step\":2}\n{\"st");
  REQUIRE(write_checkpoint(folder.path("checkpoints"), content_of(1), 2).ok());
  const auto newest = write_checkpoint(folder.path("checkpoints"), content_of(2), 2).value();
  std::filesystem::remove(newest + "/DONE");
  text = text_of(folder.path());
  CHECK(contains(text, "finished\n"));
  CHECK(contains(text, "0.5"));
  CHECK(contains(text, "last metrics:\n  {\"step\":2}\n")); // the last whole line
  CHECK(contains(text, "step-000000000001  healthy"));
  CHECK(contains(text, "step-000000000002: incomplete"));
  CHECK(contains(text_of(folder.path("checkpoints")), "step-000000000001  healthy"));

  folder.write("metrics.jsonl", std::string(100'000, '\n') + "{\"step\":3}\n");
  CHECK(contains(text_of(folder.path()), "{\"step\":3}"));
  folder.write("metrics.jsonl", std::string(100'000, 'x') + "\n");
  CHECK(!contains(text_of(folder.path()), "last metrics"));
  folder.write("metrics.jsonl", "only\n");
  CHECK(contains(text_of(folder.path()), "last metrics:\n  only\n"));
}

TEST_CASE("inspect: whatever else lies at a path is an error that names it, at any length of a file") {
  const temp_folder folder;
  CHECK(contains(data_problem(inspect_file(folder.path("none"))), "does not exist"));
  CHECK(contains(data_problem(inspect_file(folder.path())), "neither a run directory"));
  CHECK(contains(data_problem(inspect_file(folder.write("text", "hello"))), "not a safetensors"));
  CHECK(contains(data_problem(inspect_file("/dev/null")), "/dev/null"));
  for (const auto& bytes : {npy_bytes("|u1", "(1,)", "x"), idx_file({1}, "x"), gzip(idx_file({1}, "x")),
                            encode_safetensors(to_stored(content_of(1).model)),
                            slurp(TRIAGE_SOURCE_DIR "/tests/golden/arrays.npz")})
    for (std::size_t n = 0; n < bytes.size(); ++n)
      CHECK(contains(data_problem(inspect_file(folder.write("cut", bytes.substr(0, n)))), "cut"));
}
