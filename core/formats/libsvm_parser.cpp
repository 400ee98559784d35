#include "core/formats/libsvm_parser.hpp"

#include "core/excerpt.hpp"
#include "core/formats/text.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace triage {

namespace {

constexpr std::uint64_t most_index = std::uint64_t{1} << 40U; // keeps later sums far from wrapping

/// Takes the text up to the next line end, without it and without a comment.
std::string_view take_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  line = line.substr(0, line.find('#'));
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  return line;
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

struct feature {
  std::uint64_t index = 0;
  float value = 0.0F;
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
  const auto value = parse_finite(word.substr(colon + 1));
  if (!value)
    return fmt::format("feature {}: {}", out.index, number_problem(word.substr(colon + 1)));
  out.value = *value;
  return {};
}

} // namespace

result<libsvm_summary> scan_libsvm(std::string_view text, target_cells& labels) {
  libsvm_summary found;
  std::uint64_t line_number = 0;
  const auto fail = [&](const std::string& problem) {
    return data_error(fmt::format("{}, line {}: {}", labels.path, line_number, problem));
  };
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view line = take_line(rest);
    ++line_number;
    const auto label = take_word(line);
    if (label.empty())
      continue;
    if (!parse_number(label))
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
  return found;
}

void visit_libsvm(std::string_view text,
                  const std::function<void(std::uint64_t row, std::uint64_t index, float value)>& entry) {
  std::uint64_t row = 0;
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view line = take_line(rest);
    if (take_word(line).empty())
      continue;
    for (auto word = take_word(line); !word.empty(); word = take_word(line)) {
      feature f;
      parse_feature(word, f);
      entry(row, f.index, f.value);
    }
    ++row;
  }
}

} // namespace triage
