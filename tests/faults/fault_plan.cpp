#include "fault_plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <functional>

namespace triage::test {

namespace {

double number_from(const char* variable, double otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::atof(text) : otherwise;
}

/// The same on every machine, unlike std::hash.
std::uint64_t hash_of(const std::string& text) {
  std::uint64_t h = 14695981039346656037ULL;
  for (const char c : text)
    h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return h;
}

std::string figures_of(const std::vector<double>& values) {
  if (values.empty())
    return "-";
  return fmt::format("{:.2f}/{:.2f}", median_of(values), *std::max_element(values.begin(), values.end()));
}

} // namespace

const fault_plan& the_plan() {
  static const fault_plan plan = [] {
    fault_plan p;
    p.points = static_cast<std::size_t>(std::max(1.0, number_from("TRIAGE_FAULT_POINTS", 1.0)));
    p.seed = static_cast<std::uint64_t>(number_from("TRIAGE_FAULT_SEED", static_cast<double>(p.seed)));
    p.churn_minutes = number_from("TRIAGE_FAULT_CHURN_MINUTES", p.is_long() ? 10.0 : p.churn_minutes);
    return p;
  }();
  return plan;
}

double median_of(std::vector<double> values) {
  if (values.empty())
    return 0.0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

rng fault_tally::begin_point(std::size_t point) {
  ++points_;
  return rng(the_plan().seed ^ hash_of(fault_), point);
}

void fault_tally::say(const std::string& text) const {
  std::printf("[fault] %s, point %zu of %zu (seed %llu): %s\n", fault_.c_str(), points_, the_plan().points,
              static_cast<unsigned long long>(the_plan().seed), text.c_str());
  std::fflush(stdout);
}

fault_tally::~fault_tally() {
  std::vector<double> off;
  for (const double a : accuracy)
    off.push_back(std::abs(a));
  std::printf("%s\n", fmt::format("[faults] {} | points {} | detected s median/max {} | back s {} | hangs {} "
                                  "| lost {} | doubled {} | accuracy off {}",
                                  fault_, points_, figures_of(detected), figures_of(rejoined), hangs, lost,
                                  doubled, figures_of(off))
                          .c_str());
  std::fflush(stdout);
}

} // namespace triage::test
