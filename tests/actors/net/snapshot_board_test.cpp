#include "actors/net/incoming_parameters.hpp"
#include "actors/net/outgoing_parameters.hpp"
#include "actors/net/snapshot_board.hpp"
#include "actors/net/wire_messages.hpp"
#include "actors/parameter_arrival.hpp"
#include "remote_stage.hpp"
#include "travelling_parameters.hpp"

#include <fcntl.h>
#include <numeric>
#include <sys/mman.h>
#include <unistd.h>

// Parameters that nodes of the coordinator's machine read where it has written them.

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t floats = 5000; // not a whole number of pages

/// The coordinator's board, and how a node sees it.
struct both_sides {
  std::shared_ptr<snapshot_board> board;
  std::shared_ptr<const shared_memory> seen;

  explicit both_sides(std::size_t size = floats) {
    auto made = snapshot_board::create(size);
    REQUIRE(made.ok());
    board = made.take();
    auto taken = shared_memory::adopt(dup(board->memory()->descriptor()), shared_memory::others::read);
    REQUIRE(taken.ok());
    seen = std::make_shared<const shared_memory>(taken.take());
  }
};

void write(const snapshot_board::place& at, float value) {
  std::fill(at.values.begin(), at.values.end(), value);
}

/// What a node says of a frame that it was sent.
std::string take_board(incoming_parameters& in, std::uint64_t version, std::uint64_t place,
                       std::uint64_t end) {
  const auto f = to_frame(board_frame{version, place, end});
  const auto taken = in.on_board(f.front().subspan(frame_header::size));
  return taken.ok() ? "taken" : taken.error().message;
}

} // namespace

TEST_CASE("snapshot board: what is written at a place is read there, by both, and each place is its own") {
  const both_sides s;
  const auto first = s.board->acquire();
  const auto second = s.board->acquire();
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->number != second->number);
  write(*first, 1.0F);
  write(*second, 2.0F);
  const auto a = read_board(s.seen, first->number, floats);
  const auto b = read_board(s.seen, second->number, floats);
  REQUIRE(a.ok());
  REQUIRE(b.ok());
  CHECK(std::vector<float>(a->view().begin(), a->view().end()) == std::vector<float>(floats, 1.0F));
  CHECK(std::vector<float>(b->view().begin(), b->view().end()) == std::vector<float>(floats, 2.0F));
  CHECK(reinterpret_cast<std::uintptr_t>(b->data()) % 64 == 0);
}

TEST_CASE("snapshot board: a place is given again when nobody holds it, and the lowest first") {
  const both_sides s;
  auto first = s.board->acquire();
  auto also_first = first;
  const auto second = s.board->acquire();
  CHECK(second->number == 1);
  first = nullptr;
  CHECK(s.board->acquire()->number == 2);
  also_first = nullptr;
  CHECK(s.board->acquire()->number == 0);
}

TEST_CASE("snapshot board: when all places are held there is none, until one is let go") {
  const both_sides s(16);
  std::vector<std::shared_ptr<const snapshot_board::place>> held;
  while (auto p = s.board->acquire()) {
    REQUIRE(held.size() < 1000);
    CHECK(p->number == held.size());
    held.push_back(std::move(p));
  }
  CHECK(held.size() >= 32); // as many versions as nodes of one machine may hold
  const auto number = held[7]->number;
  held[7] = nullptr;
  CHECK(s.board->acquire()->number == number);
}

TEST_CASE("snapshot board: a node cannot write what it reads, nor resize it, nor drop pages of it") {
  const both_sides s;
  const int descriptor = dup(s.board->memory()->descriptor());
  const auto size = s.board->memory()->bytes().size();
  CHECK(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0) == MAP_FAILED);
  CHECK(ftruncate(descriptor, 0) != 0);
  CHECK(pwrite(descriptor, "x", 1, 0) != 1);
  CHECK(fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) != 0);
  void* const read = mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
  REQUIRE(read != MAP_FAILED);
  CHECK(mprotect(read, size, PROT_READ | PROT_WRITE) != 0);
  munmap(read, size);
  close(descriptor);
}

TEST_CASE("snapshot board: a place beyond it, or a board that is too small or missing, is refused") {
  const both_sides s;
  CHECK_FALSE(read_board(s.seen, 1U << 20U, floats).ok());
  CHECK_FALSE(read_board(s.seen, ~std::uint64_t{0}, floats).ok());
  CHECK_FALSE(read_board(s.seen, 5, 100 * floats).ok());
  CHECK_FALSE(read_board(nullptr, 0, floats).ok());
  const auto last = read_board(s.seen, 63, floats);
  CHECK(last.ok());
}

TEST_CASE("snapshot board: what a node reads outlasts its link") {
  blob kept;
  {
    const both_sides s;
    const auto place = s.board->acquire();
    write(*place, 3.0F);
    auto read = read_board(s.seen, place->number, floats);
    REQUIRE(read.ok());
    kept = read.take();
  }
  const blob copy = kept;
  kept = {};
  CHECK(std::accumulate(copy.view().begin(), copy.view().end(), 0.0) == 3.0 * floats);
}

TEST_CASE("blobs over memory of others are never changed in place, and keep it until the last copy is gone") {
  const auto memory = std::make_shared<std::vector<float>>(8, 1.5F);
  const std::weak_ptr<std::vector<float>> watched = memory;
  blob first = blob::view_of(*memory, memory);
  blob second = first;
  CHECK(second.data() == memory->data());
  CHECK(second.size() == 8);
  CHECK(watched.use_count() == 2);
  blob_pool pool(8);
  CHECK(pool.reclaim(first).size() == 0); // two references, as of a block of the pool
  CHECK(first.size() == 8);
  first = {};
  CHECK(watched.use_count() == 2);
  second = {};
  CHECK(watched.use_count() == 1);
}

TEST_CASE("outgoing parameters on a board: parts are laid out as they become final, and no floats travel") {
  const both_sides s(200000);
  const std::size_t all = 200000;
  blob_pool pool(all);
  mutable_blob block = pool.acquire();
  const auto arrival = std::make_shared<parameter_arrival>(all);
  outgoing_parameters out({7, block.early_look(), arrival}, s.board->acquire(), {});
  const auto announced = read_board_frame(out.announcement(0).front().subspan(frame_header::size));
  REQUIRE(announced.ok());
  CHECK(announced->version == 7);
  CHECK(announced->end == 0);
  CHECK(out.parts(0) == 0);
  const auto seen = read_board(s.seen, announced->place, all);
  REQUIRE(seen.ok());
  for (const std::size_t ready : {std::size_t{70000}, std::size_t{150000}, all}) {
    const auto before = arrival->ready();
    std::fill(block.values().begin() + static_cast<std::ptrdiff_t>(before),
              block.values().begin() + static_cast<std::ptrdiff_t>(ready), static_cast<float>(ready));
    arrival->advance(ready);
    const auto last = read_board_frame(parts_of(out).back().front().subspan(frame_header::size));
    REQUIRE(last.ok());
    CHECK(last->end == ready);
    CHECK(last->place == announced->place);
    CHECK(parts_of(out).back().bulk().empty());
    CHECK(seen->view()[ready - 1] == static_cast<float>(ready));
    CHECK(seen->view()[before] == static_cast<float>(ready));
  }
  CHECK(out.complete());
  CHECK(out.is_copy());
  blob last = std::move(block).freeze();
  CHECK(pool.reclaim(last).size() == all); // the next merge may change it in place
}

TEST_CASE("incoming parameters on a board: an announcement, then more and more of it") {
  const both_sides s;
  incoming_parameters in(floats, nullptr, s.seen);
  const auto place = s.board->acquire();
  CHECK(take_board(in, 3, place->number, 0) == "taken");
  const snapshot early = in.latest();
  REQUIRE(early.arriving);
  CHECK(early.arriving->ready() == 0);
  write(*place, 0.5F);
  CHECK(take_board(in, 3, place->number, 1000) == "taken");
  CHECK(early.arriving->ready() == 1000);
  CHECK(early.parameters.view()[999] == 0.5F);
  CHECK(take_board(in, 3, place->number, floats) == "taken");
  CHECK(early.arriving->complete());
  CHECK_FALSE(in.latest().arriving);
  CHECK(in.latest().parameters.view()[floats - 1] == 0.5F);
  // The next one at another place, or by the link again, and back.
  const auto next = s.board->acquire();
  CHECK(take_board(in, 4, next->number, 0) == "taken");
  CHECK(take_board(in, 4, next->number, floats) == "taken");
  const auto head = pair_head(5, 0);
  REQUIRE(in.place(head, floats).ok());
  REQUIRE(in.arrived(head, floats).ok());
  CHECK(in.latest().version == 5);
  CHECK(take_board(in, 6, place->number, 0) == "taken");
}

TEST_CASE("incoming parameters on a board: what does not follow is refused, and what was there stays") {
  struct act {
    std::uint64_t version;
    std::uint64_t place;
    std::uint64_t end;
  };
  for (const auto& bad : {act{4, 0, 2000}, act{3, 1, 2000}, act{3, 0, 1000}, act{3, 0, 0}, act{4, 1, 0},
                          act{3, 0, floats + 1}, act{3, 0, ~std::uint64_t{0}}, act{3, 1000, 2000}}) {
    CAPTURE(bad.version);
    CAPTURE(bad.place);
    CAPTURE(bad.end);
    const both_sides s;
    incoming_parameters in(floats, nullptr, s.seen);
    REQUIRE(take_board(in, 3, 0, 0) == "taken");
    REQUIRE(take_board(in, 3, 0, 1000) == "taken");
    CHECK(take_board(in, bad.version, bad.place, bad.end) != "taken");
    CHECK(in.latest().arriving->ready() == 1000);
  }
  const both_sides s;
  incoming_parameters fresh(floats, nullptr, s.seen);
  CHECK(take_board(fresh, 3, 0, 10) != "taken"); // never announced
  // Parts that travel do not go on with what lies on a board, and the other way round.
  REQUIRE(take_board(fresh, 3, 0, 0) == "taken");
  CHECK_FALSE(fresh.place(pair_head(3, 0), 10).ok());
  incoming_parameters travelling(floats, nullptr, s.seen);
  REQUIRE(travelling.arrived(pair_head(3, 0), 0).ok());
  CHECK(take_board(travelling, 3, 0, 10) != "taken");
  incoming_parameters without(floats);
  CHECK(take_board(without, 3, 0, 0) == "it refers to place 0 of a board that has none");
}

TEST_CASE("remote node with a board: orders refer to a place of it, which is held until they are answered") {
  remote_stage s(2, {}, true, true);
  const std::size_t all = s.setup->net->parameters().size();
  const auto worker = s.join_worker(0);
  const auto seen_at = [&](std::size_t notices) {
    const auto f = s.heard_tensor->wait_for(frame_kind::board, notices);
    REQUIRE(f);
    const auto m = read_board_frame(f->head);
    REQUIRE(m.ok());
    return *m;
  };
  const auto held = [&](std::uint64_t number) { // by anybody but the board
    return s.net.on_thread([&] {
      for (std::vector<std::shared_ptr<const snapshot_board::place>> taken;;) {
        const auto p = s.board->acquire();
        if (!p || p->number > number)
          return true;
        if (p->number == number)
          return false;
        taken.push_back(p);
      }
    });
  };
  s.order(worker, 10, 1);
  const auto announced = seen_at(1);
  const auto first = seen_at(2);
  CHECK(announced.version == 1);
  CHECK(announced.end == 0);
  CHECK(first.end == all);
  CHECK(read_board(s.tensor->board(), first.place, all)->view()[all - 1] == 1.0F);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 1));
  s.order(worker, 11, 2);
  const auto second = seen_at(4);
  CHECK(second.version == 2);
  CHECK(second.place != first.place);
  CHECK(read_board(s.tensor->board(), first.place, all)->view()[0] == 1.0F);
  CHECK(read_board(s.tensor->board(), second.place, all)->view()[0] == 2.0F);
  CHECK(held(first.place)); // its order is out
  s.send(s.answer(10));
  REQUIRE(s.world.told.wait_for("result 10") == "result 10");
  CHECK_FALSE(held(first.place));
  s.send(s.answer(11));
  REQUIRE(s.world.told.wait_for("result 11") == "result 11");
  CHECK(held(second.place)); // further orders may start from there without another notice
  s.order(worker, 12, 2);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 3));
  s.order(worker, 13, 3);
  const auto third = seen_at(6);
  CHECK(third.version == 3);
  CHECK(third.place == first.place);
  CHECK(read_board(s.tensor->board(), second.place, all)->view()[0] == 2.0F);
  for (const auto& f : s.heard_tensor->frames())
    CHECK(f.kind != frame_kind::parameters); // nothing travelled
}

TEST_CASE("remote node with a board: where no place is free, parameters travel") {
  remote_stage s(2, {}, true, true);
  const auto worker = s.join_worker(0);
  std::vector<std::shared_ptr<const snapshot_board::place>> taken;
  s.net.on_thread([&] {
    while (auto p = s.board->acquire())
      taken.push_back(std::move(p));
    return 0;
  });
  s.order(worker, 10, 1);
  const auto f = s.heard_tensor->wait_for(frame_kind::parameters, 2);
  REQUIRE(f);
  CHECK(f->floats == std::vector<float>(s.setup->net->parameters().size(), 1.0F));
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 1));
  s.net.on_thread([&] {
    taken.clear();
    return 0;
  });
  s.order(worker, 11, 2);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::board, 2));
}
