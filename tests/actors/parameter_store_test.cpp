#include "actors/round_sum.hpp"
#include "run_support.hpp"

using namespace triage;
using namespace triage::test;

namespace {

/// A store over 784-600-10 and gradients of random numbers for it: large enough for several lanes and slices.
struct fixture {
  explicit fixture(const std::string& optimizer =
                       R"({"type":"sgd","learning_rate":0.1,"momentum":0.9,"weight_decay":0.01})")
      : setup(small_run(
            {R"(data={"format":"synthetic","kind":"blobs","features":300,"classes":4})",
             R"(model=[{"type":"dense","units":600},{"type":"batch_norm"},{"type":"dense","units":4}])",
             "optimizer=" + optimizer})) {}

  [[nodiscard]] std::unique_ptr<parameter_store> store(std::optional<double> clipping = std::nullopt,
                                                       std::size_t lanes = 1) const {
    auto s = std::make_unique<parameter_store>(setup->net->parameters(), *setup->rule, clipping,
                                               std::make_shared<fork_join>(lanes));
    s->initialise(7);
    return s;
  }
  [[nodiscard]] blob gradient(std::uint64_t stream) const {
    rng random(3, stream);
    mutable_blob g(setup->net->parameters().size());
    for (float& x : g.values())
      x = static_cast<float>(random.normal());
    return std::move(g).freeze();
  }
  [[nodiscard]] std::size_t trained() const { return setup->net->parameters().trained_size(); }

  std::shared_ptr<const run_setup> setup;
};

std::vector<float> copy(const blob& b) {
  return {b.view().begin(), b.view().end()};
}

} // namespace

TEST_CASE("store: parameters that nobody holds are changed in place, with the same result to the bit") {
  for (const char* rule :
       {R"({"type":"sgd","learning_rate":0.1})",
        R"({"type":"sgd","learning_rate":0.1,"momentum":0.9,"nesterov":true,"weight_decay":0.01})",
        R"({"type":"adamw"})", R"({"type":"rmsprop"})"})
    for (const auto clipping : {std::optional<double>(), std::optional<double>(0.5)}) {
      const fixture f(rule);
      auto alone = f.store(clipping);
      auto watched = f.store(clipping);
      const float* const first = alone->current().data();
      for (std::uint64_t step = 0; step < 4; ++step) {
        const contribution c{f.gradient(step), 16.0};
        const blob held = watched->current();
        const auto before = copy(held);
        alone->merge({&c, 1}, 0.1);
        watched->merge({&c, 1}, 0.1);
        CHECK(alone->current().data() == first);
        CHECK(watched->current().data() != held.data());
        CHECK(copy(held) == before);
        CHECK(copy(alone->current()) == copy(watched->current()));
      }
    }
}

TEST_CASE("store: contributions merged in turn are so many merges, to the bit") {
  for (const char* rule :
       {R"({"type":"sgd","learning_rate":0.1})",
        R"({"type":"sgd","learning_rate":0.1,"momentum":0.9,"nesterov":true,"weight_decay":0.01})",
        R"({"type":"adamw"})", R"({"type":"rmsprop"})"})
    for (const auto clipping : {std::optional<double>(), std::optional<double>(0.5)})
      for (const bool held : {false, true}) {
        const fixture f(rule);
        auto single = f.store(clipping, 2);
        auto together = f.store(clipping, 2);
        for (std::uint64_t round = 0; round < 3; ++round) {
          std::vector<contribution> some;
          std::vector<double> rates;
          for (std::uint64_t i = 0; i <= round; ++i) {
            some.push_back({f.gradient(10 * round + i), 16.0});
            rates.push_back(0.1 / static_cast<double>(i + 1));
            single->merge({&some.back(), 1}, rates.back());
          }
          const blob before = held ? together->current() : blob();
          const auto values = copy(before);
          together->merge_in_turn(some, rates);
          CHECK(copy(before) == values);
          CHECK(together->version() == single->version());
          CHECK(together->last_gradient_norm() == single->last_gradient_norm());
          CHECK(copy(together->current()) == copy(single->current())); // the statistics of batch_norm too
        }
        for (const auto name : f.setup->rule->moments())
          CHECK(*together->save_moments().get<float>(name) == *single->save_moments().get<float>(name));
      }
}

TEST_CASE("store: weight decay shrinks weights and leaves biases and norms alone") {
  const fixture f;
  auto store = f.store();
  mutable_blob start(f.setup->net->parameters().size());
  std::fill(start.values().begin(), start.values().end(), 1.0F);
  REQUIRE(store->load(start.view(), store->save_moments()).ok());
  mutable_blob nothing(f.setup->net->parameters().size());
  const contribution c{std::move(nothing).freeze(), 16.0};
  store->merge({&c, 1}, 0.1);
  for (const auto& t : f.setup->net->parameters().tensors()) {
    if (!t.trained)
      continue;
    CAPTURE(t.name);
    const auto values = store->current().view().subspan(t.offset, t.size);
    const bool shrunk = std::all_of(values.begin(), values.end(), [](float v) { return v < 1.0F; });
    const bool kept = std::all_of(values.begin(), values.end(), [](float v) { return v == 1.0F; });
    CHECK((t.decayed ? shrunk : kept));
  }
}

TEST_CASE("store: ranges of weight decay cover the trained prefix once") {
  const fixture f;
  const auto& layout = f.setup->net->parameters();
  std::size_t at = 0;
  for (const auto& r : layout.decay_ranges()) {
    CHECK(r.begin == at);
    CHECK(r.end > r.begin);
    at = r.end;
    for (const auto& t : layout.tensors())
      if (t.trained && t.offset >= r.begin && t.offset < r.end)
        CHECK(t.decayed == r.decays);
  }
  CHECK(at == layout.trained_size());
}

TEST_CASE("sum ahead: whatever was summed on the way, the merge is the same to the bit") {
  const fixture f;
  const std::size_t trained = f.trained();
  for (const auto clipping : {std::optional<double>(), std::optional<double>(0.5)})
    for (const std::size_t lanes : {1U, 2U}) {
      auto plain = f.store(clipping, lanes);
      auto ahead = f.store(clipping, lanes);
      round_sum sum(trained);
      for (std::uint64_t round = 0; round < 3; ++round) {
        const std::vector<contribution> all = {{f.gradient(10 * round), 16.0},
                                               {f.gradient(10 * round + 1), 5.0},
                                               {f.gradient(10 * round + 2), 16.0}};
        std::vector<round_sum::part> parts;
        for (std::uint64_t m = 0; m < all.size(); ++m)
          parts.push_back({m, all[m].samples, blob(), trained});
        sum.advance(parts); // nothing is final yet
        // Members finish parts of different sizes; a member waits for those before it.
        const std::size_t stops[] = {trained - 20000, trained / 2 + 13, trained / 3};
        for (const std::size_t stop : stops)
          for (std::size_t m = 0; m < all.size(); ++m) {
            parts[m].gradient = all[m].gradient;
            parts[m].from = stop - 7 * m;
            sum.advance(parts);
          }
        const auto known = sum.take(all);
        REQUIRE(known.mean.size() == trained);
        CHECK(known.from == 0); // the rest is added at once
        plain->merge(all, 0.1);
        ahead->merge(all, 0.1, known);
        CHECK(copy(plain->current()) == copy(ahead->current()));
      }
    }
}

TEST_CASE("sum ahead: a merge that differs from what was foreseen takes nothing") {
  const fixture f;
  const std::size_t trained = f.trained();
  const std::vector<contribution> all = {{f.gradient(1), 16.0}, {f.gradient(2), 16.0}, {f.gradient(3), 16.0}};
  const auto summed = [&] {
    round_sum sum(trained);
    std::vector<round_sum::part> parts;
    for (std::uint64_t m = 0; m < all.size(); ++m)
      parts.push_back({m, all[m].samples, all[m].gradient, 0});
    sum.advance(parts);
    return sum;
  };
  CHECK(summed().take(all).mean.size() == trained);
  CHECK(round_sum(trained).take(all).mean.empty());           // nothing was foreseen
  CHECK(summed().take(std::span(all).first(2)).mean.empty()); // one was lost
  auto other = all;
  other[1].samples = 8.0; // another batch, so other shares
  CHECK(summed().take(other).mean.empty());
  other = all;
  other[1].gradient = f.gradient(4); // computed again by somebody else
  CHECK(summed().take(other).mean.empty());
  other = all;
  other.push_back({f.gradient(5), 16.0}); // a newcomer
  CHECK(summed().take(other).mean.empty());

  auto sum = summed();
  sum.clear();
  CHECK(sum.take(all).mean.empty());
  sum = summed();
  (void)sum.take(all);
  CHECK(sum.take(all).mean.empty()); // a round is over when it is taken

  // A member is lost on the way: the sum starts again without it.
  sum = summed();
  const std::vector<contribution> left = {all[0], all[2]};
  const std::vector<round_sum::part> parts = {{0, 16.0, all[0].gradient, 0}, {2, 16.0, all[2].gradient, 0}};
  sum.advance(parts);
  CHECK(sum.take(left).mean.size() == trained);
}

TEST_CASE("store: moments of another rule are left, and the new one's begin as before the first step") {
  const fixture old(R"({"type":"sgd","learning_rate":0.1,"momentum":0.9})");
  const auto before = old.store();
  for (std::uint64_t step = 0; step < 5; ++step) {
    const contribution c{old.gradient(step), 16.0};
    before->merge({&c, 1}, 0.01);
  }
  for (const char* rule : {R"({"type":"adam"})", R"({"type":"tradam","inner_steps":3})",
                           R"({"type":"trsgd"})", R"({"type":"rmsprop"})"}) {
    CAPTURE(std::string(rule));
    const fixture f(rule);
    auto fresh = f.store();
    fresh->place(before->current().view());
    auto changed = f.store();
    const auto begins = changed->load(before->current().view(), before->save_moments());
    REQUIRE_MESSAGE(begins.ok(), begins.error().message);
    CHECK(*begins);
    CHECK(changed->version() == 5);
    for (std::uint64_t step = 10; step < 17; ++step) {
      const contribution c{f.gradient(step), 16.0};
      fresh->merge({&c, 1}, 0.01);
      changed->merge({&c, 1}, 0.01);
      CHECK(copy(changed->current()) == copy(fresh->current()));
      if (step == 13) { // saved and loaded among themselves they go on
        auto loaded = f.store();
        const auto again = loaded->load(changed->current().view(), changed->save_moments());
        REQUIRE(again.ok());
        CHECK_FALSE(*again);
        changed = std::move(loaded);
      }
    }
  }
}

TEST_CASE("store: a rule without moments leaves what was saved, and relatives go on with each other's") {
  const fixture adam(R"({"type":"adam"})");
  auto before = adam.store();
  const contribution c{adam.gradient(1), 16.0};
  before->merge({&c, 1}, 0.01);
  const fixture plain(R"({"type":"sgd","learning_rate":0.1})");
  CHECK_FALSE(*plain.store()->load(before->current().view(), before->save_moments()));
  const fixture adamw(R"({"type":"adamw"})");
  auto relative = adamw.store();
  CHECK_FALSE(*relative->load(before->current().view(), before->save_moments()));
  CHECK(*relative->save_moments().get<float>("mean") == *before->save_moments().get<float>("mean"));
}
