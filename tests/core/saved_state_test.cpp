#include "core/saved_state.hpp"
#include "tests/core/data_support.hpp"

#include <doctest/doctest.h>

using namespace triage;
using namespace triage::test;

TEST_CASE("saved state: entries come back with their type, in order, and are replaced by name") {
  saved_state state;
  state.put("f", std::vector<float>{1, 2});
  state.put("u", std::vector<std::uint64_t>{~std::uint64_t{0}});
  state.put_text("t", std::string_view("a\0b", 3));
  state.put("f", std::vector<float>{3});
  REQUIRE(state.entries().size() == 3);
  CHECK(state.entries()[0].name == "f");
  CHECK(state.get<float>("f").value() == std::vector<float>{3});
  CHECK(state.get_one<float>("f").value() == 3);
  CHECK(state.get_one<std::uint64_t>("u").value() == ~std::uint64_t{0});
  CHECK(state.get_text("t").value() == std::string_view("a\0b", 3));
}

TEST_CASE("saved state: what is missing, of another type or length is a data error with its name") {
  saved_state state;
  state.put("pair", std::vector<float>{1, 2});
  CHECK(contains(data_problem(state.get<float>("gone")), "\"gone\""));
  CHECK(contains(data_problem(state.get_text("gone")), "\"gone\""));
  CHECK(contains(data_problem(state.get_one<float>("gone")), "\"gone\""));
  CHECK(contains(data_problem(state.get<double>("pair")), "\"pair\""));
  CHECK(contains(data_problem(state.get_one<float>("pair")), "\"pair\""));
  CHECK(state.find("gone") == nullptr);
}

TEST_CASE("saved state: components nest by prefix") {
  saved_state inner;
  inner.put("a", std::vector<std::int32_t>{1});
  inner.put("deep/b", std::vector<std::int32_t>{2});
  saved_state outer;
  outer.put("samplers", std::vector<std::int32_t>{3}); // not below "sampler"
  outer.put_all("sampler", inner);
  const auto back = outer.below("sampler");
  REQUIRE(back.entries().size() == 2);
  CHECK(back.get_one<std::int32_t>("a").value() == 1);
  CHECK(back.below("deep").get_one<std::int32_t>("b").value() == 2);
  CHECK(outer.below("worker").entries().empty());
}
