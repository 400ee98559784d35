#include "apps/forecast/thread_costs.hpp"

#include "actors/parameter_store.hpp"
#include "actors/round_sum.hpp"
#include "apps/bench/linked_threads.hpp"
#include "apps/bench/series.hpp"
#include "core/clock.hpp"

#include <algorithm>
#include <ctime>
#include <future>
#include <vector>

namespace triage {

namespace {

constexpr std::size_t gradients_at_hand = 4;
constexpr int repetitions = 15;

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct end_figures {
  double sending = 0.0; ///< processor seconds for all messages
  double receiving = 0.0;
};

/// The far end: takes messages and answers the last one.
struct message_taker final : link_handler {
  message_taker(std::size_t floats, std::size_t messages) : block(floats), awaited(messages) {}
  result<std::span<float>> place(const frame_header& header, std::span<const std::uint8_t>) override {
    if (began == 0.0)
      began = processor_seconds();
    return block.values().first(header.bulk_floats);
  }
  result<void> arrived(const frame_header&, std::span<const std::uint8_t>) override {
    if (--awaited == 0) {
      seconds = processor_seconds() - began;
      self.lock()->send(frame(frame_kind::accepted));
    }
    return {};
  }
  void closed(const std::string&) override {}
  mutable_blob block;
  std::size_t awaited;
  double began = 0.0;
  double seconds = 0.0;
  std::weak_ptr<link> self;
};

/// The near end: learns that everything has arrived.
struct message_giver final : link_handler {
  result<std::span<float>> place(const frame_header&, std::span<const std::uint8_t>) override {
    return run_error("floats");
  }
  result<void> arrived(const frame_header&, std::span<const std::uint8_t>) override {
    over.set_value(processor_seconds() - began);
    return {};
  }
  void closed(const std::string&) override {}
  double began = 0.0;
  std::promise<double> over;
  std::shared_ptr<link> self;
};

end_figures send_messages(std::size_t floats, std::size_t messages, float_format format) {
  linked_threads threads(link_transport::tcp);
  const auto giver = std::make_shared<message_giver>();
  const auto taker = std::make_shared<message_taker>(floats, messages);
  threads.connect(giver, taker, [&](const auto& near, const auto& far) {
    giver->self = near;
    taker->self = far;
  });
  const blob content = mutable_blob(floats).freeze();
  threads.post([&, giver] {
    giver->began = processor_seconds();
    for (std::size_t i = 0; i < messages; ++i)
      giver->self->send(frame(frame_kind::parameters, {}, content, format));
  });
  end_figures out;
  out.sending = giver->over.get_future().get();
  threads.stop();
  out.receiving = taker->seconds;
  giver->self = nullptr;
  return out;
}

/// The line through a small and a large message.
message_cost line_through(double small_bytes, double small_seconds, double large_bytes,
                          double large_seconds) {
  message_cost out;
  out.byte = std::max((large_seconds - small_seconds) / (large_bytes - small_bytes), 0.0);
  out.fixed = std::max(small_seconds - out.byte * small_bytes, 0.0);
  return out;
}

std::vector<contribution> some_gradients(const parameter_layout& layout) {
  std::vector<contribution> out;
  for (std::size_t i = 0; i < gradients_at_hand; ++i) {
    mutable_blob block(layout.size());
    std::fill(block.values().begin(), block.values().end(), 1e-3F);
    out.push_back({std::move(block).freeze(), 1.0});
  }
  return out;
}

template <class Work>
double median_seconds(const Work& work) {
  const steady_clock time;
  series seconds;
  for (int i = 0; i < repetitions; ++i) {
    const double begin = time.now();
    work();
    seconds.values.push_back(time.now() - begin);
  }
  return seconds.median();
}

} // namespace

message_costs measure_message_costs(float_format format) {
  constexpr std::size_t small = 64;
  constexpr std::size_t large = 65536;
  constexpr std::size_t small_messages = 4000;
  constexpr std::size_t large_messages = 200;
  const auto few = send_messages(small, small_messages, format);
  const auto many = send_messages(large, large_messages, format);
  const auto bytes = [&](std::size_t floats) { return static_cast<double>(floats * bytes_of(format)); };
  const auto fit = [&](double of_small, double of_large) {
    return line_through(bytes(small), of_small / small_messages, bytes(large), of_large / large_messages);
  };
  return {fit(few.sending, many.sending), fit(few.receiving, many.receiving)};
}

merging_costs measure_merging_costs(const run_setup& setup) {
  const auto& layout = setup.merge_layout();
  const auto gradients = some_gradients(layout);
  const auto n = static_cast<double>(gradients_at_hand);
  merging_costs out;
  round_sum sum(layout.trained_size());
  std::vector<round_sum::part> parts;
  for (std::size_t i = 0; i < gradients_at_hand; ++i)
    parts.push_back({i, 1.0, gradients[i].gradient, 0});
  out.add = median_seconds([&] {
              sum.advance(parts);
              sum.clear();
            }) /
            n;
  if (setup.exchange->merges_rounds())
    return out;
  parameter_store store(layout, setup.merge_rule(), setup.config.gradient_clipping);
  store.initialise(setup.seed());
  const std::vector<double> rates(gradients_at_hand, 1e-6);
  const auto merge = [&](std::size_t count) {
    return median_seconds(
        [&] { store.merge_in_turn(std::span(gradients).first(count), std::span(rates).first(count)); });
  };
  const double one = merge(1);
  out.merge_more = std::max((merge(gradients_at_hand) - one) / (n - 1.0), 0.0);
  return out;
}

} // namespace triage
