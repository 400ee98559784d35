#include "actors/parameter_arrival.hpp"
#include "actors/round_sum.hpp"
#include "controller_scene.hpp"

using namespace triage;
using namespace triage::test;

// Merges whose end is done while the beginning of their gradients is still being computed.

namespace {

std::shared_ptr<const run_setup> wide_run(const std::vector<std::string>& more = {}) {
  std::vector<std::string> options = {
      R"(data={"format":"synthetic","kind":"blobs","train_size":512,"features":300,"classes":4})",
      R"(model=[{"type":"dense","units":600},{"type":"batch_norm"},{"type":"dense","units":300},
                {"type":"dense","units":4}])"};
  options.insert(options.end(), more.begin(), more.end());
  return small_run(options);
}

std::unique_ptr<parameter_store> new_store(const run_setup& setup, std::size_t lanes = 1,
                                           std::optional<double> clipping = std::nullopt) {
  auto s = std::make_unique<parameter_store>(setup.net->parameters(), *setup.rule, clipping,
                                             std::make_shared<fork_join>(lanes));
  s->initialise(7);
  return s;
}

blob gradient_of(const run_setup& setup, std::uint64_t stream) {
  rng random(9, stream);
  mutable_blob g(setup.net->parameters().size());
  for (float& x : g.values())
    x = static_cast<float>(0.01 * random.normal());
  return std::move(g).freeze();
}

std::vector<float> copy(std::span<const float> values) {
  return {values.begin(), values.end()};
}

void check_same(const parameter_store& a, const parameter_store& b, const run_setup& setup) {
  CHECK(copy(a.current().view()) == copy(b.current().view()));
  CHECK(a.version() == b.version());
  for (const auto name : setup.rule->moments())
    CHECK(*a.save_moments().get<float>(name) == *b.save_moments().get<float>(name));
}

/// A round of gradients whose members reach each of these places one after the other.
struct foreseen_round {
  std::vector<contribution> all;
  round_sum& sum;

  void reach(std::size_t from) const {
    std::vector<round_sum::part> parts;
    for (std::uint64_t m = 0; m < all.size(); ++m)
      parts.push_back({m, all[m].samples, all[m].gradient, from});
    sum.advance(parts);
  }
};

foreseen_round new_round(const run_setup& setup, round_sum& sum, std::uint64_t number, std::size_t members) {
  foreseen_round out{{}, sum};
  for (std::uint64_t m = 0; m < members; ++m)
    out.all.push_back({gradient_of(setup, 10 * number + m), m == 1 ? 5.0 : 16.0});
  return out;
}

/// Counts what is final at each call.
struct counting_observer final : merge_observer {
  explicit counting_observer(parameter_store& s) : store(s) {}
  void began() override { at_begin = store.arriving()->ready(); }
  void advanced() override { ready.push_back(store.arriving()->ready()); }
  parameter_store& store;
  std::size_t at_begin = 1;
  std::vector<std::size_t> ready;
};

} // namespace

TEST_CASE("merge ahead: in however many pieces the end was merged before, the merge is the same to the bit") {
  for (const char* rule :
       {R"({"type":"sgd","learning_rate":0.1})",
        R"({"type":"sgd","learning_rate":0.1,"momentum":0.9,"nesterov":true,"weight_decay":0.01})",
        R"({"type":"adamw"})", R"({"type":"rmsprop"})"})
    for (const std::size_t members : {1U, 3U})
      for (const std::size_t lanes : {1U, 2U}) {
        CAPTURE(rule);
        CAPTURE(members);
        const auto setup = wide_run({std::string("optimizer=") + rule});
        const std::size_t trained = setup->net->parameters().trained_size();
        auto plain = new_store(*setup, lanes);
        auto ahead = new_store(*setup, lanes);
        round_sum sum(trained);
        for (std::uint64_t number = 0; number < 4; ++number) {
          const auto round = new_round(*setup, sum, number, members);
          const blob before = ahead->current();
          const auto values = copy(before.view());
          std::size_t last = trained;
          for (const std::size_t from : {trained - 1000, trained - 70001, trained / 2, trained / 3}) {
            round.reach(from);
            if (!ahead->merge_ahead(sum.known(), 0.1))
              continue;
            const auto known = ahead->ahead();
            CHECK(known.version == ahead->version() + 1);
            CHECK(known.begin >= from);
            CHECK(known.begin < last);
            CHECK(known.end == trained);
            last = known.begin;
          }
          CHECK(last < trained / 2 + 1024);
          CHECK(ahead->current().data() == before.data()); // nothing has changed for anybody
          CHECK(copy(before.view()) == values);
          const auto known = ahead->ahead();
          const auto end = copy(known.parameters.view().subspan(last, trained - last));
          plain->merge(round.all, 0.1);
          counting_observer observer(*ahead);
          ahead->merge(round.all, 0.1, sum.take(round.all), &observer);
          check_same(*plain, *ahead, *setup);
          CHECK(ahead->current().data() == known.parameters.data());
          CHECK(copy(ahead->current().view().subspan(last, trained - last)) == end);
          CHECK(observer.at_begin == 0);
          CHECK(std::find_if(observer.ready.begin(), observer.ready.end(), [&](std::size_t r) {
                  return r > last && r < trained;
                }) == observer.ready.end()); // from the last place on, everything was there
        }
      }
}

TEST_CASE("merge ahead: a merge that differs from what was foreseen takes nothing from it") {
  const auto setup = wide_run();
  const std::size_t trained = setup->net->parameters().trained_size();
  enum class turn { another_rate, a_member_lost, sum_forgotten, placed, local, in_turn };
  for (const auto what : {turn::another_rate, turn::a_member_lost, turn::sum_forgotten, turn::placed,
                          turn::local, turn::in_turn}) {
    CAPTURE(static_cast<int>(what));
    auto plain = new_store(*setup);
    auto ahead = new_store(*setup);
    round_sum sum(trained);
    const auto round = new_round(*setup, sum, 1, 3);
    round.reach(trained / 2);
    REQUIRE(ahead->merge_ahead(sum.known(), 0.1));
    if (what == turn::placed)
      for (auto* s : {plain.get(), ahead.get()})
        s->place(std::vector<float>(s->current().size(), 0.0F));
    if (what == turn::sum_forgotten)
      sum.clear();
    const auto merged = std::span(round.all).first(what == turn::a_member_lost ? 2 : 3);
    const double rate = what == turn::another_rate ? 0.05 : 0.1;
    const std::vector<double> rates(3, rate);
    for (auto* s : {plain.get(), ahead.get()}) {
      const auto known = s == ahead.get() ? sum.take(merged) : summed_ahead{};
      if (what == turn::local)
        s->merge(merged, parameter_store::local_merge{.learning_rate = rate}, known);
      else if (what == turn::in_turn)
        s->merge_in_turn(merged, rates);
      else
        s->merge(merged, rate, known);
    }
    check_same(*plain, *ahead, *setup);
    // And the next one goes ahead again.
    const auto next = new_round(*setup, sum, 2, 3);
    next.reach(trained / 2);
    CHECK(ahead->merge_ahead(sum.known(), 0.1));
    ahead->merge(next.all, 0.1, sum.take(next.all));
    plain->merge(next.all, 0.1);
    check_same(*plain, *ahead, *setup);
  }
}

TEST_CASE("merge ahead: a round that starts again with other members is merged ahead anew") {
  const auto setup = wide_run();
  const std::size_t trained = setup->net->parameters().trained_size();
  auto plain = new_store(*setup);
  auto ahead = new_store(*setup);
  round_sum sum(trained);
  auto round = new_round(*setup, sum, 1, 3);
  round.reach(trained / 2);
  REQUIRE(ahead->merge_ahead(sum.known(), 0.1));
  const auto first = ahead->ahead();
  const auto wrong = copy(first.parameters.view().subspan(first.begin));
  round.all.pop_back();
  round.reach(trained / 2);
  REQUIRE(ahead->merge_ahead(sum.known(), 0.1));
  CHECK(ahead->ahead().parameters.data() != first.parameters.data());
  CHECK(copy(first.parameters.view().subspan(first.begin)) == wrong); // somebody may be reading it
  ahead->merge(round.all, 0.1, sum.take(round.all));
  plain->merge(round.all, 0.1);
  check_same(*plain, *ahead, *setup);
}

TEST_CASE("merge ahead: not where gradients are clipped, and not for next to nothing") {
  const auto setup = wide_run();
  const std::size_t trained = setup->net->parameters().trained_size();
  round_sum sum(trained);
  const auto round = new_round(*setup, sum, 1, 2);
  auto clipped = new_store(*setup, 1, 0.5);
  auto store = new_store(*setup);
  CHECK_FALSE(store->merge_ahead(sum.known(), 0.1)); // nothing is known
  round.reach(trained - 20000);
  CHECK_FALSE(store->merge_ahead(sum.known(), 0.1));
  round.reach(trained / 2);
  CHECK_FALSE(clipped->merge_ahead(sum.known(), 0.1));
  CHECK(store->merge_ahead(sum.known(), 0.1));
  CHECK_FALSE(store->merge_ahead(sum.known(), 0.1)); // nothing more is known
}

namespace {

/// What the controller says of the next parameters, and what becomes of them.
struct watching_world : fake_world {
  void parameters_merged_ahead(const parameters_ahead& next) override {
    CHECK((ahead.empty() || next.version > ahead.back().version || next.begin < ahead.back().begin ||
           next.parameters.data() != ahead.back().parameters.data()));
    ahead.push_back(next);
    values.push_back(copy(next.parameters.view().subspan(next.begin, next.end - next.begin)));
  }
  std::vector<parameters_ahead> ahead;
  std::vector<std::vector<float>> values;
};

using watched_scene = basic_scene<watching_world>;

watched_scene open_scene(std::vector<std::string> more, int members) {
  more.insert(more.end(),
              {R"(data={"format":"synthetic","kind":"blobs","train_size":512,"features":300,"classes":4})",
               R"(model=[{"type":"dense","units":600},{"type":"batch_norm"},{"type":"dense","units":300},
                         {"type":"dense","units":4}])",
               "runtime.min_workers=1"});
  return watched_scene(more, members > 0);
}

void tell_parts(watched_scene& s, std::size_t from, const std::vector<blob>& gradients) {
  std::vector<gradient_part> parts;
  const std::size_t trained = s.setup->net->parameters().trained_size();
  for (const auto& [member, order] : s.world.orders)
    parts.push_back({member, order.lease, gradients[member], from, trained});
  s.controller.parts_arrived(parts);
}

} // namespace

TEST_CASE("merge ahead: while nodes compute, the controller tells what it knows, and the run is the same") {
  watched_scene with = open_scene({"runtime.workers=0"}, 3);
  watched_scene without = open_scene({"runtime.workers=0"}, 3);
  for (auto* s : {&with, &without}) {
    s->serve();
    for (int m = 0; m < 3; ++m)
      s->controller.member_joined("m");
    s->serve();
  }
  const std::size_t trained = with.setup->net->parameters().trained_size();
  for (std::uint64_t round = 1; round <= 5; ++round) {
    std::vector<blob> gradients;
    for (std::uint64_t m = 0; m < 3; ++m)
      gradients.push_back(gradient_of(*with.setup, 10 * round + m));
    with.world.ahead.clear();
    with.world.values.clear();
    tell_parts(with, trained / 2, gradients);
    tell_parts(with, trained / 4, gradients);
    REQUIRE(with.world.ahead.size() == 2);
    for (auto* s : {&with, &without})
      for (std::uint64_t m = 0; m < 3; ++m) {
        s->shared = gradients[m];
        s->answer(m);
      }
    const auto now = with.controller.current();
    CHECK(copy(now.parameters.view()) == copy(without.controller.current().parameters.view()));
    for (std::size_t i = 0; i < 2; ++i) {
      const auto& told = with.world.ahead[i];
      CHECK(told.version == now.version);
      CHECK(told.parameters.data() == now.parameters.data());
      CHECK(with.world.values[i] == copy(now.parameters.view().subspan(told.begin, told.end - told.begin)));
    }
  }
}

TEST_CASE(
    "merge ahead: where the learning rate follows the clock, a round has the one that it was merged ahead "
    "with") {
  watched_scene s =
      open_scene({"runtime.workers=0", R"(schedule={"type":"cosine"})", "duration={\"seconds\":10}"}, 2);
  s.serve();
  for (int m = 0; m < 2; ++m)
    s.controller.member_joined("m");
  s.serve();
  const std::size_t trained = s.setup->net->parameters().trained_size();
  for (std::uint64_t round = 1; round <= 3; ++round) {
    const std::vector<blob> gradients = {gradient_of(*s.setup, 10 * round),
                                         gradient_of(*s.setup, 10 * round + 1)};
    s.world.ahead.clear();
    s.world.values.clear();
    for (const std::size_t from : {trained / 2, trained / 4}) {
      s.time.advance(0.5);
      tell_parts(s, from, gradients);
    }
    REQUIRE(s.world.ahead.size() == 2);
    CHECK(s.world.ahead[1].parameters.data() == s.world.ahead[0].parameters.data());
    for (std::uint64_t m = 0; m < 2; ++m) {
      s.shared = gradients[m];
      s.answer(m);
    }
    CHECK(s.controller.current().version == round);
    CHECK(s.controller.current().parameters.data() == s.world.ahead[0].parameters.data());
  }
}

TEST_CASE("merge ahead: a member that is lost, or whose result is not finite, takes its part back") {
  for (const bool lost : {true, false}) {
    watched_scene with = open_scene({"runtime.workers=0"}, 3);
    watched_scene without = open_scene({"runtime.workers=0"}, 3);
    std::vector<blob> gradients;
    for (std::uint64_t m = 0; m < 3; ++m)
      gradients.push_back(gradient_of(*with.setup, 10 + m));
    for (auto* s : {&with, &without}) {
      s->serve();
      for (int m = 0; m < 3; ++m)
        s->controller.member_joined("m");
      s->serve();
      if (s == &with)
        tell_parts(with, with.setup->net->parameters().trained_size() / 4, gradients);
      for (std::uint64_t m = 0; m < 2; ++m) {
        s->shared = gradients[m];
        s->answer(m);
      }
      if (lost) {
        s->world.orders.erase(2);
        s->controller.member_lost(2, "it is gone");
        s->serve();
      } else {
        s->answer(2, false);
      }
    }
    CHECK(with.world.ahead.size() >= 1);
    CHECK(with.controller.current().version == 1);
    CHECK(copy(with.controller.current().parameters.view()) ==
          copy(without.controller.current().parameters.view()));
  }
}

TEST_CASE("merge ahead: none where it is of no use: workers of this process, compressed parameters, local "
          "steps, clipping") {
  for (
      const auto& options : std::vector<std::vector<std::string>>{
          {"runtime.workers=1"},
          {"runtime.workers=0",
           R"(runtime.exchange={"policy":"local_sgd","local_steps":1,"compression":{"down":{"type":"top_k"}}})"},
          {"runtime.workers=0", R"(runtime.exchange={"policy":"local_sgd","local_steps":1})"},
          {"runtime.workers=0", "gradient_clipping=1.0"}}) {
    CAPTURE(options.back());
    watched_scene s = open_scene(options, 2);
    s.serve();
    for (int m = 0; m < 2; ++m)
      s.controller.member_joined("m");
    s.serve();
    const std::vector<blob> gradients = {gradient_of(*s.setup, 1), gradient_of(*s.setup, 2)};
    tell_parts(s, s.setup->net->parameters().trained_size() / 4, gradients);
    for (std::uint64_t m = 0; m < 2; ++m)
      s.answer(m);
    CHECK(s.world.ahead.empty());
    CHECK(s.controller.current().version == 1);
  }
}
