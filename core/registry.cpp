#include "core/registry.hpp"

#include "core/excerpt.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace triage {

namespace {

/// Optimal string alignment distance: a transposition counts as one edit, as typists make them.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

} // namespace

std::string_view closest_name(std::string_view name, std::span<const std::string_view> known) {
  if (name.size() > 64)
    return {};
  std::string_view best;
  std::size_t best_distance = name.size() / 3 + 2;
  for (const auto candidate : known)
    if (const auto d = edit_distance(name, candidate); d < best_distance) {
      best_distance = d;
      best = candidate;
    }
  return best;
}

error unknown_name_error(std::string_view kind, std::string_view name,
                         std::span<const std::string_view> known) {
  const auto near = closest_name(name, known);
  return configuration_error(fmt::format("unknown {} {}{}; known: {}", kind, quoted_excerpt(name),
                                         near.empty() ? "" : fmt::format(": did you mean \"{}\"?", near),
                                         join_names(known)));
}

} // namespace triage
