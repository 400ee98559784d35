#include "core/data_split.hpp"

#include "core/hash.hpp"
#include "core/large_allocator.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

namespace triage {

namespace {

/// How many of each group to take, so that the total is round(fraction * all) where the limits permit.
std::vector<std::size_t> shares(const std::vector<std::vector<std::uint32_t>>& groups, double fraction,
                                std::size_t all) {
  std::vector<std::size_t> take(groups.size());
  std::vector<double> remainder(groups.size());
  std::size_t taken = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const double share = fraction * static_cast<double>(groups[g].size());
    take[g] = static_cast<std::size_t>(share);
    remainder[g] = share - static_cast<double>(take[g]);
    taken += take[g];
  }
  std::vector<std::size_t> order(groups.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return remainder[a] > remainder[b]; });
  const auto wanted = static_cast<std::size_t>(std::llround(fraction * static_cast<double>(all)));
  for (const auto g : order)
    if (taken < wanted && take[g] + 1 < groups[g].size()) {
      ++take[g];
      ++taken;
    }
  for (std::size_t g = 0; g < groups.size(); ++g)
    if (!groups[g].empty())
      take[g] = std::min(take[g], groups[g].size() - 1); // a class must not vanish from the training set
  return take;
}

template <class T>
void move_out(std::vector<T>& from, std::vector<T>& to, const std::vector<std::uint32_t>& ids,
              std::size_t width, std::size_t size) {
  if (from.empty())
    return;
  to.resize(ids.size() * width);
  std::size_t write = 0;
  for (std::size_t read = 0, next = 0; read < size; ++read) {
    const auto begin = from.begin() + static_cast<std::ptrdiff_t>(read * width);
    const auto end = begin + static_cast<std::ptrdiff_t>(width);
    if (next < ids.size() && ids[next] == read) {
      std::copy(begin, end, to.begin() + static_cast<std::ptrdiff_t>(next * width));
      ++next;
    } else {
      if (write != read)
        std::copy(begin, end, from.begin() + static_cast<std::ptrdiff_t>(write * width));
      ++write;
    }
  }
  from.resize(write * width);
  // Not shrink_to_fit: for a moment it would hold the data twice.
  give_back_pages(from.data() + from.size(), from.data() + from.capacity());
}

void add_to(sha256& hash, const dataset& set) {
  hash.add(fmt::format("{} {}x{}x{} {} {} {}\n", set.size, set.shape.channels, set.shape.height,
                       set.shape.width, set.is_bytes() ? "u8" : "f32", set.classes, set.outputs));
  const auto add_samples = [&](const auto& samples) {
    if (samples.rows.empty()) // one after the other
      return hash.add_values(std::span(samples.values, set.size * samples.width));
    for (std::size_t i = 0; i < set.size; ++i)
      hash.add_values(samples.sample(i));
  };
  if (set.is_bytes())
    add_samples(set.byte_rows());
  else
    add_samples(set.float_rows());
  hash.add_values(std::span(set.labels));
  hash.add_values(std::span(set.targets));
}

} // namespace

std::vector<std::uint32_t> choose_held_out(const dataset& set, double fraction, rng random) {
  std::vector<std::vector<std::uint32_t>> groups(
      set.is_classification() ? static_cast<std::size_t>(set.classes) : 1);
  for (std::size_t i = 0; i < set.size; ++i)
    groups[set.is_classification() ? static_cast<std::size_t>(set.labels[i]) : 0].push_back(
        static_cast<std::uint32_t>(i));
  const auto take = shares(groups, fraction, set.size);
  std::vector<std::uint32_t> ids;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    shuffle(groups[g], random);
    ids.insert(ids.end(), groups[g].begin(), groups[g].begin() + static_cast<std::ptrdiff_t>(take[g]));
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

void number_rows(dataset& set) {
  if (!set.rows.empty())
    return;
  set.rows.resize(set.size);
  std::iota(set.rows.begin(), set.rows.end(), 0U);
}

dataset take_samples(dataset& set, const std::vector<std::uint32_t>& ids) {
  dataset out;
  out.shape = set.shape;
  out.classes = set.classes;
  out.outputs = set.outputs;
  out.size = ids.size();
  const auto width = static_cast<std::size_t>(set.shape.size());
  move_out(set.bytes, out.bytes, ids, width, set.size);
  move_out(set.floats, out.floats, ids, width, set.size);
  if (!ids.empty()) {
    out.mapped = set.mapped;
    number_rows(set);
    move_out(set.rows, out.rows, ids, 1, set.size);
  }
  move_out(set.labels, out.labels, ids, 1, set.size);
  move_out(set.targets, out.targets, ids, static_cast<std::size_t>(set.outputs), set.size);
  set.size -= ids.size();
  return out;
}

std::string fingerprint_of(const dataset& train, const dataset& validation, const dataset& test,
                           bool standardised) {
  sha256 hash;
  for (const auto* set : {&train, &validation, &test})
    add_to(hash, *set);
  if (!standardised) // another network would come of the same bytes
    hash.add(std::string_view("as it is"));
  return hash.hex();
}

} // namespace triage
