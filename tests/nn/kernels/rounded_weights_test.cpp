#include "nn/kernels/rounded_weights.hpp"

#include "core/rng.hpp"

#include <cmath>
#include <cstring>
#include <doctest/doctest.h>
#include <limits>
#include <vector>

using namespace triage;

namespace {

using desc = dnnl::memory::desc;
using tag = dnnl::memory::format_tag;
using number = dnnl::memory::data_type;

struct layouts {
  desc stored;
  desc wanted;
};

/// As a dense layer stores its weights, and as its bfloat16 kernels read them.
layouts layouts_of(kernel_engine& engine, std::int64_t inputs, std::int64_t outputs) {
  const auto of = [&](number type) {
    return dnnl::inner_product_forward::primitive_desc(
               {dnnl::prop_kind::forward_training, desc({64, inputs}, type, tag::ab),
                desc({outputs, inputs}, type, tag::any), desc({64, outputs}, number::f32, tag::ab)},
               engine.engine())
        .weights_desc();
  };
  return {of(number::f32), of(number::bf16)};
}

} // namespace

TEST_CASE("rounded weights: the same bits as oneDNN's reorder, padding included") {
  if (!has_bfloat16()) {
    MESSAGE("not tested: this processor has no bfloat16 arithmetic");
    return;
  }
  kernel_engine engine;
  int used = 0;
  struct size {
    std::int64_t inputs, outputs;
  };
  for (const auto& s :
       {size{784, 512}, size{512, 256}, size{3136, 128}, size{144, 64}, size{256, 10}, size{33, 30}}) {
    CAPTURE(s.inputs);
    const auto l = layouts_of(engine, s.inputs, s.outputs);
    const auto rounding = weight_rounding::between(l.stored, l.wanted);
    if (!rounding)
      continue;
    ++used;
    std::vector<float> stored(l.stored.get_size() / sizeof(float));
    rng random(4, std::uint64_t{2});
    for (float& v : stored)
      v = static_cast<float>(random.normal());
    stored[1] = std::numeric_limits<float>::infinity();
    stored[2] = -0.0F;
    stored[3] = std::numeric_limits<float>::max(); // rounds to infinity
    stored[4] = std::numeric_limits<float>::denorm_min();
    stored[5] = 1.00390625F; // halfway: to even, down
    stored[6] = 1.01171875F; // halfway: to even, up
    auto expected = memory_for(l.wanted);
    auto reorder = make_reorder(engine, l.stored, l.wanted);
    reorder.set(DNNL_ARG_FROM, stored.data());
    reorder.set(DNNL_ARG_TO, expected.data());
    reorder.run();
    auto found = memory_for(l.wanted);
    rounding->run(stored.data(), found.data());
    CHECK(std::memcmp(expected.data(), found.data(), l.wanted.get_size()) == 0);
  }
  CHECK(used >= 3);
}

TEST_CASE("rounded weights: a NaN stays one, whatever its bits") {
  // 32 columns of 16 rows, in one block each.
  const desc stored({16, 32}, number::f32, tag::AB16b16a);
  const desc wanted({16, 32}, number::bf16, tag::AB16b16a2b);
  const auto rounding = weight_rounding::between(stored, wanted);
  REQUIRE(rounding);
  const std::uint32_t bits = 0x7FFFFFFFU; // rounding up would carry into the sign
  std::vector<float> values(16 * 32);
  for (float& v : values)
    std::memcpy(&v, &bits, sizeof v);
  auto out = memory_for(wanted);
  rounding->run(values.data(), out.data());
  std::vector<std::uint16_t> found(16 * 32);
  std::memcpy(found.data(), out.data(), 2 * found.size());
  for (const auto f : found)
    REQUIRE(((f & 0x7F80U) == 0x7F80U && (f & 0x7FU) != 0));
}

TEST_CASE("rounded weights: other layouts are left to oneDNN") {
  const auto absent = [](const desc& from, const desc& to) { return !weight_rounding::between(from, to); };
  const desc blocked({64, 32}, number::f32, tag::AB16b64a);
  const desc pairs({64, 32}, number::bf16, tag::AB16b64a2b);
  CHECK(!absent(blocked, pairs));
  CHECK(absent(desc({64, 32}, number::f32, tag::ab), pairs));
  CHECK(absent(blocked, desc({64, 32}, number::bf16, tag::ab)));
  CHECK(absent(blocked, blocked));
  CHECK(absent(desc({60, 32}, number::f32, tag::AB16b64a), desc({60, 32}, number::bf16, tag::AB16b64a2b)));
}
