#include "core/element_count.hpp"
#include "core/safetensors.hpp"
#include "tests/core/storage_support.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <limits>

using namespace triage;
using namespace triage::test;

namespace {

/// A file with that header, in which every ' stands for ", and so many data bytes.
std::string file_of(std::string header, std::size_t data_bytes) {
  for (auto& c : header)
    c = c == '\'' ? '"' : c;
  const std::uint64_t length = header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out + header + std::string(data_bytes, '\1');
}

std::vector<stored_tensor> one_of_each_type() {
  constexpr float inf = std::numeric_limits<float>::infinity();
  return {{"w/ü\"\n", {2, 3}, std::vector<float>{1, -0.0F, inf, -inf, std::nanf("7"), 1e-45F}},
          {"d", {2}, std::vector<double>{std::nan("9"), 0.1}},
          {"i", {1}, std::vector<std::int32_t>{std::numeric_limits<std::int32_t>::min()}},
          {"u", {1}, std::vector<std::uint32_t>{~std::uint32_t{0}}},
          {"l", {1, 1}, std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::min()}},
          {"v", {}, std::vector<std::uint64_t>{~std::uint64_t{0}}},
          {"b", {3}, std::vector<std::uint8_t>{0, 127, 255}},
          {"empty", {0, 7}, std::vector<float>{}}};
}

std::string problem_of(const std::string& bytes) {
  return data_problem(decode_safetensors(bytes, "m.safetensors"));
}

} // namespace

TEST_CASE("safetensors: every type comes back bit by bit, in order") {
  const auto tensors = one_of_each_type();
  const auto bytes = encode_safetensors(tensors);
  const auto back = decode_safetensors(bytes, "m");
  REQUIRE_MESSAGE(back.ok(), back.error().message);
  REQUIRE(back->size() == tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CHECK((*back)[i].name == tensors[i].name);
    CHECK((*back)[i].shape == tensors[i].shape);
    REQUIRE((*back)[i].values.index() == tensors[i].values.index());
    std::visit(
        [&](const auto& v) { CHECK(same_bits(v, std::get<std::decay_t<decltype(v)>>((*back)[i].values))); },
        tensors[i].values);
  }
  CHECK(encode_safetensors(*back) == bytes);
}

TEST_CASE("safetensors: the bytes are those of the published format") {
  const auto bytes = encode_safetensors({{"a", {1}, std::vector<float>{1}}});
  const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  CHECK(bytes.substr(0, 8) == std::string("\x38\0\0\0\0\0\0\0", 8)); // padded to a multiple of eight
  CHECK(bytes.substr(8, header.size()) == header);
  CHECK(bytes.substr(8 + 0x38) == std::string("\0\0\x80\x3f", 4));
  CHECK(decode_safetensors(encode_safetensors({}), "m")->empty());
}

TEST_CASE("safetensors: metadata and any order of offsets are read") {
  const auto back = decode_safetensors(file_of("{'__metadata__':{'format':'pt'},"
                                               "'b':{'dtype':'U8','shape':[2],'data_offsets':[4,6]},"
                                               "'e':{'dtype':'U8','shape':[0],'data_offsets':[4,4]},"
                                               "'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}  ",
                                               6),
                                       "m");
  REQUIRE_MESSAGE(back.ok(), back.error().message);
  REQUIRE(back->size() == 3);
  CHECK((*back)[0].name == "b");
  CHECK(dtype_of((*back)[2].values) == "F32");
}

TEST_CASE("safetensors: a file that ends anywhere too early, or goes on, is refused") {
  const auto bytes = encode_safetensors(one_of_each_type());
  for (std::size_t n = 0; n < bytes.size(); ++n)
    CHECK(contains(problem_of(bytes.substr(0, n)), "m.safetensors"));
  CHECK(contains(problem_of(bytes + "x"), "after the last tensor"));
}

TEST_CASE("safetensors: no number of a header is trusted, and the message names the tensor") {
  const auto entry = [](const std::string& shape, const std::string& offsets,
                        const std::string& type = "F32") {
    return "'a':{'dtype':'" + type + "','shape':" + shape + ",'data_offsets':" + offsets + "}";
  };
  struct wrong {
    std::string header;
    std::string message;
  };
  const std::string whole = entry("[2]", "[0,8]");
  for (const auto& [header, message] : std::vector<wrong>{
           {"{" + entry("[2]", "[0,9]") + "}", "\"a\" lies outside the file"},
           {"{" + entry("[2]", "[8,0]") + "}", "\"a\" lies outside the file"},
           {"{" + entry("[2]", "[0,18446744073709551615]") + "}", "\"a\" has offsets that are not positions"},
           {"{" + entry("[2]", "[-8,0]") + "}", "\"a\" has offsets"},
           {"{" + entry("[2]", "[0.0,8]") + "}", "\"a\" has offsets"},
           {"{" + entry("[2]", "[0]") + "}", "\"a\" has no proper"},
           {"{" + entry("[3]", "[0,8]") + "}", "\"a\" has offsets that do not fit its shape"},
           {"{" + entry("[-2]", "[0,8]") + "}", "\"a\" has an impossible shape"},
           {"{" + entry("[4294967296,4294967296,2]", "[0,8]") + "}", "\"a\" has an impossible shape"},
           {"{" + entry("[9223372036854775807,9223372036854775807]", "[0,8]") + "}", "impossible shape"},
           {"{" + entry("[4611686018427387906]", "[0,8]") + "}", "impossible shape"}, // * 4 wraps to 8
           {"{" + entry("['2']", "[0,8]") + "}", "\"a\" has a shape that is not made of integers"},
           {"{" + entry("[4]", "[0,8]", "F16") + "}", "\"a\" has a dtype that is not supported"},
           {"{'a':{'dtype':'F32','shape':[2]}}", "\"a\" has no proper"},
           {"{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8],'more':1}}", "\"a\" has no proper"},
           {"{'a':7}", "\"a\" has no proper"},
           {"{" + whole + "," + whole + "}", "stands twice"},
           {"{" + whole + ",'b':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}}", "overlaps"},
           {"{'b':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}}", "leaves a hole"},
           {"{'b':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}", "after the last tensor"},
           {"{'__metadata__':{'a':1}," + whole + "}", "__metadata__ entry \"a\" is not a string"},
           {"{'__metadata__':[]," + whole + "}", "__metadata__ is not an object"},
           {" {" + whole + "}", "does not start with {"},
           {"", "does not start with {"},
           {"{" + whole, "JSON"},
           {std::string(100'000, '{'), "m.safetensors"}}) {
    CAPTURE(header.substr(0, 200));
    const auto problem = problem_of(file_of(header, 8));
    CHECK_MESSAGE(contains(problem, message), problem);
    CHECK(contains(problem, "m.safetensors: "));
  }
  CHECK(problem_of(file_of("{" + whole + "}", 8)) == "(no error)"); // the frame of the table is right
}

TEST_CASE("safetensors: a header length beyond the file or the format's limit is refused") {
  for (const std::uint64_t length : {std::uint64_t{100'000'001}, ~std::uint64_t{0}, ~std::uint64_t{0} - 7}) {
    auto bytes = file_of("{}", 0);
    std::memcpy(bytes.data(), &length, sizeof length);
    CHECK(contains(problem_of(bytes), "header is longer"));
  }
}

TEST_CASE("safetensors: flipped bytes of the header never do worse than an error") {
  const auto bytes = encode_safetensors(one_of_each_type());
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  for (std::size_t i = 0; i < 8 + length; ++i)
    for (const unsigned bit : {0x01U, 0x10U, 0x80U}) {
      auto damaged = bytes;
      damaged[i] = static_cast<char>(static_cast<unsigned char>(damaged[i]) ^ bit);
      const auto back = decode_safetensors(damaged, "m");
      if (!back.ok())
        CHECK(back.error().kind == error_kind::data);
    }
}

TEST_CASE("safetensors: what could not be read back cannot be stored") {
  const std::vector<float> two{1, 2};
  CHECK(check_storable(one_of_each_type(), "m").ok());
  CHECK(contains(data_problem(check_storable({{"a", {3}, two}}, "m")), "m: tensor \"a\""));
  CHECK(contains(data_problem(check_storable({{"a", {-2}, two}}, "m")), "shape"));
  CHECK(contains(data_problem(check_storable({{"a", {2}, two}, {"a", {2}, two}}, "m")), "taken"));
  CHECK(contains(data_problem(check_storable({{"__metadata__", {2}, two}}, "m")), "taken"));
  CHECK(contains(data_problem(check_storable({{"a\xff", {2}, two}}, "m")), "UTF-8"));
}

TEST_CASE("element count: products that do not fit are noticed") {
  using shape = std::vector<std::int64_t>;
  CHECK(element_count(shape{}) == 1);
  CHECK(element_count(shape{2, 3}) == 6);
  CHECK(element_count(shape{std::int64_t{1} << 60}) == std::uint64_t{1} << 60);
  CHECK(element_count(shape{0, std::int64_t{1} << 62, 4}) == 0);
  CHECK(element_count(shape{std::int64_t{1} << 62, 4, 0}) == 0);
  CHECK(!element_count(shape{std::int64_t{1} << 31, std::int64_t{1} << 31}));
  CHECK(!element_count(shape{-1}));
  CHECK(!element_count(shape{0, -1}));
}
