#include "core/formats/csv_tokenizer.hpp"

#include "core/formats/text.hpp"

#include <fmt/format.h>

namespace triage {

error csv_tokenizer::problem(std::uint64_t line, std::string_view text) const {
  return data_error(fmt::format("{}, line {}: {}", path_, line, text));
}

result<bool> csv_tokenizer::next(std::vector<std::string_view>& cells) {
  passed_blank_ = false;
  while (at_ < text_.size()) {
    cells.clear();
    row_line_ = line_;
    const std::size_t start = at_;
    for (bool ended = false; !ended;) {
      auto one = cell(ended);
      if (!one.ok())
        return one.error();
      cells.push_back(*one);
    }
    const bool blank = cells.size() == 1 && cells.front().empty() && text_[start] != '"';
    if (!blank)
      return true;
    passed_blank_ = true;
  }
  cells.clear();
  return false;
}

result<std::string_view> csv_tokenizer::cell(bool& ended) {
  std::size_t begin = at_;
  while (begin < text_.size() && text_[begin] == ' ')
    ++begin;
  std::string_view value;
  if (begin < text_.size() && text_[begin] == '"') {
    at_ = begin;
    auto quoted = quoted_cell();
    if (!quoted.ok())
      return quoted;
    value = *quoted;
  } else {
    std::size_t end = at_;
    while (end < text_.size() && text_[end] != delimiter_ && text_[end] != '\n' && text_[end] != '\r')
      ++end;
    value = trim(std::string_view(text_).substr(at_, end - at_));
    at_ = end;
  }
  ended = at_ >= text_.size() || text_[at_] != delimiter_;
  if (ended)
    finish_line();
  else
    ++at_;
  return value;
}

result<std::string_view> csv_tokenizer::quoted_cell() {
  const std::uint64_t opened = line_;
  const std::size_t begin = ++at_;
  std::size_t write = begin;
  while (true) {
    if (at_ >= text_.size())
      return problem(opened, "a quoted cell begins here and is never closed");
    const char c = text_[at_++];
    if (c == '"') {
      if (at_ >= text_.size() || text_[at_] != '"')
        break;
      ++at_; // a doubled quote stands for one
    }
    if (c == '\n')
      ++line_;
    text_[write++] = c;
  }
  while (at_ < text_.size() && text_[at_] == ' ')
    ++at_;
  if (at_ < text_.size() && text_[at_] != delimiter_ && text_[at_] != '\n' && text_[at_] != '\r')
    return problem(line_,
                   "text follows the closing quote of a cell; a quote within a quoted cell must be doubled");
  return std::string_view(text_).substr(begin, write - begin);
}

void csv_tokenizer::finish_line() {
  if (at_ >= text_.size())
    return;
  const bool crlf = text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n';
  at_ += crlf ? 2 : 1;
  ++line_;
}

std::string csv_cell(std::string_view text) {
  const bool padded = !text.empty() && (text.front() == ' ' || text.back() == ' ' || text.front() == '\t' ||
                                        text.back() == '\t');
  if (!padded && text.find_first_of(",\"\r\n") == std::string_view::npos)
    return std::string(text);
  std::string out = "\"";
  for (const char c : text)
    out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

} // namespace triage
