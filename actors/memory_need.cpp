#include "actors/memory_need.hpp"

namespace triage {

namespace {

constexpr std::size_t of_the_program = 64'000'000;

/// Blocks of parameters that a worker in this process holds: a gradient on its way and one that is computed;
/// with steps of its own also its parameters, moments and what compression holds back.
std::size_t blocks_of_worker(const run_setup& setup) {
  if (!setup.exchange->local())
    return 2;
  return 4 + setup.rule->moments().size() + (setup.compression_up ? 1 : 0);
}

} // namespace

std::size_t memory_beside_data(const run_setup& setup) {
  const std::size_t block = setup.net->parameters().size() * sizeof(float);
  const std::size_t blocks = 3 + setup.merge_rule().moments().size() +
                             blocks_of_worker(setup) * static_cast<std::size_t>(setup.config.workers);
  return block * blocks + of_the_program;
}

std::size_t memory_of_data(const run_setup& setup) {
  return setup.data.train.stored_bytes() + setup.data.test.stored_bytes() +
         setup.data.validation.stored_bytes();
}

} // namespace triage
