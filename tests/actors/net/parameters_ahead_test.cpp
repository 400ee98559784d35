#include "actors/net/incoming_parameters.hpp"
#include "actors/parameter_arrival.hpp"
#include "core/protocol_sizes.hpp"
#include "remote_stage.hpp"
#include "session_stage.hpp"

// Ends of parameters that travel before there is a snapshot that they belong to.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t floats = 300000;
constexpr std::size_t trained = 299000; ///< behind it lie statistics
using pair = std::pair<std::uint64_t, std::uint64_t>;

pair numbers_of(const frame& f) {
  const auto read = read_pair(f.front().subspan(frame_header::size));
  REQUIRE(read.ok());
  return *read;
}

std::size_t floats_of(const frame& f) {
  return f.bulk().size() / sizeof(float);
}

/// Parameters that are merged from back to front, and then become a snapshot.
struct next_parameters {
  explicit next_parameters(std::uint64_t version_number, std::size_t size = floats)
      : version(version_number), block(size) {}
  parameters_ahead merged_to(std::size_t begin, std::size_t end = trained) {
    for (std::size_t i = begin; i < end; ++i)
      block.values()[i] = static_cast<float>(i % 1000);
    ahead = {version, block.early_look(), begin, end};
    return ahead;
  }
  /// Where nothing of it is final yet but that end.
  snapshot begun() {
    arrival = std::make_shared<parameter_arrival>(block.size(),
                                                  parameter_arrival::head_start{ahead.begin, ahead.end});
    return {version, block.early_look(), arrival};
  }
  std::uint64_t version;
  mutable_blob block;
  parameters_ahead ahead;
  std::shared_ptr<parameter_arrival> arrival;
};

/// What a node takes from a part that goes ahead.
std::string take_ahead(incoming_parameters& in, std::uint64_t version, std::size_t begin, std::size_t size,
                       float value = 0.0F) {
  const auto head = pair_head(version, begin);
  const auto place = in.place_ahead(head, size);
  if (!place.ok())
    return place.error().message;
  REQUIRE(place->size() == size);
  std::fill(place->begin(), place->end(), value);
  const auto taken = in.arrived_ahead(head, size);
  return taken.ok() ? "taken" : taken.error().message;
}

std::string announce(incoming_parameters& in, std::uint64_t version, std::size_t from) {
  const auto taken = in.arrived(pair_head(version, from), 0);
  return taken.ok() ? "taken" : taken.error().message;
}

std::string take_part(incoming_parameters& in, std::uint64_t version, std::size_t begin, std::size_t size,
                      float value) {
  const auto head = pair_head(version, begin);
  const auto place = in.place(head, size);
  if (!place.ok())
    return place.error().message;
  std::fill(place->begin(), place->end(), value);
  const auto taken = in.arrived(head, size);
  return taken.ok() ? "taken" : taken.error().message;
}

} // namespace

TEST_CASE("outgoing parameters: what is known ahead is framed from back to front, and the rest in the end") {
  next_parameters next(8);
  parameter_outbox box(float_format::float32, nullptr, {});
  CHECK(box.frames_ahead(false) == nullptr);
  box.foresee(next.merged_to(200000));
  const auto out = box.frames_ahead(false);
  REQUIRE(out);
  box.foresee(next.merged_to(90000));
  CHECK(box.frames_ahead(false) == out);
  std::size_t back = trained;
  for (const auto& part : out->parts_ahead()) {
    back -= floats_of(part);
    CHECK(numbers_of(part) == pair{8, back});
    CHECK(floats_of(part) <= parameter_part_floats * 5 / 4);
  }
  CHECK(back == 90000);

  const auto begun = next.begun();
  CHECK(box.frames_of(begun, false) == out);
  CHECK(numbers_of(out->announcement()) == pair{8, 90000});
  CHECK(out->parts().empty());
  next.arrival->advance(90000);
  std::size_t at = 0;
  for (const auto& part : out->parts()) {
    CHECK(numbers_of(part) == pair{8, at});
    at += floats_of(part);
  }
  CHECK(at == 90000);
  CHECK_FALSE(out->complete());
  next.arrival->advance(floats); // the statistics
  CHECK(numbers_of(out->parts().back()) == pair{8, trained});
  CHECK(floats_of(out->parts().back()) == floats - trained);
  CHECK(out->complete());
  CHECK(box.frames_ahead(false) == nullptr);
}

TEST_CASE("outgoing parameters: parts that go ahead begin where layers do, unless that makes them small") {
  const auto sizes = [](const std::vector<std::size_t>& layer_begins, std::size_t begin) {
    next_parameters next(8);
    outgoing_parameters out({8, next.block.early_look()}, float_format::float32, layer_begins);
    next.merged_to(begin, floats);
    out.add_ahead(begin, floats);
    std::vector<std::size_t> all;
    for (const auto& part : out.parts_ahead())
      all.push_back(floats_of(part));
    return all;
  };
  using list = std::vector<std::size_t>;
  constexpr std::size_t usual = parameter_part_floats;
  CHECK(sizes({}, floats - usual - usual / 4) == list{usual + usual / 4});
  CHECK(sizes({}, floats - 2 * usual) == list{usual, usual});
  CHECK(sizes({0, floats - 120000, floats - 60000}, floats - 130000) == list{60000, 70000});
  CHECK(sizes({0, floats - 70000, floats - 100}, floats - 140000) == list{70000, 70000});
}

TEST_CASE("outgoing parameters: when others come than were foreseen, nothing of those goes with them") {
  parameter_outbox box(float_format::float32, nullptr, {});
  next_parameters foreseen(8);
  box.foresee(foreseen.merged_to(200000));
  const auto forgotten = box.frames_ahead(false);
  // The round began again without a member: the same version, in another block.
  next_parameters again(8);
  box.foresee(again.merged_to(100000));
  const auto next = box.frames_ahead(false);
  CHECK(next != forgotten);
  CHECK(numbers_of(next->parts_ahead().back()) == pair{8, 100000});
  CHECK(numbers_of(next->parts_ahead().front()).second + floats_of(next->parts_ahead().front()) == trained);
  // And then it was another one again.
  next_parameters merged(8);
  const auto out = box.frames_of(merged.begun(), false);
  CHECK(out != next);
  CHECK(numbers_of(out->announcement()) == pair{8, 0});
  CHECK(out->parts_ahead().empty());
  CHECK(box.frames_of(merged.begun(), false) == out);
}

TEST_CASE("outgoing parameters: when one node has got all, the others go on with the same frames") {
  parameter_outbox box(float_format::float32, nullptr, {});
  next_parameters next(8);
  box.foresee(next.merged_to(90000));
  std::weak_ptr<outgoing_parameters> watched;
  {
    const auto of_another = box.frames_ahead(false); // it has got parts of it
    watched = of_another;
    const auto at = next.begun();
    const auto out = box.frames_of(at, false);
    next.arrival->advance(floats);
    (void)out->parts();
    REQUIRE(out->complete());
    box.sent(out);
    CHECK(box.frames_of(at, false) == of_another);
    CHECK(numbers_of(of_another->announcement()) == pair{8, 90000});
  }
  CHECK(watched.expired()); // and then the next merge may change the block in place
}

TEST_CASE("outgoing parameters on a board: the end lies there before the beginning, and is told of with it") {
  auto made = snapshot_board::create(floats);
  REQUIRE(made.ok());
  const auto board = made.take();
  parameter_outbox box(float_format::float32, board, {});
  next_parameters next(8);
  box.foresee(next.merged_to(200000));
  const auto out = box.frames_ahead(true);
  REQUIRE(out->place());
  CHECK(out->parts_ahead().empty());
  CHECK(out->place()->values[trained - 1] == static_cast<float>((trained - 1) % 1000));
  box.foresee(next.merged_to(90000));
  CHECK(out->place()->values[90000] == 0.0F); // 90000 % 1000
  CHECK(out->place()->values[90001] == 1.0F);
  CHECK(box.frames_of(next.begun(), true) == out);
  next.arrival->advance(90000);
  const auto last = read_board_frame(out->parts().back().front().subspan(frame_header::size));
  REQUIRE(last.ok());
  CHECK(last->end == trained);
  next.arrival->advance(floats);
  CHECK(out->parts().back().bulk().empty());
  CHECK(out->complete());
  // A node that does not see the board gets the same parameters with their floats.
  const auto travelling = box.frames_of(next.begun(), false);
  CHECK(travelling != out);
  CHECK_FALSE(travelling->place());

  // Where every place is taken there is nothing ahead, and the parameters travel.
  std::vector<std::shared_ptr<const snapshot_board::place>> taken;
  while (auto p = board->acquire())
    taken.push_back(std::move(p));
  next_parameters later(9);
  box.foresee(later.merged_to(90000));
  CHECK(box.frames_ahead(true) == nullptr);
  CHECK_FALSE(box.frames_of(later.begun(), true)->place());
}

TEST_CASE("incoming parameters: what came ahead is there as soon as everything in front of it is") {
  incoming_parameters in(100);
  CHECK(take_ahead(in, 4, 80, 15, 3.0F) == "taken");
  CHECK(take_ahead(in, 4, 40, 40, 2.0F) == "taken");
  CHECK(in.latest().parameters.empty()); // it may never be announced
  CHECK(announce(in, 4, 40) == "taken");
  const snapshot early = in.latest();
  CHECK(early.version == 4);
  CHECK(early.arriving->ready() == 0);
  CHECK(take_part(in, 4, 0, 30, 1.0F) == "taken");
  CHECK(early.arriving->ready() == 30);
  CHECK(take_part(in, 4, 30, 10, 1.0F) == "taken");
  CHECK(early.arriving->ready() == 95);
  CHECK(take_part(in, 4, 95, 5, 4.0F) == "taken"); // statistics
  CHECK(early.arriving->complete());
  CHECK_FALSE(in.latest().arriving);
  const auto values = early.parameters.view();
  CHECK(values[39] == 1.0F);
  CHECK(values[40] == 2.0F);
  CHECK(values[79] == 2.0F);
  CHECK(values[80] == 3.0F);
  CHECK(values[99] == 4.0F);
}

TEST_CASE("incoming parameters: what was foreseen and did not come is overwritten by what is foreseen next") {
  incoming_parameters in(100);
  CHECK(take_ahead(in, 4, 80, 20, 9.0F) == "taken");
  CHECK(announce(in, 4, 0) == "taken"); // nothing of it counts
  CHECK(take_part(in, 4, 0, 100, 1.0F) == "taken");
  const snapshot fourth = in.latest();
  CHECK(take_ahead(in, 5, 70, 30, 9.0F) == "taken");
  CHECK(take_ahead(in, 5, 80, 20, 5.0F) == "taken"); // again, from the end
  CHECK(take_ahead(in, 5, 50, 30, 5.0F) == "taken");
  CHECK(announce(in, 5, 50) == "taken");
  CHECK(take_part(in, 5, 0, 50, 1.0F) == "taken");
  CHECK(in.latest().parameters.view()[75] == 5.0F);
  CHECK(fourth.parameters.view()[99] == 1.0F);
  // Parts of the next may come while the present ones are on their way.
  CHECK(announce(in, 6, 0) == "taken");
  CHECK(take_ahead(in, 7, 50, 50, 7.0F) == "taken");
  CHECK(take_part(in, 6, 0, 100, 6.0F) == "taken");
  CHECK(in.latest().parameters.view()[99] == 6.0F);
  CHECK(announce(in, 7, 50) == "taken");
}

TEST_CASE(
    "incoming parameters: parts ahead that cannot be, and announcements of what did not come, are refused") {
  incoming_parameters in(100);
  for (const auto& [begin, size] : std::vector<std::pair<std::size_t, std::size_t>>{
           {0, 100}, {1, 100}, {60, 41}, {50, 0}, {~std::size_t{0}, 1}, {1, ~std::size_t{0}}}) {
    CAPTURE(begin);
    CAPTURE(size);
    CHECK(take_ahead(in, 4, begin, size).starts_with("it sent "));
  }
  CHECK(announce(in, 4, 50).starts_with("it says that parameters of version 4 from 50 on have gone ahead"));
  CHECK(take_ahead(in, 4, 50, 50) == "taken");
  CHECK(announce(in, 5, 50) != "taken");
  CHECK(announce(in, 4, 40) != "taken");
  CHECK(announce(in, 4, 60) != "taken");
  CHECK(announce(in, 4, 50) == "taken");
  CHECK(announce(in, 4, 50) != "taken"); // twice
}

TEST_CASE("session: an order sees what went ahead once the beginning is there") {
  session_stage s;
  s.open();
  s.welcome_it();
  s.add_worker(0);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::join));
  const std::size_t all = s.setup->net->parameters().size();
  const auto send = [&](frame_kind kind, std::size_t begin, std::size_t size, float value) {
    s.tensor->send(frame(kind, pair_head(6, begin), blob::copy_of(std::vector<float>(size, value)),
                         float_format::float32));
  };
  send(frame_kind::parameters_ahead, 64, all - 64, 0.75F);
  send(frame_kind::parameters_ahead, 32, 32, 0.5F);
  s.tensor->send(frame(frame_kind::parameters, pair_head(6, 32)));
  s.send_order(0, 50, 6);
  const auto order = s.world.order.wait();
  REQUIRE(order.base.arriving);
  CHECK(order.base.arriving->ready() == 0);
  send(frame_kind::parameters, 0, 32, 0.25F);
  order.base.arriving->await_all();
  CHECK(order.base.parameters.view()[0] == 0.25F);
  CHECK(order.base.parameters.view()[32] == 0.5F);
  CHECK(order.base.parameters.view()[all - 1] == 0.75F);
  s.tensor->send(frame(frame_kind::parameters_ahead, pair_head(7, 0),
                       blob::copy_of(std::vector<float>(all, 1.0F)), float_format::float32));
  CHECK(s.ended.wait().reason.starts_with("it sent " + std::to_string(all) + " parameters from 0 on ahead"));
}

namespace {

const std::vector<std::string> wide = {
    R"(model=[{"type":"dense","units":4000},{"type":"dense","units":200},{"type":"dense","units":4}])"};

void foresee(remote_stage& s, const parameters_ahead& next) {
  s.net.on_thread([&] {
    s.run->outbox.foresee(next);
    s.node->send_parameters_ahead();
    return 0;
  });
}

void order(const caf::actor& worker, std::uint64_t lease, const snapshot& at) {
  drawn_batch b;
  b.ids = {1, 2};
  b.weights = {1.0F, 1.0F};
  caf::anon_send(caf::actor_cast<worker_actor>(worker),
                 train_order{lease, at, {std::make_shared<const drawn_batch>(std::move(b))}, {}});
}

} // namespace

TEST_CASE("remote node: what is known of the next parameters goes to a node that computes, and is announced "
          "with them") {
  remote_stage s(2, wide);
  const std::size_t all = s.setup->net->parameters().size();
  const auto worker = s.join_worker(0);
  next_parameters idle(1, all);
  foresee(s, idle.merged_to(all / 2, all)); // nobody has an order
  s.order(worker, 10, 1);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 1));
  next_parameters next(2, all);
  foresee(s, next.merged_to(3 * all / 4, all));
  const auto first = s.heard_tensor->wait_for(frame_kind::parameters_ahead, 1);
  REQUIRE(first);
  CHECK(read_pair(first->head)->second + first->floats.size() == all);
  foresee(s, next.merged_to(all / 4, all));
  // More than may wait on a link at once: it goes on when that has left.
  for (std::size_t k = 1, got_ahead = 0; got_ahead < all - all / 4; ++k) {
    const auto f = s.heard_tensor->wait_for(frame_kind::parameters_ahead, k);
    REQUIRE(f);
    got_ahead += f->floats.size();
  }
  auto at = next.begun();
  order(worker, 11, at);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 2));
  next.arrival->advance(all / 4);
  s.net.on_thread([&] {
    s.node->send_arrived_parameters();
    return 0;
  });
  // Put together, they are the parameters.
  std::vector<float> got(all, -1.0F);
  std::size_t announced = 0;
  const auto covered = [&] {
    for (const auto& f : s.heard_tensor->frames()) {
      const auto where = read_pair(f.head);
      if ((f.kind != frame_kind::parameters && f.kind != frame_kind::parameters_ahead) || where->first != 2)
        continue;
      if (f.floats.empty())
        announced = where->second;
      std::copy(f.floats.begin(), f.floats.end(), got.begin() + static_cast<std::ptrdiff_t>(where->second));
    }
    return std::equal(got.begin(), got.end(), next.block.view().begin());
  };
  for (std::size_t k = 1; !covered(); ++k)
    REQUIRE(s.heard_tensor->wait_for(frame_kind::parameters, k));
  CHECK(announced == all / 4);
  for (const auto& f : s.heard_tensor->frames())
    if (f.kind == frame_kind::parameters_ahead)
      CHECK(read_pair(f.head)->first == 2);
}

TEST_CASE("remote node: who had no part of what went ahead gets it before the announcement") {
  remote_stage s(2, wide);
  const std::size_t all = s.setup->net->parameters().size();
  const auto worker = s.join_worker(0);
  next_parameters next(2, all);
  s.net.on_thread([&] {
    s.run->outbox.foresee(next.merged_to(all / 2, all));
    (void)s.run->outbox.frames_ahead(false); // another node computes and gets it
    return 0;
  });
  order(worker, 11, next.begun());
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 1));
  std::vector<frame_kind> kinds; // each said once, however many there are of it
  std::size_t ahead = 0;
  for (const auto& f : s.heard_tensor->frames()) {
    if (kinds.empty() || kinds.back() != f.kind)
      kinds.push_back(f.kind);
    if (f.kind == frame_kind::parameters_ahead)
      ahead += f.floats.size();
  }
  CHECK(kinds == std::vector<frame_kind>{frame_kind::parameters_ahead, frame_kind::parameters,
                                         frame_kind::train_order});
  CHECK(ahead == all - all / 2);
}

TEST_CASE(
    "remote node: parts of a gradient go to the coordinator as they come, and none from the first on that "
    "is not finite") {
  for (const bool finite : {true, false}) {
    CAPTURE(finite);
    remote_stage s;
    const std::size_t all = s.setup->net->parameters().size();
    const auto worker = s.join_worker(0);
    caf::anon_send(worker, welcome{7});
    REQUIRE(s.heard_tensor->wait_for(frame_kind::joined));
    s.order(worker, 10, 1);
    REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 1));
    mutable_blob gradient(all);
    std::fill(gradient.values().begin(), gradient.values().end(), 0.5F);
    if (!finite)
      gradient.values()[all / 2 + 1] = std::nanf("");
    const auto part = [&](std::size_t begin, std::size_t end) {
      s.tensor->send(
          to_frame(0, gradient_part{7, 10, gradient.early_look(), begin, end}, float_format::float32));
    };
    part(all - 10, all);
    part(all / 2, all - 10);
    part(0, all / 2);
    auto r = s.answer(10);
    r.gradient = gradient.early_look();
    s.tensor->send(to_frame(0, r, float_format::float32, all));
    const auto result = s.world.result.wait();
    CHECK(result.member == 7);
    CHECK(result.finite == finite);
    const auto told = s.world.parts();
    REQUIRE(told.size() == (finite ? 3 : 1));
    CHECK(told[0].member == 7);
    CHECK(told[0].lease == 10);
    CHECK(told[0].begin == all - 10);
    CHECK(told[0].end == all);
    CHECK(told.back().gradient.view()[all - 1] == 0.5F);
  }
}
