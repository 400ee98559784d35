#include "actors/net/link_limits.hpp"

#include "actors/run_setup.hpp"

#include <algorithm>

namespace triage {

namespace {
/// Of a compressed float: its place and its value.
constexpr std::size_t bytes_of_a_parameter = 8;
/// Of a point in an order or its answer: number and weight, or score and loss.
constexpr std::size_t bytes_of_a_point = 8;
/// Blocks of parameters that wait at once: a snapshot, a direction, an added gradient, and as much of what
/// comes next.
constexpr std::size_t waiting_blocks = 6;
} // namespace

link_limits limits_of(const run_setup& setup) {
  const std::size_t parameters = setup.net->parameters().size();
  const auto local = setup.exchange->local();
  const auto batches = static_cast<std::size_t>(local ? std::max<std::int64_t>(local->steps, 1) : 1);
  const auto points = std::max(batches * static_cast<std::size_t>(setup.config.batch_size),
                               static_cast<std::size_t>(setup.config.scoring_batch_size));
  link_limits limits;
  limits.head = largest_plain_head + bytes_of_a_parameter * parameters + bytes_of_a_point * points;
  limits.queue = std::max(limits.queue, waiting_blocks * sizeof(float) * parameters + limits.head);
  return limits;
}

} // namespace triage
