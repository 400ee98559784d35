#include "actors/local_trainer.hpp"
#include "actors/net/incoming_parameters.hpp"
#include "actors/net/wire_messages.hpp"
#include "controller_scene.hpp"
#include "core/error_feedback.hpp"
#include "core/overrides.hpp"

#include <algorithm>
#include <limits>

using namespace triage;
using namespace triage::test;

// Compressed messages in both directions: what coordinator and workers hold, and that nothing is lost.

namespace {

const std::vector<std::string> schemes = {R"("int8")", R"("sign")", R"({"type":"top_k","ratio":0.05})",
                                          R"({"type":"random_k","ratio":0.1})"};

std::string compressing(const std::string& up, const std::string& down, int steps = 4) {
  return R"(runtime.exchange={"policy":"local_sgd","local_steps":)" + std::to_string(steps) +
         R"(,"compression":{"up":)" + up + R"(,"down":)" + down + "}}";
}

train_outcome trained(const std::string& how, const std::vector<std::string>& more = {}) {
  std::vector<std::string> options = {how, "sampling=uniform", "runtime.workers=2"};
  options.insert(options.end(), more.begin(), more.end());
  return run(small_run(options));
}

std::unique_ptr<compressor> compressor_of(const std::string& json) {
  return make_compressor(*parse_json(json, "test"), {"test", ""}).take();
}

/// Orders hold what is published; the test plays workers that move at random.
struct compressed_scene : scene {
  compressed_scene(const std::string& up, const std::string& down)
      : scene({compressing(up, down, 1), "duration.epochs=1000", "evaluation.every_epochs=0",
               "checkpoint.every_epochs=0", "optimizer.momentum=0"}) {
    serve();
    for (std::uint64_t m = 0; m < 2; ++m) {
      controller.member_joined("m");
      if (const auto* c = setup->exchange->compression_up())
        feedback.emplace_back(*c, setup->net->parameters().size());
    }
    serve();
  }
  /// What the member would have moved; its answer is what compression leaves of it.
  std::vector<float> round(std::uint64_t member, double size) {
    const auto order = world.take(member);
    std::vector<float> moved(setup->net->parameters().size());
    for (float& x : moved)
      x = static_cast<float>(size * random.normal());
    mutable_blob sent(moved.size());
    std::copy(moved.begin(), moved.end(), sent.values().begin());
    byte_block bytes;
    if (!feedback.empty())
      feedback[member].encode(sent.values(), bytes);
    train_result r;
    r.member = member;
    r.lease = order.lease;
    r.gradient = std::move(sent).freeze();
    time.advance(0.01);
    controller.results_arrived({&r, 1});
    serve();
    return moved;
  }
  rng random{12, 0};
  std::deque<error_feedback> feedback;
};

} // namespace

TEST_CASE("compression: where all is sent, it changes nothing: the same bits up, rounding down") {
  const std::string all = R"({"type":"top_k","ratio":1})";
  const auto plain = trained(compressing(R"("none")", R"("none")"));
  CHECK(largest_difference(plain.parameters, trained(compressing(all, R"("none")")).parameters) == 0.0);
  CHECK(largest_difference(plain.parameters, trained(compressing(all, all)).parameters) < 1e-5);
}

TEST_CASE("compression: every scheme, both ways at once, learns") {
  for (const auto& scheme : schemes) {
    CAPTURE(scheme);
    const auto outcome = trained(compressing(scheme, scheme), {"duration.epochs=40"});
    CHECK(outcome.summary.status == run_status::finished);
    CHECK(*outcome.summary.figures->test_accuracy > 0.85);
  }
}

TEST_CASE("compression: the parameters without what is held back are those of uncompressed local SGD") {
  for (const auto& scheme : schemes) {
    CAPTURE(scheme);
    compressed_scene s(scheme, scheme);
    const std::size_t n = s.setup->net->parameters().size();
    const auto first = s.controller.current().parameters;
    std::vector<double> virtual_iterate(first.view().begin(), first.view().end());
    for (int round = 0; round < 1000; ++round)
      for (std::uint64_t m = 0; m < 2; ++m) {
        const auto moved = s.round(m, 1e-3);
        for (std::size_t i = 0; i < n; ++i)
          virtual_iterate[i] -= static_cast<double>(moved[i]) / 2.0;
      }
    REQUIRE(s.controller.current().version == 1000);
    // The coordinator's own parameters are what is published without its residual.
    const auto own = s.controller.current().parameters;
    double apart = 0.0;
    double size = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      const double held_back = (static_cast<double>(s.feedback[0].residual()[i]) +
                                static_cast<double>(s.feedback[1].residual()[i])) /
                               2.0;
      const double difference = static_cast<double>(own.data()[i]) - held_back - virtual_iterate[i];
      apart += difference * difference;
      size += virtual_iterate[i] * virtual_iterate[i];
    }
    MESSAGE("after 1000 rounds apart by " << std::sqrt(apart / size) << " of their size");
    CHECK(apart < 1e-12 * size);
  }
}

TEST_CASE("compression: what is published follows DoubleSqueeze, whose server keeps a residual of its own") {
  // Written from the paper, with the mean for the sum, and in double: c = mean q + e, Q = C(c), e = c - Q,
  // x = x - Q. Ours differs by rounding, which may turn the sign of what is nearly nothing.
  for (const auto& scheme : schemes) {
    CAPTURE(scheme);
    compressed_scene s(scheme, scheme);
    const auto c = compressor_of(scheme);
    const std::size_t n = s.setup->net->parameters().size();
    const auto first = s.controller.shared().parameters;
    std::vector<double> x(first.view().begin(), first.view().end());
    std::vector<double> server_residual(n, 0.0);
    std::vector<std::vector<double>> worker_residual(2, std::vector<double>(n, 0.0));
    const auto squeeze = [&](std::vector<double>& wanted, std::uint64_t round) {
      std::vector<float> rounded(wanted.begin(), wanted.end());
      byte_block bytes;
      c->encode(rounded, round, bytes);
      REQUIRE(c->decode(bytes, rounded).ok());
      std::vector<double> sent(rounded.begin(), rounded.end());
      for (std::size_t i = 0; i < n; ++i)
        wanted[i] -= sent[i];
      return sent;
    };
    for (std::uint64_t round = 0; round < 100; ++round) {
      for (std::uint64_t m = 0; m < 2; ++m) {
        const auto moved = s.round(m, 0.01);
        for (std::size_t i = 0; i < n; ++i)
          worker_residual[m][i] += static_cast<double>(moved[i]);
        const auto sent = squeeze(worker_residual[m], round);
        for (std::size_t i = 0; i < n; ++i)
          server_residual[i] += sent[i] / 2.0;
      }
      const auto published = squeeze(server_residual, round);
      for (std::size_t i = 0; i < n; ++i)
        x[i] -= published[i];
    }
    double apart = 0.0;
    double way = 0.0;
    const auto ours = s.controller.shared().parameters;
    for (std::size_t i = 0; i < n; ++i) {
      apart += std::pow(static_cast<double>(ours.data()[i]) - x[i], 2.0);
      way += std::pow(static_cast<double>(first.data()[i]) - x[i], 2.0);
    }
    MESSAGE("apart by " << std::sqrt(apart / way) << " of the way");
    CHECK(apart < 1e-4 * way);
  }
}

TEST_CASE("compression: changes lead everybody to the same bits, and to nobody's else") {
  for (const auto& scheme : schemes) {
    CAPTURE(scheme);
    const auto c = compressor_of(scheme);
    compressed_scene s(R"("none")", scheme);
    snapshot held = s.controller.shared();
    CHECK_FALSE(held.change);
    for (int round = 0; round < 20; ++round) {
      s.round(0, 0.01);
      s.round(1, 0.01);
      const auto next = s.controller.shared();
      REQUIRE(next.change);
      CHECK(next.change->from == held.version);
      std::vector<float> out(held.parameters.size());
      REQUIRE(apply_change(*c, *next.change, held.parameters.view(), out).ok());
      CHECK(std::equal(out.begin(), out.end(), next.parameters.view().begin()));
      auto other = std::vector<float>(held.parameters.view().begin(), held.parameters.view().end());
      other[3] += 1e-3F;
      CHECK_FALSE(apply_change(*c, *next.change, other, out).ok());
      CHECK(s.world.orders.at(0).base.version == next.version);
      CHECK(s.world.orders.at(0).base.parameters.data() == next.parameters.data());
      held = next;
    }
  }
}

TEST_CASE("compression: parameters that are no numbers any more are handed on whole, not hidden") {
  for (const auto& scheme : schemes) {
    CAPTURE(scheme);
    const auto c = compressor_of(scheme);
    published_parameters published(*c, 40);
    published.restart({1, blob::copy_of(std::vector<float>(40, 0.5F))});
    published.follow({2, blob::copy_of(std::vector<float>(40, 0.75F))});
    CHECK(published.latest().change);
    std::vector<float> spoilt(40, 1.0F);
    spoilt[7] = std::numeric_limits<float>::quiet_NaN();
    published.follow({3, blob::copy_of(spoilt)});
    CHECK_FALSE(published.latest().change);
    CHECK(published.latest().version == 3);
    CHECK(std::isnan(published.latest().parameters.view()[7]));
  }
}

TEST_CASE("compression: what a node receives as a change is the snapshot; anything else is refused") {
  const auto c = compressor_of(R"("sign")");
  constexpr std::size_t n = 500;
  rng random(2, 2);
  const auto noise = [&] {
    mutable_blob b(n);
    for (float& x : b.values())
      x = static_cast<float>(random.normal());
    return std::move(b).freeze();
  };
  published_parameters published(*c, n);
  published.restart({4, noise()});
  const snapshot first = published.latest();
  published.follow({5, noise()});
  const snapshot second = published.latest();
  published.follow({6, noise()});
  const auto head = [](const snapshot& at) {
    const auto f = change_frame(at);
    const auto front = f.front().subspan(frame_header::size);
    return std::vector<std::uint8_t>(front.begin(), front.end());
  };
  const auto with_first = [&](incoming_parameters& in) {
    const auto whole = pair_head(4, 0);
    const auto place = in.place(whole, n);
    REQUIRE(place.ok());
    std::copy(first.parameters.view().begin(), first.parameters.view().end(), place->begin());
    REQUIRE(in.arrived(whole, n).ok());
  };
  {
    incoming_parameters in(n, c.get());
    CHECK_FALSE(in.changed(head(second)).ok()); // nothing is there yet
    with_first(in);
    CHECK_FALSE(in.changed(head(published.latest())).ok()); // the one after the next
    CHECK(in.changed(head(second)).ok());
    CHECK(in.latest().version == 5);
    CHECK(largest_difference(in.latest().parameters, second.parameters) == 0.0);
    CHECK_FALSE(in.changed(head(second)).ok()); // twice
    CHECK(in.changed(head(published.latest())).ok());
  }
  {
    incoming_parameters in(n); // a run without compression
    with_first(in);
    CHECK_FALSE(in.changed(head(second)).ok());
  }
  for (int i = 0; i < 200; ++i) {
    incoming_parameters in(n, c.get());
    with_first(in);
    auto spoilt = head(second);
    const auto at = random.below(spoilt.size());
    spoilt[at] ^= static_cast<std::uint8_t>(1U << random.below(8));
    // The version itself may be any; and where a bit of padding was hit, what comes out is still right.
    if (at >= 8 && in.changed(spoilt).ok())
      CHECK(largest_difference(in.latest().parameters, second.parameters) == 0.0);
    spoilt.resize(random.below(spoilt.size()));
    CHECK_FALSE(in.changed(spoilt).ok());
  }
}

TEST_CASE("compression: a result that is not finite takes the worker's residual with it") {
  const auto setup =
      small_run({compressing(R"({"type":"top_k","ratio":0.02,"warmup_rounds":0})", R"("none")"),
                 R"(optimizer={"type":"sgd","learning_rate":1})"});
  mutable_blob block(setup->net->parameters().size());
  setup->net->parameters().initialise(block.values(), 1);
  const snapshot base{0, std::move(block).freeze()};
  const auto order = [&](double rate) {
    drawn_batch b;
    b.ids = {1, 2, 3, 4};
    b.weights.assign(4, 1.0F);
    return train_order{1, base, {std::make_shared<const drawn_batch>(std::move(b))}, {rate}};
  };
  local_trainer trainer(setup, *setup->exchange->local());
  const auto first = trainer.train(order(0.1));
  REQUIRE(first.encoded);
  CHECK(largest_difference(first.gradient, trainer.train(order(0.1)).gradient) >
        0.0); // the residual is in it
  const auto bad = trainer.train(order(1e300));
  CHECK_FALSE(bad.finite);
  CHECK_FALSE(bad.encoded);
  CHECK(largest_difference(first.gradient, trainer.train(order(0.1)).gradient) == 0.0);
}

TEST_CASE("compression: descriptions that name no compressor, or round on the wire as well, are refused") {
  const auto problem = [](const std::vector<std::string>& more) {
    auto document =
        parse_json(R"({"data": {"format": "synthetic", "kind": "blobs", "features": 4, "classes": 3},
                                   "model": [{"type": "dense", "units": 3}],
                                   "optimizer": {"type": "sgd"}})",
                   "run.json");
    REQUIRE(apply_overrides(*document, more).ok());
    const auto made = prepare_run(*document, "run.json");
    return made.ok() ? std::string() : made.error().message;
  };
  CHECK(problem({compressing(R"("int8")", R"("sign")")}).empty());
  CHECK(problem({compressing(R"("int7")", R"("none")")}).find("/runtime/exchange/compression/up") !=
        std::string::npos);
  CHECK(problem({compressing(R"("int8")", R"({"type":"top_k","ratio":2})")})
            .find("/runtime/exchange/compression/down/ratio") != std::string::npos);
  CHECK(
      problem({compressing(R"("int8")", R"("none")"), "network.wire_format=bfloat16"}).find("wire_format") !=
      std::string::npos);
  CHECK(problem({R"(runtime.exchange={"policy":"bsp","compression":{"up":"int8"}})"}).find("unknown key") !=
        std::string::npos);
}
