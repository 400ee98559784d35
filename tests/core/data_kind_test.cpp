#include "core/dataset.hpp"

#include <doctest/doctest.h>

using namespace triage;

namespace {

dataset of_bytes(std::vector<std::uint8_t> values) {
  dataset set;
  set.shape.channels = 2;
  set.size = values.size() / 2;
  set.bytes = std::move(values);
  return set;
}

dataset of_floats(std::vector<float> values) {
  dataset set;
  set.shape.channels = 2;
  set.size = values.size() / 2;
  set.floats = std::move(values);
  return set;
}

result<void> check_same(const dataset& trained, const dataset& other, const std::string& name) {
  return check_same_kind(kind_of(trained), other, name);
}

} // namespace

TEST_CASE("data: bytes and floats mix where both are from 0 to 255, and not where one is from 0 to 1") {
  const auto bytes = of_bytes({0, 255, 17, 3});
  CHECK(check_same(bytes, of_bytes({1, 1}), "x").ok());
  CHECK(check_same(of_floats({0.1F, 0.9F}), of_floats({-3.0F, 700.0F}), "x").ok());
  CHECK(check_same(bytes, of_floats({0.0F, 255.0F}), "x").ok());
  CHECK(check_same(of_floats({0.0F, 254.0F}), bytes, "x").ok());
  for (const auto& floats :
       {of_floats({0.0F, 1.0F}), of_floats({-1.0F, 100.0F}), of_floats({0.0F, 256.0F})}) {
    const auto fed = check_same(bytes, floats, "new.npy");
    REQUIRE(!fed.ok());
    CHECK(fed.error().kind == error_kind::data);
    CHECK(fed.error().message.find("new.npy holds numbers from") == 0);
    const auto trained = check_same(floats, bytes, "new.npy");
    REQUIRE(!trained.ok());
    CHECK(trained.error().message.find("new.npy holds bytes from 0 to 255") == 0);
  }
  CHECK(check_same(bytes, of_floats({}), "x").ok()); // there is nothing to compare
}
