#include "apps/bench/push_cost.hpp"

#include "actors/net/wire_messages.hpp"
#include "apps/bench/series.hpp"

#include <condition_variable>
#include <mutex>

namespace triage {

namespace {

/// The far end: receives gradients, and says when one is complete.
struct gradient_receiver final : link_handler {
  explicit gradient_receiver(std::size_t floats) : block(floats) {}
  result<std::span<float>> place(const frame_header& header, std::span<const std::uint8_t> head) override {
    const auto part = read_gradient_part(head);
    if (!part.ok())
      return part.error();
    complete = part->begin == 0;
    return block.values().subspan(part->begin, header.bulk_floats);
  }
  result<void> arrived(const frame_header&, std::span<const std::uint8_t>) override {
    if (complete)
      self.lock()->send(frame(frame_kind::accepted));
    return {};
  }
  void closed(const std::string&) override {}
  mutable_blob block;
  bool complete = false;
  std::weak_ptr<link> self;
};

/// The near end: counts the gradients that are on their way.
struct gradient_sender final : link_handler {
  result<std::span<float>> place(const frame_header&, std::span<const std::uint8_t>) override {
    return run_error("floats");
  }
  result<void> arrived(const frame_header&, std::span<const std::uint8_t>) override {
    change(-1);
    return {};
  }
  void closed(const std::string&) override {}
  void change(int by) {
    {
      const std::lock_guard guard(lock);
      under_way += by;
    }
    changed.notify_all();
  }
  void wait_until_fewer_than(int most) {
    std::unique_lock guard(lock);
    changed.wait(guard, [&] { return under_way < most; });
  }
  std::shared_ptr<link> self;
  std::mutex lock;
  std::condition_variable changed;
  int under_way = 0;
};

} // namespace

double pushing_steps_per_second(training_step& step, float_format format, link_transport transport,
                                double seconds) {
  constexpr int most_under_way = 2;
  const auto far = std::make_shared<gradient_receiver>(step.current().parameters.size());
  const auto near = std::make_shared<gradient_sender>();
  linked_threads both(transport);
  both.connect(near, far, [&](const std::shared_ptr<link>& a, const std::shared_ptr<link>& b) {
    near->self = a;
    far->self = b;
  });
  const double steps = calls_per_second(seconds, [&] {
    near->wait_until_fewer_than(most_under_way);
    near->change(1);
    step.gradient([&](const gradient_part& part) { near->self->send(to_frame(0, part, format)); });
    step.update();
  });
  near->wait_until_fewer_than(1);
  both.stop();
  near->self.reset();
  return steps;
}

} // namespace triage
