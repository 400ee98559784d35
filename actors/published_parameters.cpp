#include "actors/published_parameters.hpp"

#include "core/finite.hpp"

#include <algorithm>
#include <stdexcept>

namespace triage {

namespace {

/// A sum of what was decoded before, so that nothing can be fused: the same bits on every processor.
void add(std::span<const float> held, std::span<float> change) {
  for (std::size_t i = 0; i < held.size(); ++i)
    change[i] = held[i] + change[i];
}

} // namespace

void published_parameters::restart(const snapshot& at) {
  mutable_blob block = pool_.acquire();
  const auto values = at.parameters.view();
  std::copy(values.begin(), values.end(), block.values().begin());
  latest_ = {at.version, std::move(block).freeze()};
}

void published_parameters::follow(const snapshot& at) {
  const auto wanted = at.parameters.view();
  const auto held = latest_.parameters.view();
  difference_.resize(held.size());
  for (std::size_t i = 0; i < held.size(); ++i)
    difference_[i] = wanted[i] - held[i];
  if (!all_finite(difference_))
    return restart(at); // the workers shall see what has become of the parameters, and say so
  auto change = std::make_shared<parameter_change>();
  change->from = latest_.version;
  compressor_.encode(difference_, messages_++, change->bytes);
  mutable_blob block = pool_.acquire();
  if (const auto decoded = compressor_.decode(change->bytes, block.values()); !decoded.ok())
    throw std::logic_error("a compressor does not read what it wrote: " + decoded.error().message);
  add(held, block.values());
  change->result = fingerprint(block.view());
  latest_ = {at.version, std::move(block).freeze(), nullptr, std::move(change)};
}

result<void> apply_change(const compressor& c, const parameter_change& change, std::span<const float> held,
                          std::span<float> out) {
  if (auto decoded = c.decode(change.bytes, out); !decoded.ok())
    return decoded;
  add(held, out);
  if (fingerprint(out) != change.result)
    return run_error("a change of the parameters leads to others than the coordinator's");
  return {};
}

} // namespace triage
