#include "actors/net/incoming_parameters.hpp"
#include "core/protocol_sizes.hpp"
#include "remote_stage.hpp"
#include "session_stage.hpp"
#include "travelling_parameters.hpp"

// Parameters that travel in parts, from the front of the block to its end.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t block_floats = 200000;

frame part_frame(std::uint64_t version, std::size_t begin, std::size_t size, float value) {
  return frame(frame_kind::parameters, pair_head(version, begin),
               blob::copy_of(std::vector<float>(size, value)), float_format::float32);
}

} // namespace

TEST_CASE(
    "outgoing parameters: parts are framed as they become final, once, and the block is let go in the end") {
  for (const auto format : {float_format::float32, float_format::bfloat16}) {
    blob_pool pool(block_floats);
    mutable_blob block = pool.acquire();
    const auto arrival = std::make_shared<parameter_arrival>(block_floats);
    outgoing_parameters out({7, block.early_look(), arrival}, format, {});
    CHECK(out.parts(0) == 0);
    CHECK(!out.complete());
    const auto announced = out.announcement(0);
    CHECK(announced.bulk().empty());
    CHECK(*read_pair(announced.front().subspan(frame_header::size)) ==
          std::pair<std::uint64_t, std::uint64_t>{7, 0});
    std::vector<std::pair<std::uint64_t, std::size_t>> sent;
    for (const std::size_t ready :
         {std::size_t{70000}, std::size_t{70000}, std::size_t{150000}, block_floats}) {
      std::fill(block.values().begin() + static_cast<std::ptrdiff_t>(arrival->ready()),
                block.values().begin() + static_cast<std::ptrdiff_t>(ready), static_cast<float>(ready));
      arrival->advance(ready);
      const auto parts = parts_of(out);
      for (std::size_t i = sent.size(); i < parts.size(); ++i) {
        const auto at = read_pair(parts[i].front().subspan(frame_header::size));
        REQUIRE(at.ok());
        CHECK(at->first == 7);
        sent.emplace_back(at->second, parts[i].bulk().size() / bytes_of(format));
      }
      std::size_t covered = 0;
      for (const auto& [begin, size] : sent) {
        CHECK(begin == covered);
        covered += size;
      }
      CHECK(covered == ready);
    }
    CHECK(out.complete());
    CHECK(out.is_copy() == (format != float_format::float32));
    blob last = std::move(block).freeze();
    // Frames that are copies do not keep the next merge from changing the block in place.
    CHECK((pool.reclaim(last).size() > 0) == out.is_copy());
  }
}

TEST_CASE("outgoing parameters: parts end where layers do, unless that makes them small or too large") {
  const auto sizes = [](std::size_t floats, const std::vector<std::size_t>& layer_begins) {
    outgoing_parameters out({1, mutable_blob(floats).freeze()}, float_format::float32, layer_begins);
    std::vector<std::size_t> out_sizes;
    for (const auto& part : parts_of(out))
      out_sizes.push_back(part.bulk().size() / sizeof(float));
    CHECK(out.complete());
    return out_sizes;
  };
  using list = std::vector<std::size_t>;
  constexpr std::size_t usual = parameter_part_floats;
  CHECK(sizes(2 * usual + 5, {}) == list{usual, usual + 5});
  CHECK(sizes(2 * usual + usual / 2, {}) == list{usual, usual, usual / 2});
  // Several small layers go together, and one that is a little too large goes whole.
  CHECK(sizes(usual + 20000, {0, 20000, 40000, 60000, 80000}) == list{60000, 25536});
  CHECK(sizes(4 * (usual + 1000), {0, usual + 1000, 2 * (usual + 1000), 3 * (usual + 1000)}) ==
        list(4, usual + 1000));
  // A large one behind a tiny one does not make a tiny part.
  CHECK(sizes(3 * usual, {0, 16, 16}) == list{usual, usual, usual});
  CHECK(sizes(10, {0, 4, 10, 10}) == list{10});
}

TEST_CASE(
    "incoming parameters: parts in order fill the block; a version that is announced may be waited for") {
  incoming_parameters in(100);
  CHECK(in.latest().parameters.empty());
  CHECK(take(in, 3, 0, 0) == "taken");
  const snapshot early = in.latest();
  CHECK(early.version == 3);
  CHECK(early.arriving->ready() == 0);
  CHECK(take(in, 3, 0, 60, 1.5F) == "taken");
  CHECK(early.arriving->ready() == 60);
  CHECK(early.parameters.view()[59] == 1.5F);
  CHECK(take(in, 3, 60, 40, 2.5F) == "taken");
  CHECK(early.arriving->complete());
  CHECK(!in.latest().arriving);
  CHECK(in.latest().parameters.view()[99] == 2.5F);
  CHECK(take(in, 4, 0, 100, 4.0F) == "taken"); // in one piece, unannounced
  CHECK(in.latest().version == 4);
  CHECK(early.parameters.view()[99] == 2.5F);
  CHECK(take(in, 2, 0, 100) == "taken"); // an older one, for an order that started from it
}

TEST_CASE("incoming parameters: a part out of order, twice, too large or of another version is refused, and "
          "named") {
  struct act {
    std::uint64_t version;
    std::size_t begin;
    std::size_t size;
  };
  for (const auto& bad : {act{3, 0, 60}, act{3, 0, 0}, act{3, 59, 10}, act{3, 61, 10}, act{3, 60, 41},
                          act{4, 60, 40}, act{4, 0, 100}, act{4, 0, 0}, act{3, 60, 0x100000000}}) {
    CAPTURE(bad.version);
    CAPTURE(bad.begin);
    CAPTURE(bad.size);
    incoming_parameters in(100);
    REQUIRE(take(in, 3, 0, 60, 1.0F) == "taken");
    CHECK(take(in, bad.version, bad.begin, bad.size) ==
          "it sent a part of the parameters, " + std::to_string(bad.size) + " floats from " +
              std::to_string(bad.begin) + " on at version " + std::to_string(bad.version) +
              ", that does not follow the one before");
    CHECK(in.latest().arriving->ready() == 60);
  }
  incoming_parameters fresh(100);
  CHECK(take(fresh, 1, 10, 10).starts_with("it sent a part of the parameters, 10 floats from 10 on"));
  CHECK(take(fresh, 1, 0, 101).starts_with("it sent a part of the parameters, 101 floats from 0 on"));
  CHECK(fresh.latest().parameters.empty());
}

TEST_CASE("session: an order comes with the first part, and its worker sees the rest arrive") {
  session_stage s;
  s.open_with_worker();
  const std::size_t all = s.setup->net->parameters().size();
  s.tensor->send(frame(frame_kind::parameters, pair_head(6, 0)));
  s.send_order(0, 50, 6);
  const auto order = s.world.order.wait();
  REQUIRE(order.base.arriving);
  CHECK(order.base.version == 6);
  CHECK(order.base.arriving->ready() == 0);
  s.tensor->send(part_frame(6, 0, 32, 0.25F));
  order.base.arriving->await(32);
  CHECK(order.base.parameters.view()[31] == 0.25F);
  s.tensor->send(part_frame(6, 32, all - 32, 0.5F));
  order.base.arriving->await_all();
  CHECK(order.base.parameters.view()[all - 1] == 0.5F);
  s.send_order(0, 51, 6);
  CHECK(s.world.told.wait_for("order 51") == "order 51 at 6 with 0.250000");
}

TEST_CASE("session: a link that is lost between parts ends the waiting for the rest, with the reason") {
  for (const bool by_control : {true, false}) {
    session_stage s;
    s.open();
    s.welcome_it();
    s.add_worker(0);
    s.tensor->send(part_frame(6, 0, 32, 0.25F));
    s.send_order(0, 50, 6);
    const auto order = s.world.order.wait();
    REQUIRE(order.base.arriving);
    (by_control ? s.control : s.tensor)->close("gone");
    try { // the reason depends on whether something was just being sent
      order.base.arriving->await_all();
      FAIL("it did not wait");
    } catch (const std::exception& e) {
      const std::string said = e.what();
      CHECK_MESSAGE(said.starts_with("the parameters of its order did not arrive: "), said);
      CHECK_MESSAGE(said.find("connection") != std::string::npos, said);
    }
    CHECK(s.ended.wait().what == session_end::kind::lost);
  }
}

TEST_CASE(
    "session: parts that do not follow each other end it, and so does an order of a version not announced") {
  for (const int act : {0, 1, 2, 3}) {
    CAPTURE(act);
    session_stage s;
    s.open();
    s.welcome_it();
    s.add_worker(0);
    s.tensor->send(part_frame(6, 0, 32, 0.25F));
    if (act == 0)
      s.tensor->send(part_frame(6, 0, 32, 0.25F));
    if (act == 1)
      s.tensor->send(part_frame(6, 48, 16, 0.25F));
    if (act == 2)
      s.tensor->send(part_frame(6, 32, s.setup->net->parameters().size() - 31, 0.25F));
    if (act == 3)
      s.send_order(0, 50, 7);
    const auto end = s.ended.wait();
    CHECK(end.what == session_end::kind::lost);
    CHECK(end.reason.starts_with(act == 3 ? "it sent an order without its parameters"
                                          : "it sent a part of the parameters"));
  }
}

TEST_CASE("remote node: an early order is announced, and its parameters follow as they become final, to all "
          "who were ordered") {
  remote_stage s;
  const auto first = s.join_worker(0);
  const auto second = s.join_worker(1);
  const std::size_t all = s.setup->net->parameters().size();
  const auto arrival = std::make_shared<parameter_arrival>(all);
  mutable_blob block(all);
  const auto send = [&](const caf::actor& worker, std::uint64_t lease) {
    drawn_batch b;
    b.ids = {1, 2};
    b.weights = {1.0F, 1.0F};
    caf::anon_send(caf::actor_cast<worker_actor>(worker),
                   train_order{lease,
                               {9, block.early_look(), arrival},
                               {std::make_shared<const drawn_batch>(std::move(b))},
                               {}});
  };
  const auto advance = [&](std::size_t from, std::size_t to, float value) {
    std::fill(block.values().begin() + static_cast<std::ptrdiff_t>(from),
              block.values().begin() + static_cast<std::ptrdiff_t>(to), value);
    arrival->advance(to);
    s.net.on_thread([&] {
      s.node->send_arrived_parameters();
      return 0;
    });
  };
  send(first, 10);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 1));
  advance(0, 30, 1.0F);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::parameters, 2));
  send(second, 11);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 2));
  advance(30, all, 2.0F);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::parameters, 3));
  std::vector<float> got;
  std::vector<frame_kind> kinds;
  for (const auto& f : s.heard_tensor->frames()) {
    kinds.push_back(f.kind);
    if (f.kind != frame_kind::parameters)
      continue;
    CHECK(*read_pair(f.head) == std::pair<std::uint64_t, std::uint64_t>{9, got.size()});
    got.insert(got.end(), f.floats.begin(), f.floats.end());
  }
  CHECK(kinds == std::vector<frame_kind>{frame_kind::parameters, frame_kind::train_order,
                                         frame_kind::parameters, frame_kind::train_order,
                                         frame_kind::parameters});
  CHECK(got == std::vector<float>(block.view().begin(), block.view().end()));
}

TEST_CASE("remote node: parts of parameters leave in turns, and all of them before others are announced") {
  // Large enough for many parts.
  remote_stage s(
      2,
      {R"(model=[{"type":"dense","units":4000},{"type":"dense","units":200},{"type":"dense","units":4}])"});
  const std::size_t all = s.setup->net->parameters().size();
  REQUIRE(all > 4 * parameter_part_floats);
  (void)s.join_worker(0);
  // Both before the first part has had its turn.
  s.net.on_thread([&] {
    for (const std::uint64_t version : {9U, 10U}) {
      drawn_batch b;
      b.ids = {1, 2};
      b.weights = {1.0F, 1.0F};
      mutable_blob block(all);
      std::fill(block.values().begin(), block.values().end(), static_cast<float>(version));
      s.node->send_train_order(0, {version,
                                   {version, std::move(block).freeze()},
                                   {std::make_shared<const drawn_batch>(std::move(b))},
                                   {}});
    }
    return 0;
  });
  std::size_t parts = 0;
  for (const std::uint64_t version : {9U, 10U}) {
    std::size_t got = 0;
    while (got < all) {
      const auto f = s.heard_tensor->wait_for(frame_kind::parameters, ++parts);
      REQUIRE(f);
      CHECK(*read_pair(f->head) == std::pair<std::uint64_t, std::uint64_t>{version, got}); // announced at 0
      CHECK(f->floats == std::vector<float>(f->announced_floats, static_cast<float>(version)));
      got += f->announced_floats;
    }
  }
  // The order does not wait for what its worker needs last.
  const auto frames = s.heard_tensor->frames();
  const auto order = std::find_if(frames.begin(), frames.end(),
                                  [](const auto& f) { return f.kind == frame_kind::train_order; });
  CHECK(order - frames.begin() == 1);
}
