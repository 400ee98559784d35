#pragma once

#include "core/dataset.hpp"
#include "core/rng.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace triage {

/// Gives the samples of a set the numbers of their rows, where they have none: they are about to be
/// rearranged.
void number_rows(dataset& set);

/// Which samples to hold out: about `fraction` of all, ascending, never all of a class and never all samples.
/// Classification sets are stratified: each class gives its share (rounded by largest remainder), so that the
/// sets keep the class frequencies. Equal arguments give equal ids.
[[nodiscard]] std::vector<std::uint32_t> choose_held_out(const dataset& set, double fraction, rng random);

/// Moves the samples `ids` (ascending) out of `set` into the set returned; both keep their order. The
/// remaining samples close up in place: no second copy of `set` exists at any time.
[[nodiscard]] dataset take_samples(dataset& set, const std::vector<std::uint32_t>& ids);

/// SHA-256, hex, over shapes, sizes and contents of the three sets: two runs with equal fingerprints train,
/// validate and test on the same samples under the same indices. `standardised`: as the data says; a network
/// is fed something else otherwise.
[[nodiscard]] std::string fingerprint_of(const dataset& train, const dataset& validation, const dataset& test,
                                         bool standardised = true);

} // namespace triage
