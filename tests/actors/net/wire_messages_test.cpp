#include "wire_support.hpp"

#include "actors/net/wire_messages.hpp"
#include "core/wire.hpp"

#include <cmath>

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t points = 100;

train_order an_order() {
  auto batch = std::make_shared<drawn_batch>();
  batch->ids = {0, 99, 7, 7};
  batch->weights = {1.0F, 0.0F, -0.0F, std::numeric_limits<float>::denorm_min()};
  return {1ULL << 63U, {42, blob()}, {batch}, {}};
}

train_result a_result() {
  train_result r;
  r.lease = ~std::uint64_t{0};
  r.base_version = 17;
  r.loss_sum = 2.5;
  r.correct = 3;
  r.scores = awkward_floats;
  r.losses = awkward_floats;
  r.busy_seconds = 0.125;
  r.suspects = {5, 99};
  return r;
}

measured_scores some_scores() {
  return {awkward_floats, {}, 9, 0.5};
}

trace_lane a_lane() {
  return {"worker-0", {{"gradient", 1.0, 2.0, 3}, {"score", -1.0, 0.5, ~std::uint64_t{0}}}, 4};
}

const auto order_reader = [](std::span<const std::uint8_t> head) { return read_train_order(head, points); };
const auto result_reader = [](std::span<const std::uint8_t> head) { return read_train_result(head, points); };
const auto score_order_reader = [](std::span<const std::uint8_t> head) {
  return read_score_order(head, points);
};

bool are_points(const std::vector<std::uint32_t>& ids) {
  return std::all_of(ids.begin(), ids.end(), [](auto id) { return id < points; });
}

} // namespace

TEST_CASE("wire messages: join, failure and numbers arrive as sent") {
  const auto join = to_frame(join_frame{0xFFFFFFFFU, slot_role::estimator, "estimator-7"});
  CHECK(header_of(join).kind == frame_kind::join);
  const auto joined = read_join(head_of(join));
  REQUIRE(joined.ok());
  CHECK(
      (joined->slot == 0xFFFFFFFFU && joined->role == slot_role::estimator && joined->name == "estimator-7"));

  const auto failure = to_frame(failure_frame{3, "out of memory"});
  CHECK(header_of(failure).kind == frame_kind::failure);
  const auto failed = read_failure(head_of(failure));
  REQUIRE(failed.ok());
  CHECK((failed->slot == 3 && failed->reason == "out of memory"));

  const auto board = read_board_frame(head_of(to_frame(board_frame{7, 3, ~std::uint64_t{0}})));
  REQUIRE(board.ok());
  CHECK((board->version == 7 && board->place == 3 && board->end == ~std::uint64_t{0}));

  const auto numbers = read_pair(pair_head(~std::uint64_t{0}, 1));
  REQUIRE(numbers.ok());
  CHECK((numbers->first == ~std::uint64_t{0} && numbers->second == 1));
}

TEST_CASE("wire messages: orders arrive as sent") {
  const auto order = an_order();
  const auto f = to_frame(5, order);
  CHECK(header_of(f).kind == frame_kind::train_order);
  CHECK(header_of(f).bulk_floats == 0); // the parameters go before, once for all orders
  const auto read = order_reader(head_of(f));
  REQUIRE(read.ok());
  CHECK((read->slot == 5 && read->lease == order.lease && read->version == 42 && !read->directed));
  CHECK(read->batches.at(0).ids == order.batches.at(0)->ids);
  CHECK(same_bits(read->batches.at(0).weights, order.batches.at(0)->weights));

  auto directed = *order.batches.at(0);
  directed.direction = blob::copy_of(std::vector<float>{1.0F});
  CHECK(order_reader(head_of(to_frame(0, {1, {}, {std::make_shared<const drawn_batch>(directed)}, {}})))
            ->directed);
  auto adding = *order.batches.at(0);
  adding.added_gradient = directed.direction;
  const auto added =
      order_reader(head_of(to_frame(0, {1, {}, {std::make_shared<const drawn_batch>(adding)}, {}})));
  CHECK((added->adds_gradient && !added->directed && !read->adds_gradient));

  const auto score = to_frame(6, score_order{{99, 0}, {8, blob()}, directed.direction});
  CHECK(header_of(score).kind == frame_kind::score_order);
  const auto scored = score_order_reader(head_of(score));
  REQUIRE(scored.ok());
  CHECK((scored->slot == 6 && scored->version == 8 && scored->directed));
  CHECK(scored->ids == std::vector<std::uint32_t>{99, 0});
}

TEST_CASE("wire messages: results arrive as sent, every bit of scores and losses") {
  auto r = a_result();
  r.gradient = blob::copy_of(awkward_floats);
  const auto f = to_frame(5, r, float_format::float32);
  CHECK(header_of(f).kind == frame_kind::train_result);
  CHECK(header_of(f).bulk_floats == awkward_floats.size());
  CHECK(f.bulk().size() == 4 * awkward_floats.size());
  CHECK(std::memcmp(f.bulk().data(), awkward_floats.data(), f.bulk().size()) == 0);
  const auto read = result_reader(head_of(f));
  REQUIRE(read.ok());
  CHECK(read->slot == 5);
  const auto& got = read->result;
  CHECK((got.lease == r.lease && got.base_version == 17 && got.loss_sum == 2.5 && got.correct == 3));
  CHECK((got.busy_seconds == 0.125 && got.finite && got.suspects == r.suspects));
  CHECK(same_bits(got.scores, awkward_floats));
  CHECK(same_bits(got.losses, awkward_floats));
  CHECK(header_of(to_frame(5, r, float_format::float16)).bulk_bytes() == 2 * awkward_floats.size());

  // In parts: each says where it belongs, and the result carries the rest.
  const auto part = to_frame(5, gradient_part{0, r.lease, r.gradient, 2, 6}, float_format::float32);
  CHECK(header_of(part).kind == frame_kind::gradient_part);
  CHECK(header_of(part).bulk_floats == 4);
  CHECK(std::memcmp(part.bulk().data(), awkward_floats.data() + 2, 16) == 0);
  const auto place = read_gradient_part(head_of(part));
  REQUIRE(place.ok());
  CHECK((place->slot == 5 && place->lease == r.lease && place->begin == 2));
  check_only_whole(head_of(part), read_gradient_part);
  const auto rest = to_frame(5, r, float_format::float32, 6);
  CHECK(header_of(rest).bulk_floats == awkward_floats.size() - 6);
  for (const auto& gradient : {part, rest, f}) {
    const auto about = read_slot_and_lease(head_of(gradient));
    REQUIRE(about.ok());
    CHECK((about->first == 5 && about->second == r.lease));
  }

  auto m = some_scores();
  m.gradient = {1.0F, 2.0F};
  const auto scores = to_frame(7, m, float_format::float32);
  CHECK(header_of(scores).kind == frame_kind::scores);
  CHECK(header_of(scores).bulk_floats == 2);
  const auto scored = read_scores(head_of(scores));
  REQUIRE(scored.ok());
  CHECK((scored->slot == 7 && scored->scores.version == 9 && scored->scores.busy_seconds == 0.5));
  CHECK(same_bits(scored->scores.scores, awkward_floats));
  CHECK(header_of(to_frame(7, some_scores(), float_format::float32)).bulk_floats == 0);
}

TEST_CASE("wire messages: reports and lanes arrive as sent, times on the other clock") {
  const auto report = read_report(head_of(to_report_frame(true, "worker-0", "it is hot")));
  REQUIRE(report.ok());
  CHECK((report->warning && report->source == "worker-0" && report->text == "it is hot"));
  const auto lane = read_lane(head_of(to_frame(a_lane(), 10.0)));
  REQUIRE(lane.ok());
  CHECK((lane->name == "worker-0" && lane->lost == 4));
  REQUIRE(lane->events.size() == 2);
  CHECK(std::string(lane->events[0].name) == "gradient");
  CHECK((lane->events[0].begin == 11.0 && lane->events[0].end == 12.0 && lane->events[0].version == 3));
  CHECK((lane->events[1].begin == 9.0 && lane->events[1].version == ~std::uint64_t{0}));
}

TEST_CASE("wire messages: cut off anywhere, or with something behind, is refused") {
  check_only_whole(head_of(to_frame(join_frame{1, slot_role::worker, "w"})), read_join);
  check_only_whole(head_of(to_frame(failure_frame{1, "why"})), read_failure);
  check_only_whole(pair_head(1, 2), read_pair);
  check_only_whole(head_of(to_frame(board_frame{7, 3, 9})), read_board_frame);
  check_only_whole(head_of(to_frame(1, an_order())), order_reader);
  check_only_whole(head_of(to_frame(1, a_result(), float_format::float32)), result_reader);
  check_only_whole(head_of(to_frame(1, score_order{{1, 2}, {}, {}})), score_order_reader);
  check_only_whole(head_of(to_frame(1, some_scores(), float_format::float32)), read_scores);
  check_only_whole(head_of(to_report_frame(false, "source", "text")), read_report);
  check_only_whole(head_of(to_frame(a_lane(), 0.0)), read_lane);
}

TEST_CASE("wire messages: an order of several steps has a batch and a rate for each, or makes no sense") {
  auto order = an_order();
  auto second = std::make_shared<drawn_batch>();
  second->ids = {3};
  second->weights = {0.5F};
  order.batches.push_back(second);
  order.learning_rates = {0.25, 0.0};
  const auto read = order_reader(head_of(to_frame(3, order)));
  REQUIRE(read.ok());
  REQUIRE(read->batches.size() == 2);
  CHECK(read->batches[0].ids == order.batches[0]->ids);
  CHECK(read->batches[1].ids == second->ids);
  CHECK(same_bits(read->batches[1].weights, second->weights));
  CHECK(read->learning_rates == order.learning_rates);
  for (const auto& rates :
       {std::vector<double>{}, {0.1}, {0.1, 0.1, 0.1}, {0.1, -0.1}, {std::nan(""), 0.1}}) {
    order.learning_rates = rates;
    CHECK_FALSE(order_reader(head_of(to_frame(3, order))).ok());
  }
  order.batches.resize(1);
  order.learning_rates = {0.1}; // one local step
  CHECK(order_reader(head_of(to_frame(3, order))).ok());
  // A count that the bytes cannot fill allocates nothing.
  auto head = head_of(to_frame(3, an_order()));
  std::fill(head.begin() + 21, head.begin() + 25, std::uint8_t{0xFF});
  CHECK_FALSE(order_reader(head).ok());
}

TEST_CASE("wire messages: points that do not exist, and none at all, are refused") {
  for (const auto& ids : {std::vector<std::uint32_t>{}, {points}, {1, 0xFFFFFFFFU}}) {
    auto batch = std::make_shared<drawn_batch>();
    batch->ids = ids;
    batch->weights.assign(ids.size(), 1.0F);
    CHECK_FALSE(order_reader(head_of(to_frame(0, train_order{1, {}, {batch}, {}}))).ok());
    CHECK_FALSE(score_order_reader(head_of(to_frame(0, score_order{ids, {}, {}}))).ok());
    auto r = a_result();
    r.suspects = ids;
    CHECK(result_reader(head_of(to_frame(0, r, float_format::float32))).ok() == ids.empty());
  }
  auto r = a_result();
  r.suspects = {1, 2, 3, 4, 5, 6}; // up to five are named
  CHECK_FALSE(result_reader(head_of(to_frame(0, r, float_format::float32))).ok());
}

TEST_CASE("wire messages: numbers that must be finite are") {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  for (const float weight :
       {std::nanf(""), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    auto batch = std::make_shared<drawn_batch>();
    batch->ids = {1, 2};
    batch->weights = {1.0F, weight};
    CHECK_FALSE(order_reader(head_of(to_frame(0, train_order{1, {}, {batch}, {}}))).ok());
  }
  auto fewer_weights = std::make_shared<drawn_batch>();
  fewer_weights->ids = {1, 2};
  fewer_weights->weights = {1.0F};
  CHECK_FALSE(order_reader(head_of(to_frame(0, train_order{1, {}, {fewer_weights}, {}}))).ok());
  for (const double bad : {nan, infinity, -infinity}) {
    auto r = a_result();
    r.loss_sum = bad; // a result that is dropped, not one that makes no sense
    const auto read = result_reader(head_of(to_frame(0, r, float_format::float32)));
    REQUIRE(read.ok());
    CHECK_FALSE(read->result.finite);
    auto lane = a_lane();
    lane.events[1].end = bad;
    CHECK_FALSE(read_lane(head_of(to_frame(lane, 0.0))).ok());
  }
  for (const double bad : {nan, infinity, -1.0, 1e308}) { // two of the last would be infinite
    auto r = a_result();
    r.busy_seconds = bad;
    CHECK_FALSE(result_reader(head_of(to_frame(0, r, float_format::float32))).ok());
    auto m = some_scores();
    m.busy_seconds = bad;
    CHECK_FALSE(read_scores(head_of(to_frame(0, m, float_format::float32))).ok());
  }
}

TEST_CASE("wire messages: what goes into logs holds nothing that a terminal obeys") {
  CHECK(harmless_text(read_join(head_of(to_frame(join_frame{0, slot_role::worker, evil_text})))->name));
  CHECK(harmless_text(read_failure(head_of(to_frame(failure_frame{0, evil_text})))->reason));
  const auto report = read_report(head_of(to_report_frame(true, evil_text, evil_text)));
  CHECK((harmless_text(report->source) && harmless_text(report->text)));
  CHECK(read_report(head_of(to_report_frame(true, "a", std::string(100'000, 'x'))))->text.size() == 4096);
  auto lane = a_lane();
  lane.name = evil_text;
  lane.events[0].name = evil_text.c_str();
  const auto read = read_lane(head_of(to_frame(lane, 0.0)));
  CHECK(harmless_text(read->name));
  CHECK(std::string(read->events[0].name) == "other");
}

TEST_CASE("wire messages: a role that does not exist is refused") {
  auto head = head_of(to_frame(join_frame{0, slot_role::worker, "w"}));
  for (const std::uint8_t role : bytes{0, 3, 255}) {
    head[sizeof(slot_number)] = role;
    CHECK_FALSE(read_join(head).ok());
  }
}

TEST_CASE("wire messages: lengths that the bytes cannot fill allocate nothing") {
  // slot, count of scores: 4 Gi
  const auto head = wire_writer().number<slot_number>(1).number(0xFFFFFFFFU).number(0.0).take();
  CHECK_FALSE(read_scores(head).ok());
  // A lane of 4 Gi events, none of which is there.
  const auto lane = wire_writer().text("l").number<std::uint64_t>(0).number(0xFFFFFFFFU).take();
  CHECK_FALSE(read_lane(lane).ok());
}

TEST_CASE("wire messages: random bytes crash nothing and break no promise") {
  check_random(1, head_of(to_frame(join_frame{1, slot_role::worker, "worker"})), read_join,
               [](const auto& m) { return harmless_text(m.name); });
  check_random(2, head_of(to_frame(failure_frame{1, "why"})), read_failure,
               [](const auto& m) { return harmless_text(m.reason); });
  check_random(3, pair_head(1, 2), read_pair, [](const auto&) { return true; });
  check_random(4, head_of(to_frame(1, an_order())), order_reader, [](const auto& m) {
    return !m.batches.empty() && std::all_of(m.batches.begin(), m.batches.end(), [](const auto& b) {
      return !b.ids.empty() && are_points(b.ids) && b.weights.size() == b.ids.size() &&
             std::all_of(b.weights.begin(), b.weights.end(), [](float w) { return std::isfinite(w); });
    });
  });
  check_random(5, head_of(to_frame(1, a_result(), float_format::float32)), result_reader, [](const auto& m) {
    return are_points(m.result.suspects) && m.result.suspects.size() <= 5 && m.result.busy_seconds >= 0.0 &&
           (std::isfinite(m.result.loss_sum) || !m.result.finite);
  });
  check_random(6, head_of(to_frame(1, score_order{{1, 2}, {}, {}})), score_order_reader,
               [](const auto& m) { return !m.ids.empty() && are_points(m.ids); });
  check_random(7, head_of(to_frame(1, some_scores(), float_format::float32)), read_scores,
               [](const auto& m) { return m.scores.busy_seconds >= 0.0; });
  check_random(8, head_of(to_report_frame(false, "source", "text")), read_report,
               [](const auto& m) { return harmless_text(m.source) && harmless_text(m.text); });
  check_random(9, head_of(to_frame(a_lane(), 0.0)), read_lane, [](const auto& m) {
    return harmless_text(m.name) && std::all_of(m.events.begin(), m.events.end(), [](const auto& e) {
             return std::isfinite(e.begin) && std::isfinite(e.end);
           });
  });
}
