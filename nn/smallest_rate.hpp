#pragma once

namespace triage {

/// A step at a lower learning rate changes nothing, and the inverse of a lower rate may be no float: whoever
/// divides by the rate does without what it would divide.
constexpr double smallest_rate = 1e-30;

} // namespace triage
