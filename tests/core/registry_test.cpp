#include "core/registry.hpp"

#include <array>
#include <doctest/doctest.h>

using namespace triage;

namespace {

using factory = int (*)();
constexpr std::array<registry_entry<factory>, 3> table = {{
    {"momentum", "a", [] { return 1; }},
    {"sgd", "b", [] { return 2; }},
    {"adam", "c", [] { return 3; }},
}};

} // namespace

TEST_CASE("entries are found by their exact name, in the order of the table") {
  const registry_table<factory> entries = table;
  const auto found = find_entry(entries, "optimizer", "sgd");
  REQUIRE(found.ok());
  CHECK((*found)->make() == 2);
  CHECK(join_names(names_of(entries)) == "momentum, sgd, adam");
  CHECK(!find_entry(entries, "optimizer", "SGD").ok());
  CHECK(!find_entry(entries, "optimizer", "").ok());
}

TEST_CASE("an unknown name is a configuration error that suggests and lists") {
  const registry_table<factory> entries = table;
  const auto slip = find_entry(entries, "optimizer", "sdg");
  REQUIRE(!slip.ok());
  CHECK(slip.error().kind == error_kind::configuration);
  CHECK(slip.error().message ==
        "unknown optimizer \"sdg\": did you mean \"sgd\"?; known: momentum, sgd, adam");
  CHECK(find_entry(entries, "optimizer", "lion").error().message ==
        "unknown optimizer \"lion\"; known: momentum, sgd, adam");
}

TEST_CASE("suggestions are near misses only") {
  const std::vector<std::string_view> known = {"learning_rate", "momentum", "weight_decay", "lr"};
  CHECK(closest_name("learning_rat", known) == "learning_rate");
  CHECK(closest_name("laerning_rate", known) == "learning_rate");
  CHECK(closest_name("weigth_deacy", known) == "weight_decay");
  CHECK(closest_name("learningrate", known) == "learning_rate");
  CHECK(closest_name("Momentum", known) == "momentum");
  CHECK(closest_name("epochs", known).empty());
  CHECK(closest_name("x", {}).empty());
  CHECK(closest_name(std::string(1000000, 'm'), known).empty()); // and takes no time
}

TEST_CASE("a name in a message is cut and made printable") {
  const std::vector<std::string_view> known = {"a"};
  const auto message = unknown_name_error("key", std::string(100000, 'x') + "\n", known).message;
  CHECK(message.size() < 200);
  CHECK(unknown_name_error("key", "\x1b[2J", known).message.find('\x1b') == std::string::npos);
}
