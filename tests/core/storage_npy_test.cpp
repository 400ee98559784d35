#include "core/npy.hpp"
#include "tests/core/npy_support.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <limits>

using namespace triage;
using namespace triage::test;

namespace {

std::string problem_of(const std::string& bytes) {
  return data_problem(decode_npy(bytes, "x.npy"));
}

template <class T>
std::vector<T> values_of(const std::string& bytes) {
  const auto array = decode_npy(bytes, "x.npy");
  REQUIRE_MESSAGE(array.ok(), array.error().message);
  return std::get<std::vector<T>>(array->values);
}

} // namespace

TEST_CASE("npy: floats come back bit by bit, in any shape") {
  const temp_folder folder;
  constexpr float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> values{1, -0.0F, inf, -inf, std::nanf("5"), 1e-45F};
  for (const auto& shape : std::vector<std::vector<std::int64_t>>{{6}, {2, 3}, {1, 6, 1}}) {
    REQUIRE(write_npy(folder.path("x.npy"), shape, values).ok());
    const auto back = read_npy(folder.path("x.npy"));
    REQUIRE_MESSAGE(back.ok(), back.error().message);
    CHECK(back->shape == shape);
    CHECK(back->dtype == "<f4");
    CHECK(same_bits(std::get<std::vector<float>>(back->values), values));
  }
  CHECK(decode_npy(encode_npy({}, std::vector<float>{3}), "x")->shape.empty());
  CHECK(decode_npy(encode_npy({0, 5}, {}), "x")->shape == std::vector<std::int64_t>{0, 5});
}

TEST_CASE("npy: the bytes are those that NumPy writes") {
  const auto bytes = encode_npy({2}, std::vector<float>{0, 1});
  REQUIRE(bytes.size() == 128 + 8);
  CHECK(bytes.substr(0, 10) == std::string("\x93NUMPY\1\0\x76\0", 10));
  CHECK(bytes.substr(10).starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } "));
  CHECK(bytes[127] == '\n');
}

TEST_CASE("npy: bytes and integers are written as such") {
  const temp_folder folder;
  const std::vector<std::uint8_t> bytes{0, 255, 7};
  const std::vector<std::int64_t> integers{std::numeric_limits<std::int64_t>::min(), -1};
  REQUIRE(write_npy(folder.path("b.npy"), {3, 1}, bytes).ok());
  REQUIRE(write_npy(folder.path("i.npy"), {2}, integers).ok());
  const auto b = read_npy(folder.path("b.npy"));
  const auto i = read_npy(folder.path("i.npy"));
  REQUIRE(b.ok());
  REQUIRE(i.ok());
  CHECK(b->dtype == "|u1");
  CHECK(std::get<std::vector<std::uint8_t>>(b->values) == bytes);
  CHECK(i->dtype == "<i8");
  CHECK(std::get<std::vector<std::int64_t>>(i->values) == integers);
  CHECK(!write_npy(folder.path("b.npy"), {2}, bytes).ok());
}

TEST_CASE("npy: every dtype and version is read") {
  CHECK(values_of<float>(npy_bytes("<f8", "(2,)", raw<double>({0.5, -2}))) == std::vector<float>{0.5F, -2});
  CHECK(values_of<std::uint8_t>(npy_bytes("|u1", "(2,)", "\x01\xff")) == std::vector<std::uint8_t>{1, 255});
  // No pixels: they are not divided by 255.
  CHECK(values_of<std::int64_t>(npy_bytes("|b1", "(1,)", "\x01")) == std::vector<std::int64_t>{1});
  CHECK(values_of<std::int64_t>(npy_bytes("|i1", "(1,)", "\xff")) == std::vector<std::int64_t>{-1});
  CHECK(values_of<std::int64_t>(npy_bytes("<i2", "(1,)", raw<std::int16_t>({-2}))) ==
        std::vector<std::int64_t>{-2});
  CHECK(values_of<std::int64_t>(npy_bytes("<u2", "(1,)", raw<std::uint16_t>({65535}))) ==
        std::vector<std::int64_t>{65535});
  CHECK(values_of<std::int64_t>(npy_bytes("<u4", "(1,)", raw<std::uint32_t>({~0U}))) ==
        std::vector<std::int64_t>{4294967295});
  CHECK(values_of<std::int64_t>(npy_bytes("<i8", "(1,)", raw<std::int64_t>({std::int64_t{1} << 62}))) ==
        std::vector<std::int64_t>{std::int64_t{1} << 62});
  for (const int version : {1, 2, 3})
    CHECK(values_of<std::int64_t>(npy_bytes("<i4", "(2,)", raw<std::int32_t>({-7, 7}), version)) ==
          std::vector<std::int64_t>{-7, 7});
}

TEST_CASE("npy: a file that ends anywhere too early, or goes on, is refused") {
  for (const int version : {1, 2}) {
    const auto bytes = npy_bytes("|u1", "(3,)", "abc", version);
    for (std::size_t n = 0; n < bytes.size(); ++n)
      CHECK(contains(problem_of(bytes.substr(0, n)), "x.npy: "));
    CHECK(contains(problem_of(bytes + "x"), "the file has 4"));
  }
}

TEST_CASE("npy: no header is trusted") {
  struct wrong {
    std::string bytes;
    std::string message;
  };
  const std::string four(4, '\0');
  for (const auto& [bytes, message] : std::vector<wrong>{
           {npy_bytes(">f4", "(1,)", four), "dtype \">f4\" is not supported"},
           {npy_bytes("|f4", "(1,)", four), "not supported"},
           {npy_bytes("<c8", "(1,)", four), "not supported"},
           {npy_bytes("|O", "(1,)", four), "not supported"},
           {npy_bytes("<f4", "(2,)", four), "needs 8 bytes"},
           {npy_bytes("<f4", "(-1,)", four), "shape is unreadable"},
           {npy_bytes("<f4", "(1, x)", four), "shape is unreadable"},
           {npy_bytes("<f4", "[1]", four), "shape is unreadable"},
           {npy_bytes("<f4", "(99999999999999999999,)", four), "shape is unreadable"},
           {npy_bytes("<f4", "(4294967296, 4294967296)", four), "impossibly large"},
           {npy_bytes("<f4", "(4611686018427387905,)", four), "impossibly large"}, // * 4 wraps to 4
           {npy_bytes("<f4", "(1,)", four, 1, "True"), "Fortran order"},
           {npy_bytes("<f4", "(1,)", four, 4), "version 4"},
           {npy_bytes("<f4", "(" + std::string(40 * 2, '1').replace(1, 1, ",") + ")", four), "x.npy"},
           {"\x93NUMPX" + std::string(200, ' '), "does not start with"},
           {std::string("\x93NUMPY\2\0\xff\xff\xff\xff", 12) + std::string(100, ' '), "longer than the file"},
           {std::string("\x93NUMPY\1\0\4\0{}  ", 14), "lacks descr"}}) {
    const auto problem = problem_of(bytes);
    CHECK_MESSAGE(contains(problem, message), problem);
  }
}

TEST_CASE("npy: flipped header bits never do worse than an error") {
  const auto bytes = npy_bytes("<i4", "(2, 1)", raw<std::int32_t>({1, 2}));
  for (std::size_t i = 0; i < bytes.size(); ++i)
    for (unsigned bit = 1; bit < 256; bit *= 2) {
      auto damaged = bytes;
      damaged[i] = static_cast<char>(static_cast<unsigned char>(damaged[i]) ^ bit);
      const auto back = decode_npy(damaged, "x.npy");
      CHECK((back.ok() || back.error().kind == error_kind::data));
    }
}

TEST_CASE("npy: writing refuses a shape that the values do not fill, and an impossible place") {
  const temp_folder folder;
  CHECK(!write_npy(folder.path("x.npy"), {3}, std::vector<float>{1, 2}).ok());
  CHECK(!std::filesystem::exists(folder.path("x.npy")));
  CHECK(!write_npy(impossible_path(folder), {1}, std::vector<float>{1}).ok());
  CHECK(contains(data_problem(read_npy(folder.path("none.npy"))), "No such file"));
}
