#pragma once

#include "sampling/irreducible_losses.hpp"
#include "sampling/sampling_source.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <filesystem>
#include <numeric>
#include <string>
#include <string_view>
#include <type_traits>
#include <unistd.h>
#include <vector>

namespace triage::test {

inline sampling_description describe_sampling(const json_value& description) {
  auto made = make_sampling(description, {"run.json", "/sampling"});
  REQUIRE_MESSAGE(made.ok(), dump_json(description), ": ", (made.ok() ? "" : made.error().message));
  return made.take();
}

template <class T>
concept text = std::is_convertible_v<const T&, std::string_view>;

template <text T>
sampling_description describe_sampling(const T& written) {
  return describe_sampling(json_text(written));
}

inline sampling_source source_of(const json_value& description, std::size_t points, std::size_t batch,
                                 std::uint64_t seed = 7) {
  return {describe_sampling(description), points, batch, seed};
}

template <text T>
sampling_source source_of(const T& written, std::size_t points, std::size_t batch, std::uint64_t seed = 7) {
  return source_of(json_text(written), points, batch, seed);
}

/// The selector of a description, ready to plan.
inline std::unique_ptr<selector> selector_of(std::string_view text, std::size_t points) {
  auto made = describe_sampling(text);
  made.selector->start(points);
  return std::move(made.selector);
}

inline std::vector<std::uint32_t> numbers_below(std::size_t points) {
  std::vector<std::uint32_t> ids(points);
  std::iota(ids.begin(), ids.end(), 0U);
  return ids;
}

/// Measurements of all points at one version.
inline void record_all(sampling_source& source, const std::vector<float>& scores, std::uint64_t version = 1) {
  source.record(numbers_below(scores.size()), scores, version);
}

/// Scores whose largest are many times their median, as gradient norms are after some training.
inline std::vector<float> heavy_scores(std::size_t points, std::uint64_t seed, double spread = 1.2) {
  rng random(seed, 77);
  std::vector<float> out(points);
  for (auto& s : out)
    s = static_cast<float>(std::exp(spread * random.normal()));
  return out;
}

/// A file of irreducible losses, all zero unless they are given, as long as it is needed.
class irreducible_file {
public:
  explicit irreducible_file(std::size_t points) : irreducible_file(std::vector<float>(points, 0.0F)) {}
  explicit irreducible_file(const std::vector<float>& losses, const std::string& data_fingerprint = "data")
      : path_((std::filesystem::temp_directory_path() / ("triage_irreducible_" + std::to_string(::getpid()) +
                                                         "_" + std::to_string(losses.size()) + ".npz"))
                  .string()) {
    REQUIRE(write_irreducible_losses(path_, losses, data_fingerprint).ok());
  }
  irreducible_file(const irreducible_file&) = delete;
  irreducible_file& operator=(const irreducible_file&) = delete;
  ~irreducible_file() {
    std::error_code ec;
    std::filesystem::remove(path_, ec);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

private:
  std::string path_;
};

/// A table in which every point was measured once.
inline priority_table table_of(const std::vector<float>& scores) {
  priority_table table(scores.size());
  for (std::uint32_t id = 0; id < scores.size(); ++id)
    table.record(id, scores[id], 1);
  return table;
}

/// How often each point is chosen over many plans.
inline std::vector<double> count_visits(selector& chosen, const priority_table& table, int plans,
                                        std::size_t batch, sampling_progress progress = {}) {
  for (std::uint32_t id = 0; id < table.size(); ++id)
    if (table.seen(id))
      chosen.priority_changed(id, table.value(id));
  const priority_view view(table, 1);
  std::vector<double> counts(table.size(), 0.0);
  auto ids = numbers_below(table.size());
  rng random(17, 5);
  const auto wanted = chosen.candidates(batch, table.size());
  for (int k = 0; k < plans; ++k) {
    shuffle(ids, random);
    selection_plan plan;
    chosen.plan({std::span(ids).first(wanted), view, progress, batch}, random, plan);
    for (const auto id : plan.ids)
      counts[id] += 1.0;
  }
  return counts;
}

/// Rank of each point from 0 for the largest score.
inline std::vector<std::size_t> ranks_of(const std::vector<float>& scores) {
  auto ids = numbers_below(scores.size());
  std::sort(ids.begin(), ids.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
  std::vector<std::size_t> rank(scores.size());
  for (std::size_t r = 0; r < ids.size(); ++r)
    rank[ids[r]] = r;
  return rank;
}

} // namespace triage::test
