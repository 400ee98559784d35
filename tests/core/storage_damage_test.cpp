#include "core/checkpoint.hpp"
#include "core/checkpoint_files.hpp"
#include "core/npy.hpp"
#include "core/npz.hpp"
#include "core/rng.hpp"
#include "core/safetensors.hpp"
#include "tests/core/random_json.hpp"
#include "tests/core/storage_support.hpp"

#include <doctest/doctest.h>

// Files whose hashes are right and whose contents are not: what a program with a bug, or somebody who means
// harm, writes. Every reader ends in a value or a data error that names the file.

using namespace triage;
using namespace triage::test;

namespace {

saved_state::values random_values(rng& random, std::size_t n) {
  switch (random.below(7)) {
  case 0:
    return std::vector<float>(n, static_cast<float>(random.normal()));
  case 1:
    return std::vector<double>(n, random.normal());
  case 2:
    return std::vector<std::int32_t>(n, static_cast<std::int32_t>(random()));
  case 3:
    return std::vector<std::uint32_t>(n, random());
  case 4:
    return std::vector<std::int64_t>(n, static_cast<std::int64_t>(random.next_u64()));
  case 5:
    return std::vector<std::uint64_t>(n, random.next_u64());
  default:
    return std::vector<std::uint8_t>(n, static_cast<std::uint8_t>(random.below(256)));
  }
}

checkpoint_content random_content(rng& random, std::int64_t step) {
  checkpoint_content c;
  c.step = step;
  for (std::uint64_t i = 0, n = random.below(5); i < n; ++i) {
    const auto rows = static_cast<std::int64_t>(random.below(5));
    const auto columns = static_cast<std::int64_t>(random.below(5));
    named_tensor t{std::to_string(i) + random_text(random), {rows, columns}, {}};
    for (std::int64_t k = 0; k < rows * columns; ++k)
      t.values.push_back(std::bit_cast<float>(random()));
    c.model.push_back(std::move(t));
  }
  for (std::uint64_t i = 0, n = random.below(6); i < n; ++i)
    c.state.put(std::to_string(i) + "/" + random_text(random), random_values(random, random.below(20)));
  return c;
}

template <class T>
bool same_values(const T& a, const T& b) {
  return a.index() == b.index() &&
         std::visit([&]<class V>(const V& v) { return same_bits(v, std::get<V>(b)); }, a);
}

/// A manifest in place of the right one, sealed so that its hash is right.
void put_manifest(const temp_folder& folder, const std::string& manifest) {
  folder.write("c/manifest.json", manifest);
  folder.write("c/DONE", seal_of(manifest));
}

std::string write_sample(const temp_folder& folder) {
  checkpoint_content c;
  c.step = 5;
  c.model = {{"w", {2, 3}, {1, 2, 3, 4, 5, 6}}};
  c.state.put("s", std::vector<std::uint64_t>{1, 2});
  const auto path = write_checkpoint(folder.path("out"), c, 1);
  REQUIRE(path.ok());
  for (const char* name : {"model.safetensors", "state.safetensors", "manifest.json", "DONE"})
    folder.write(std::string("c/") + name, slurp(*path + "/" + name));
  REQUIRE(read_checkpoint(folder.path("c")).ok());
  return slurp(*path + "/manifest.json");
}

} // namespace

TEST_CASE("storage random: checkpoints of any names, shapes, types and bits come back") {
  const memory_temporaries in_memory;
  rng random(1, 0);
  for (std::int64_t round = 0; round < 100; ++round) {
    const temp_folder folder;
    const auto content = random_content(random, round);
    const auto path = write_checkpoint(folder.path(), content, 2);
    REQUIRE_MESSAGE(path.ok(), path.error().message);
    const auto back = read_checkpoint(*path);
    REQUIRE_MESSAGE(back.ok(), back.error().message);
    CHECK(back->step == round);
    REQUIRE(back->model.size() == content.model.size());
    for (std::size_t i = 0; i < content.model.size(); ++i) {
      CHECK(back->model[i].name == content.model[i].name);
      CHECK(back->model[i].shape == content.model[i].shape);
      CHECK(same_bits(back->model[i].values, content.model[i].values));
    }
    REQUIRE(back->state.entries().size() == content.state.entries().size());
    for (std::size_t i = 0; i < content.state.entries().size(); ++i) {
      CHECK(back->state.entries()[i].name == content.state.entries()[i].name);
      CHECK(same_values(back->state.entries()[i].data, content.state.entries()[i].data));
    }
  }
}

TEST_CASE("storage random: a manifest that is sealed but damaged is refused by name, or read as it was") {
  const memory_temporaries in_memory;
  const temp_folder folder;
  const std::string manifest = write_sample(folder);
  rng random(2, 0);
  constexpr std::string_view alphabet = "{}[]\",:0123456789-e.abf \n";
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = manifest;
    for (auto n = 1 + random.below(3); n > 0; --n) {
      const auto at = static_cast<std::size_t>(random.below(damaged.size()));
      if (random.below(3) == 0)
        damaged.erase(at, 1 + random.below(8));
      else
        damaged[at] = alphabet[random.below(alphabet.size())];
    }
    put_manifest(folder, damaged);
    const auto read = read_checkpoint(folder.path("c"));
    if (read.ok()) {
      CHECK(read->model[0].values == std::vector<float>{1, 2, 3, 4, 5, 6});
      continue;
    }
    CHECK(read.error().kind == error_kind::data);
    CHECK_MESSAGE(contains(read.error().message, folder.path("c")), read.error().message);
  }
}

TEST_CASE("storage random: a manifest that lacks a part, or has one of another type, says so") {
  const memory_temporaries in_memory;
  const temp_folder folder;
  const auto whole = *parse_json(write_sample(folder), "m");
  const std::vector<json_value> strange = {
      nullptr, true, -1, 1e300, "x", json_value(json_value::array{}), json_value(json_value::object{})};
  // set_json_path would split "model.safetensors" at its dot.
  const auto change = [&](const std::vector<std::string>& path, const json_value& value) {
    json_value m = whole;
    json_value* at = &m;
    for (std::size_t i = 0; i + 1 < path.size(); ++i)
      at = at->find(path[i]);
    at->set(path.back(), value);
    return dump_json(m);
  };
  const std::vector<std::vector<std::string>> paths = {{"schema_version"},
                                                       {"step"},
                                                       {"files"},
                                                       {"files", "model.safetensors"},
                                                       {"files", "state.safetensors", "bytes"},
                                                       {"files", "state.safetensors", "sha256"},
                                                       {"files", "state.safetensors", "tensors"},
                                                       {"files", "model.safetensors", "tensors", "w"}};
  for (const auto& path : paths)
    for (const auto& value : strange) {
      CAPTURE(path.back());
      CAPTURE(dump_json(value));
      if (path.size() == 4 && value.is_string())
        continue; // the file's own hash is right: that of a tensor is looked at when it is not
      if (path.back() == "tensors" && value.is_object())
        continue;
      if (path.back() == "step" && value.is_integer())
        continue;
      put_manifest(folder, change(path, value));
      const auto problem = data_problem(read_checkpoint(folder.path("c")));
      CHECK_MESSAGE(contains(problem, folder.path("c")), problem);
    }
}

TEST_CASE("storage random: sizes in a manifest are not trusted: no memory is taken for what is not there") {
  const temp_folder folder;
  const auto whole = write_sample(folder);
  for (const std::string size : {"9223372036854775807", "4611686018427387904", "0"}) {
    auto manifest = whole;
    const auto at = manifest.find("\"bytes\": ") + 9;
    manifest.replace(at, manifest.find(',', at) - at, size);
    put_manifest(folder, manifest);
    CHECK(in_child([&] {
      limit_more_memory(std::size_t{2} << 30U);
      const auto read = read_checkpoint(folder.path("c"));
      return !read.ok() && read.error().kind == error_kind::data;
    }));
  }
}

TEST_CASE(
    "storage random: safetensors and npy of any shape come back, and damage never does worse than an error") {
  rng random(3, 0);
  for (int round = 0; round < 2000; ++round) {
    std::vector<stored_tensor> tensors;
    for (std::uint64_t i = 0, n = random.below(4); i < n; ++i) {
      std::vector<std::int64_t> shape;
      std::size_t count = 1;
      for (auto d = random.below(4); d > 0; --d) {
        shape.push_back(static_cast<std::int64_t>(random.below(4)));
        count *= static_cast<std::size_t>(shape.back());
      }
      tensors.push_back({std::to_string(i) + random_text(random), shape, random_values(random, count)});
    }
    REQUIRE(check_storable(tensors, "f").ok());
    auto bytes = encode_safetensors(tensors);
    const auto back = decode_safetensors(bytes, "f");
    REQUIRE_MESSAGE(back.ok(), back.error().message);
    REQUIRE(back->size() == tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      CHECK((*back)[i].name == tensors[i].name);
      CHECK((*back)[i].shape == tensors[i].shape);
      CHECK(same_values((*back)[i].values, tensors[i].values));
    }
    for (auto n = 1 + random.below(4); n > 0; --n) {
      const auto at = static_cast<std::size_t>(random.below(bytes.size()));
      if (random.below(3) == 0)
        bytes.erase(at, 1 + random.below(20));
      else
        bytes[at] = static_cast<char>(random.below(3) == 0 ? "0123456789[]{},:\""[random.below(17)]
                                                           : random.below(256));
      if (bytes.empty())
        bytes = "x";
    }
    const auto damaged = decode_safetensors(bytes, "damaged.file");
    if (!damaged.ok()) {
      CHECK(damaged.error().kind == error_kind::data);
      CHECK(damaged.error().message.starts_with("damaged.file"));
      CHECK(damaged.error().message.size() < 2000);
    }
  }
}

TEST_CASE("storage random: damaged npy and npz bytes are read or refused with the name of the file") {
  const memory_temporaries in_memory;
  rng random(4, 0);
  const temp_folder folder;
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const std::string npy = encode_npy({2, 3}, std::span<const float>(values));
  REQUIRE(write_npz({{"a", {2, 3}, values}, {"b", {1}, {7}}}, folder.path("x.npz")).ok());
  const std::string npz = slurp(folder.path("x.npz"));
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = round % 3 == 0 ? npz : npy;
    for (auto n = 1 + random.below(4); n > 0 && !bytes.empty(); --n) {
      const auto at = static_cast<std::size_t>(random.below(bytes.size()));
      if (random.below(4) == 0)
        bytes.erase(at, 1 + random.below(20));
      else if (random.below(4) == 0)
        bytes.insert(at, bytes.substr(random.below(bytes.size()), random.below(30)));
      else
        bytes[at] = static_cast<char>(random.below(256));
    }
    if (round % 3 == 0) {
      const auto file = folder.write("damaged.npz", bytes);
      const auto read = read_npz(file);
      if (!read.ok()) {
        CHECK(read.error().kind == error_kind::data);
        CHECK_MESSAGE(contains(read.error().message, file), read.error().message);
      }
    } else if (const auto read = decode_npy(bytes, "damaged.npy"); !read.ok()) {
      CHECK(read.error().kind == error_kind::data);
      CHECK(read.error().message.starts_with("damaged.npy"));
    }
  }
}
