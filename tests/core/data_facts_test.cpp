#include "core/data_facts.hpp"

#include <doctest/doctest.h>

using namespace triage;

namespace {

data_splits some_data() {
  data_splits data;
  data.train.shape = {3, 1, 1};
  data.train.classes = 2;
  data.standard = {{1.0F, 2.0F, 3.0F}, {0.5F, 0.0F, -1.0F}};
  data.kind = {false, -2.0F, 7.5F};
  data.names.features = {"a", "with \"quotes\",\nand lines", ""};
  data.names.classes = {"no", "yes"};
  data.names.first_index = 1;
  return data;
}

} // namespace

TEST_CASE("data facts: what a model must know of its data comes back as it was") {
  const auto data = some_data();
  const auto back = load_data_facts(save_data_facts(data));
  REQUIRE(back.ok());
  CHECK(back->train.size == 0);
  CHECK(back->train.shape == data.train.shape);
  CHECK(back->train.classes == 2);
  CHECK(back->train.outputs == 0);
  CHECK(back->standard.scale == data.standard.scale);
  CHECK(back->standard.shift == data.standard.shift);
  CHECK(!back->kind.bytes);
  CHECK(back->kind.largest == 7.5F);
  CHECK(back->names.features == data.names.features);
  CHECK(back->names.classes == data.names.classes);
  CHECK(back->names.outputs.empty());
  CHECK(back->names.first_index == 1);
}

TEST_CASE("data facts: states that lack something, or contradict themselves, are refused") {
  const auto whole = save_data_facts(some_data());
  for (const auto& missing : whole.entries()) {
    saved_state rest;
    for (const auto& e : whole.entries())
      if (e.name != missing.name)
        rest.put(e.name, e.data);
    CAPTURE(missing.name);
    CHECK(!load_data_facts(rest).ok());
  }
  auto wrong = whole;
  wrong.put("scale", std::vector<float>{1.0F});
  CHECK(!load_data_facts(wrong).ok());
  wrong = whole;
  wrong.put("sizes", std::vector<std::int64_t>{0, 0, 0, 2, 0});
  CHECK(!load_data_facts(wrong).ok());
}
