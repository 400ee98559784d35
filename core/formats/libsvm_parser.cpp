#include "core/formats/libsvm_parser.hpp"

#include "core/excerpt.hpp"
#include "core/formats/text.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace triage {

namespace {

/// Dense storage may take this many times the file: rcv1 takes 106 times, a corrupt index takes millions.
constexpr std::uint64_t most_dense_ratio = 256;
constexpr std::uint64_t always_allowed_bytes = std::uint64_t{8} << 20U;
constexpr std::uint64_t most_index = std::uint64_t{1} << 40U; // keeps later sums far from wrapping

/// Takes the text up to the next line end, without it.
std::string_view take_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

std::string_view without_comment(std::string_view line) {
  return line.substr(0, line.find('#'));
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

/// Takes the next word; empty at the end of the line.
std::string_view take_word(std::string_view& line) {
  const auto begin = line.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos)
    return {};
  line.remove_prefix(begin);
  const auto word = line.substr(0, line.find_first_of(" \t\r"));
  line.remove_prefix(word.size());
  return word;
}

/// Takes the label, if there is one.
std::string_view take_label(std::string_view& line) {
  std::string_view rest = line;
  const auto word = take_word(rest);
  if (word.find(':') != std::string_view::npos)
    return {};
  line = rest;
  return word;
}

struct feature {
  std::uint64_t index = 0;
  double value = 0.0; ///< a finite float
};

/// The reason why `word` is no feature, or empty.
std::string parse_feature(std::string_view word, feature& out) {
  const auto colon = word.find(':');
  if (colon == std::string_view::npos)
    return fmt::format("{} is not INDEX:VALUE", quoted_excerpt(word));
  if (word.starts_with("qid:"))
    return "ranking data (qid:…) are not supported";
  const auto index = word.substr(0, colon);
  const auto [end, problem] = std::from_chars(index.data(), index.data() + index.size(), out.index);
  if (index.empty() || problem != std::errc() || end != index.data() + index.size())
    return fmt::format("{}: the index is not a number from 0", quoted_excerpt(word));
  if (out.index > most_index)
    return fmt::format("{}: the index is too large to be a feature", quoted_excerpt(word));
  const auto value = parse_single(word.substr(colon + 1));
  if (!value)
    return fmt::format("feature {}: {}", out.index, number_problem(word.substr(colon + 1)));
  out.value = *value;
  return {};
}

} // namespace

result<libsvm_summary> scan_libsvm(std::string_view text, target_cells& labels, libsvm_labels wanted) {
  libsvm_summary found;
  std::uint64_t line_number = 0;
  std::uint64_t empty_line = 0;    // since the last sample
  std::uint64_t empty_between = 0; // the first one between two samples
  bool any_unlabelled = false;
  const auto fail = [&](const std::string& problem) {
    return data_error(fmt::format("{}, line {}: {}", labels.path, line_number, problem));
  };
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view whole_line = take_line(rest);
    std::string_view line = without_comment(whole_line);
    ++line_number;
    if (is_blank(line)) {
      if (empty_line == 0 && is_blank(whole_line))
        empty_line = line_number;
      continue;
    }
    if (empty_between == 0 && found.rows > 0)
      empty_between = empty_line;
    empty_line = 0;
    const auto label = wanted == libsvm_labels::optional ? take_label(line) : take_word(line);
    any_unlabelled = any_unlabelled || label.empty();
    if (!label.empty() && !parse_number(label))
      return fail(
          fmt::format("the label {} is not a number{}", quoted_excerpt(label),
                      label.find(',') == std::string_view::npos ? "" : "; several labels are not supported"));
    labels.cells.push_back(label);
    labels.lines.push_back(line_number);
    bool first = true;
    std::uint64_t before = 0;
    for (auto word = take_word(line); !word.empty(); word = take_word(line)) {
      feature f;
      if (auto problem = parse_feature(word, f); !problem.empty())
        return fail(problem);
      if (!first && f.index <= before)
        return fail(fmt::format("feature {} follows feature {}; indices must ascend", f.index, before));
      found.smallest_index = found.any_feature ? std::min(found.smallest_index, f.index) : f.index;
      found.largest_index = std::max(found.largest_index, f.index);
      found.any_feature = true;
      first = false;
      before = f.index;
    }
    ++found.rows;
  }
  if (found.rows == 0)
    return data_error(fmt::format("{}: holds no samples", labels.path));
  if (any_unlabelled && empty_between > 0)
    return data_error(fmt::format("{}, line {}: is empty, and could be a sample without features; give that "
                                  "the label 0, or remove the line",
                                  labels.path, empty_between));
  return found;
}

result<void> check_dense_libsvm(const std::string& path, std::size_t text_bytes, std::uint64_t rows,
                                std::uint64_t features) {
  const std::uint64_t most = std::max(always_allowed_bytes, most_dense_ratio * text_bytes) / sizeof(float);
  if (features <= most / rows)
    return {};
  return data_error(
      fmt::format("{}: {} samples with {} features each would take more than {} times the file when "
                  "stored densely; if the largest index is right, reduce the features first",
                  path, rows, features, most_dense_ratio));
}

void visit_libsvm(std::string_view text,
                  const std::function<void(std::uint64_t row, std::uint64_t index, double value)>& entry) {
  std::uint64_t row = 0;
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view line = without_comment(take_line(rest));
    if (is_blank(line))
      continue;
    (void)take_label(line);
    for (auto word = take_word(line); !word.empty(); word = take_word(line)) {
      feature f;
      parse_feature(word, f);
      entry(row, f.index, f.value);
    }
    ++row;
  }
}

} // namespace triage
