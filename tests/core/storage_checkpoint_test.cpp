#include "core/checkpoint.hpp"
#include "core/hash.hpp"
#include "tests/core/storage_support.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <limits>

using namespace triage;
using namespace triage::test;
namespace fs = std::filesystem;

namespace {

checkpoint_content content_of(std::int64_t step, float value = 1) {
  checkpoint_content c;
  c.step = step;
  c.model = {{"0/weights", {2, 1}, {value, -0.0F}}, {"0/bias", {1}, {0.5F}}};
  c.state.put("optimizer/moment", std::vector<double>{0.25, value});
  c.state.put("sampler/random", std::vector<std::uint64_t>{~std::uint64_t{0}, 7});
  c.state.put_text("note", "hello");
  return c;
}

/// What `write_checkpoint` must have made of content_of(step, value).
void check_content(const checkpoint_content& c, std::int64_t step, float value = 1) {
  CHECK(c.step == step);
  REQUIRE(c.model.size() == 2);
  CHECK(c.model[0].name == "0/weights");
  CHECK(c.model[0].shape == std::vector<std::int64_t>{2, 1});
  CHECK(same_bits(c.model[0].values, {value, -0.0F}));
  CHECK(c.state.entries().size() == 3);
  CHECK(c.state.get<double>("optimizer/moment").value()[1] == value);
  CHECK(c.state.get_text("note").value() == "hello");
}

std::vector<std::string> names(const std::string& directory) {
  std::vector<std::string> out;
  for (const auto& path : list_checkpoints(directory))
    out.push_back(fs::path(path).filename().string());
  return out;
}

/// Everything in a directory that is neither a checkpoint nor the link.
std::vector<std::string> leftovers(const std::string& directory) {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(directory))
    if (const auto name = entry.path().filename().string(); name.starts_with('.') || name.ends_with(".old"))
      out.push_back(name);
  return out;
}

/// Changes the last byte of a file.
void damage(const std::string& path) {
  auto bytes = slurp(path);
  REQUIRE(!bytes.empty());
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string write_good(const std::string& directory, std::int64_t step, float value = 1) {
  const auto written = write_checkpoint(directory, content_of(step, value), 3);
  REQUIRE_MESSAGE(written.ok(), written.error().message);
  return *written;
}

} // namespace

TEST_CASE("checkpoint: everything comes back bit by bit, and latest points to it") {
  const temp_folder folder;
  const auto directory = folder.path("run/checkpoints"); // made on the way
  auto c = content_of(42);
  constexpr float inf = std::numeric_limits<float>::infinity();
  c.model.push_back({"odd", {4}, {std::nanf("3"), inf, -inf, 1e-45F}});
  c.model.push_back({"none", {0}, {}});
  const auto path = write_checkpoint(directory, c, 3);
  REQUIRE_MESSAGE(path.ok(), path.error().message);
  CHECK(*path == directory + "/step-000000000042");
  const auto back = read_checkpoint(*path);
  REQUIRE_MESSAGE(back.ok(), back.error().message);
  REQUIRE(back->model.size() == 4);
  CHECK(same_bits(back->model[2].values, c.model[2].values));
  CHECK(back->model[3].shape == std::vector<std::int64_t>{0});
  CHECK(back->state.get<std::uint64_t>("sampler/random").value()[0] == ~std::uint64_t{0});
  CHECK(read_checkpoint(directory + "/latest")->step == 42);
  CHECK(fs::read_symlink(directory + "/latest") == "step-000000000042"); // relative: a run can be moved
  CHECK(leftovers(directory).empty());
}

TEST_CASE("checkpoint: the newest keep stay, in the order of steps, not of names") {
  const temp_folder folder;
  for (const std::int64_t step : std::vector<std::int64_t>{5, 50, 999'999'999'999, 1'000'000'000'000})
    REQUIRE(write_checkpoint(folder.path(), content_of(step), 2).ok());
  CHECK(names(folder.path()) == std::vector<std::string>{"step-1000000000000", "step-999999999999"});
  REQUIRE(write_checkpoint(folder.path(), content_of(1'000'000'000'001), 0).ok()); // at least one
  CHECK(names(folder.path()) == std::vector<std::string>{"step-1000000000001"});
  CHECK(leftovers(folder.path()).empty());
  CHECK(read_latest_checkpoint(folder.path())->content.step == 1'000'000'000'001);
}

TEST_CASE("checkpoint: after a fallback, damaged newer ones never push out the healthy one") {
  const temp_folder folder;
  write_good(folder.path(), 4);
  damage(write_good(folder.path(), 9) + "/model.safetensors");
  REQUIRE(write_checkpoint(folder.path(), content_of(5), 1).ok());
  CHECK(names(folder.path()) == std::vector<std::string>{"step-000000000009", "step-000000000005"});
  CHECK(read_latest_checkpoint(folder.path())->content.step == 5);
}

TEST_CASE("checkpoint: each flipped or missing byte is noticed, and named by its file") {
  const temp_folder folder;
  const auto path = write_good(folder.path(), 1);
  for (const char* name : {"model.safetensors", "state.safetensors", "manifest.json", "DONE"}) {
    CAPTURE(name);
    const auto file = path + "/" + name;
    const auto bytes = slurp(file);
    const auto put = [&](const std::string& b) { folder.write(fs::relative(file, folder.path()), b); };
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      auto damaged = bytes;
      damaged[i] = static_cast<char>(static_cast<unsigned char>(bytes[i]) ^ (1U << (i % 8)));
      put(damaged);
      const auto problem = data_problem(read_checkpoint(path));
      CHECK_MESSAGE(contains(problem, name), problem);
      put(bytes.substr(0, i));
      CHECK(contains(data_problem(read_checkpoint(path)), name));
    }
    put(bytes + "x");
    CHECK(contains(data_problem(read_checkpoint(path)), name));
    fs::remove(file);
    CHECK(contains(data_problem(read_checkpoint(path)), name));
    put(bytes);
    CHECK(read_checkpoint(path).ok());
  }
}

TEST_CASE("checkpoint: the damaged tensor is named, and only that one") {
  const temp_folder folder;
  const auto path = write_good(folder.path(), 1);
  damage(path + "/model.safetensors"); // the last byte belongs to the last tensor
  const auto problem = data_problem(read_checkpoint(path));
  CHECK(contains(problem, "damaged: 0/bias"));
  CHECK(!contains(problem, "0/weights"));
}

TEST_CASE("checkpoint: loading falls back past damaged ones and says why") {
  const temp_folder folder;
  write_good(folder.path(), 1, 10);
  const auto second = write_good(folder.path(), 2);
  const auto third = write_good(folder.path(), 3);
  fs::remove(second + "/DONE");
  damage(third + "/state.safetensors");
  folder.write("step-000000000004", "a file");
  folder.write("step-9/model.safetensors", "another name");
  const auto loaded = read_latest_checkpoint(folder.path());
  REQUIRE(loaded.ok());
  check_content(loaded->content, 1, 10);
  CHECK(loaded->path == folder.path("step-000000000001"));
  REQUIRE(loaded->rejected.size() == 2);
  CHECK(contains(loaded->rejected[0], third + "/state.safetensors"));
  CHECK(contains(loaded->rejected[1], second));

  fs::remove(loaded->path + "/manifest.json");
  CHECK(contains(data_problem(read_latest_checkpoint(folder.path())), "no usable checkpoint"));
  CHECK(contains(data_problem(read_latest_checkpoint(folder.path("none"))), "holds no checkpoint"));
}

TEST_CASE("checkpoint: another schema version is refused in words") {
  const temp_folder folder;
  const std::string manifest = "{\"schema_version\": 2}";
  folder.write("step/manifest.json", manifest);
  folder.write("step/DONE", sha256_hex(std::as_bytes(std::span(manifest))) + "\n");
  CHECK(
      contains(data_problem(read_checkpoint(folder.path("step"))), "schema version 2, this program reads 1"));
}

TEST_CASE("checkpoint: a step that exists is replaced") {
  const temp_folder folder;
  write_good(folder.path(), 1);
  write_good(folder.path(), 2, 3);
  write_good(folder.path(), 2, 4);
  check_content(read_checkpoint(folder.path("step-000000000002")).value(), 2, 4);
  CHECK(names(folder.path()) == std::vector<std::string>{"step-000000000002", "step-000000000001"});
  CHECK(leftovers(folder.path()).empty());
}

TEST_CASE("checkpoint: what could not be read back is refused before anything is written") {
  const temp_folder folder;
  auto wrong_shape = content_of(1);
  wrong_shape.model[1].shape = {2};
  CHECK(contains(data_problem(write_checkpoint(folder.path("c"), wrong_shape, 1)), "0/bias"));
  CHECK(!write_checkpoint(folder.path("c"), content_of(-1), 1).ok());
  CHECK(!fs::exists(folder.path("c")));
}

TEST_CASE("checkpoint: a directory that was copied without its links goes on") {
  const temp_folder folder;
  REQUIRE(write_checkpoint(folder.path("c"), content_of(1), 3).ok());
  fs::remove(folder.path("c/latest"));
  fs::copy(folder.path("c") + "/" + names(folder.path("c")).front(), folder.path("c/latest"));
  const auto written = write_checkpoint(folder.path("c"), content_of(2), 3);
  REQUIRE_MESSAGE(written.ok(), written.error().message);
  CHECK(fs::is_symlink(folder.path("c/latest")));
  CHECK(names(folder.path("c")).size() == 2);
  CHECK(leftovers(folder.path("c")).empty());
}

TEST_CASE("checkpoint: only this one stays where that is asked for, whatever its step") {
  const temp_folder folder;
  for (const std::int64_t step : {5, 9, 7}) {
    REQUIRE(write_checkpoint(folder.path("c"), content_of(step), only_this).ok());
    CHECK(names(folder.path("c")).size() == 1);
  }
  CHECK(read_latest_checkpoint(folder.path("c"))->content.step == 7);
}

TEST_CASE("checkpoint: a directory that may not be read is not called empty") {
  const temp_folder folder;
  folder.write("file", "no directory");
  const auto none = read_latest_checkpoint(folder.path("file"));
  REQUIRE(!none.ok());
  CHECK(none.error().message.find("cannot be read") != std::string::npos);
  CHECK(read_latest_checkpoint(folder.path("missing")).error().message.find("holds no checkpoint") !=
        std::string::npos);
}
