#include "core/protocol_sizes.hpp"
#include "travelling_parameters.hpp"

// Ends of parameters that travel before there is a snapshot that they belong to: their frames, and what
// becomes of them on a node.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t floats = 300000;
constexpr std::size_t trained = 299000; ///< behind it lie statistics
} // namespace

TEST_CASE("outgoing parameters: what is known ahead is framed from back to front, and the rest in the end") {
  next_parameters next(8, floats);
  parameter_outbox box(float_format::float32, nullptr, {});
  CHECK(box.frames_ahead(false) == nullptr);
  box.foresee(next.merged_to(200000, trained));
  const auto out = box.frames_ahead(false);
  REQUIRE(out);
  box.foresee(next.merged_to(90000, trained));
  CHECK(box.frames_ahead(false) == out);
  std::size_t back = trained;
  for (const auto& part : out->parts_ahead()) {
    back -= floats_of(part);
    CHECK(numbers_of(part) == number_pair{8, back});
    CHECK(floats_of(part) <= parameter_part_floats * 5 / 4);
  }
  CHECK(back == 90000);

  const auto begun = next.begun();
  CHECK(box.frames_of(begun, false) == out);
  CHECK(numbers_of(out->announcement(out->parts_ahead().size())) == number_pair{8, 90000});
  CHECK(parts_of(*out).empty());
  next.arrival->advance(90000);
  std::size_t at = 0;
  for (const auto& part : parts_of(*out)) {
    CHECK(numbers_of(part) == number_pair{8, at});
    at += floats_of(part);
  }
  CHECK(at == 90000);
  CHECK_FALSE(out->complete());
  next.arrival->advance(floats); // the statistics
  CHECK(numbers_of(parts_of(*out).back()) == number_pair{8, trained});
  CHECK(floats_of(parts_of(*out).back()) == floats - trained);
  CHECK(out->complete());
  CHECK(box.frames_ahead(false) == nullptr);
}

TEST_CASE(
    "outgoing parameters: who was sent less of what goes ahead gets the rest at its place, from the front") {
  for (const auto format : {float_format::float32, float_format::bfloat16}) {
    next_parameters next(8, floats);
    parameter_outbox box(format, nullptr, {});
    box.foresee(next.merged_to(90000, trained));
    const auto out = box.frames_ahead(false);
    const std::size_t ahead = out->parts_ahead().size();
    REQUIRE(ahead >= 3);
    CHECK(box.frames_of(next.begun(), false) == out);
    for (std::size_t sent = 0; sent <= ahead; ++sent)
      CHECK(parts_of(*out, sent).empty()); // what lies before them is not final yet
    next.arrival->advance(90000);
    const std::size_t front = parts_of(*out, ahead).size();
    CHECK(parts_of(*out, 0).size() == front + ahead);
    next.arrival->advance(floats);
    for (std::size_t sent = 0; sent <= ahead; ++sent) {
      CAPTURE(sent);
      incoming_parameters in(floats);
      const auto give = [&](const frame& f, bool goes_ahead) {
        const auto [version, begin] = numbers_of(f);
        const std::size_t size = f.bulk().size() / bytes_of(format);
        const auto head = pair_head(version, begin);
        if (size > 0) {
          const auto place = goes_ahead ? in.place_ahead(head, size) : in.place(head, size);
          REQUIRE_MESSAGE(place.ok(), (place.ok() ? "" : place.error().message));
          std::copy_n(next.block.view().begin() + static_cast<std::ptrdiff_t>(begin), size, place->begin());
        }
        CHECK((goes_ahead ? in.arrived_ahead(head, size) : in.arrived(head, size)).ok());
      };
      for (std::size_t i = 0; i < sent; ++i)
        give(out->parts_ahead()[i], true);
      give(out->announcement(sent), false);
      const auto rest = parts_of(*out, sent);
      CHECK(rest.size() == front + (ahead - sent) + 1); // the statistics
      for (const auto& part : rest) {
        CHECK(frame_header::decode(part.front())->kind == frame_kind::parameters);
        give(part, false);
      }
      REQUIRE_FALSE(in.latest().arriving);
      CHECK(std::ranges::equal(in.latest().parameters.view(), next.block.view()));
    }
  }
}

TEST_CASE("outgoing parameters: parts that go ahead begin where layers do, unless that makes them small") {
  const auto sizes = [](const std::vector<std::size_t>& layer_begins, std::size_t begin) {
    next_parameters next(8, floats);
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
  next_parameters foreseen(8, floats);
  box.foresee(foreseen.merged_to(200000, trained));
  const auto forgotten = box.frames_ahead(false);
  // The round began again without a member: the same version, in another block.
  next_parameters again(8, floats);
  box.foresee(again.merged_to(100000, trained));
  const auto next = box.frames_ahead(false);
  CHECK(next != forgotten);
  CHECK(numbers_of(next->parts_ahead().back()) == number_pair{8, 100000});
  CHECK(numbers_of(next->parts_ahead().front()).second + floats_of(next->parts_ahead().front()) == trained);
  // And then it was another one again.
  next_parameters merged(8, floats);
  const auto out = box.frames_of(merged.begun(), false);
  CHECK(out != next);
  CHECK(numbers_of(out->announcement(out->parts_ahead().size())) == number_pair{8, 0});
  CHECK(out->parts_ahead().empty());
  CHECK(box.frames_of(merged.begun(), false) == out);
}

TEST_CASE("outgoing parameters: when one node has got all, the others go on with the same frames") {
  parameter_outbox box(float_format::float32, nullptr, {});
  next_parameters next(8, floats);
  box.foresee(next.merged_to(90000, trained));
  std::weak_ptr<outgoing_parameters> watched;
  {
    const auto of_another = box.frames_ahead(false); // it has got parts of it
    watched = of_another;
    const auto at = next.begun();
    const auto out = box.frames_of(at, false);
    next.arrival->advance(floats);
    (void)out->parts(0);
    REQUIRE(out->complete());
    box.sent(out);
    CHECK(box.frames_of(at, false) == of_another);
    CHECK(numbers_of(of_another->announcement(of_another->parts_ahead().size())) == number_pair{8, 90000});
  }
  CHECK(watched.expired()); // and then the next merge may change the block in place
}

TEST_CASE("outgoing parameters on a board: the end lies there before the beginning, and is told of with it") {
  auto made = snapshot_board::create(floats);
  REQUIRE(made.ok());
  const auto board = made.take();
  parameter_outbox box(float_format::float32, board, {});
  next_parameters next(8, floats);
  box.foresee(next.merged_to(200000, trained));
  const auto out = box.frames_ahead(true);
  REQUIRE(out->place());
  CHECK(out->parts_ahead().empty());
  CHECK(out->place()->values[trained - 1] == static_cast<float>((trained - 1) % 1000));
  box.foresee(next.merged_to(90000, trained));
  CHECK(out->place()->values[90000] == 0.0F); // 90000 % 1000
  CHECK(out->place()->values[90001] == 1.0F);
  CHECK(box.frames_of(next.begun(), true) == out);
  next.arrival->advance(90000);
  const auto last = read_board_frame(parts_of(*out).back().front().subspan(frame_header::size));
  REQUIRE(last.ok());
  CHECK(last->end == trained);
  next.arrival->advance(floats);
  CHECK(parts_of(*out).back().bulk().empty());
  CHECK(out->complete());
  // A node that does not see the board gets the same parameters with their floats.
  const auto travelling = box.frames_of(next.begun(), false);
  CHECK(travelling != out);
  CHECK_FALSE(travelling->place());

  // Where every place is taken there is nothing ahead, and the parameters travel.
  std::vector<std::shared_ptr<const snapshot_board::place>> taken;
  while (auto p = board->acquire())
    taken.push_back(std::move(p));
  next_parameters later(9, floats);
  box.foresee(later.merged_to(90000, trained));
  CHECK(box.frames_ahead(true) == nullptr);
  CHECK_FALSE(box.frames_of(later.begun(), true)->place());
}

TEST_CASE("incoming parameters: what came ahead is there as soon as everything in front of it is") {
  incoming_parameters in(100);
  CHECK(take_ahead(in, 4, 80, 15, 3.0F) == "taken");
  CHECK(take_ahead(in, 4, 40, 40, 2.0F) == "taken");
  CHECK(in.latest().parameters.empty()); // it may never be announced
  CHECK(take(in, 4, 40, 0) == "taken");
  const snapshot early = in.latest();
  CHECK(early.version == 4);
  CHECK(early.arriving->ready() == 0);
  CHECK(take(in, 4, 0, 30, 1.0F) == "taken");
  CHECK(early.arriving->ready() == 30);
  CHECK(take(in, 4, 30, 10, 1.0F) == "taken");
  CHECK(early.arriving->ready() == 95);
  CHECK(take(in, 4, 95, 5, 4.0F) == "taken"); // statistics
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
  CHECK(take(in, 4, 0, 0) == "taken"); // nothing of it counts
  CHECK(take(in, 4, 0, 100, 1.0F) == "taken");
  const snapshot fourth = in.latest();
  CHECK(take_ahead(in, 5, 70, 30, 9.0F) == "taken");
  CHECK(take_ahead(in, 5, 80, 20, 5.0F) == "taken"); // again, from the end
  CHECK(take_ahead(in, 5, 50, 30, 5.0F) == "taken");
  CHECK(take(in, 5, 50, 0) == "taken");
  CHECK(take(in, 5, 0, 50, 1.0F) == "taken");
  CHECK(in.latest().parameters.view()[75] == 5.0F);
  CHECK(fourth.parameters.view()[99] == 1.0F);
  // Parts of the next may come while the present ones are on their way.
  CHECK(take(in, 6, 0, 0) == "taken");
  CHECK(take_ahead(in, 7, 50, 50, 7.0F) == "taken");
  CHECK(take(in, 6, 0, 100, 6.0F) == "taken");
  CHECK(in.latest().parameters.view()[99] == 6.0F);
  CHECK(take(in, 7, 50, 0) == "taken");
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
  CHECK(take(in, 4, 50, 0).starts_with("it says that parameters of version 4 from 50 on have gone ahead"));
  CHECK(take_ahead(in, 4, 50, 50) == "taken");
  CHECK(take(in, 5, 50, 0) != "taken");
  CHECK(take(in, 4, 40, 0) != "taken");
  CHECK(take(in, 4, 60, 0) != "taken");
  CHECK(take(in, 4, 50, 0) == "taken");
  CHECK(take(in, 4, 50, 0) != "taken"); // twice
}
