#pragma once

#include "core/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace triage {

/// Splits delimited text into rows (RFC 4180, leniently): quoted cells may hold delimiters, line ends and
/// doubled quotes; lines end with LF, CRLF or CR; blank lines are skipped; spaces around cells are dropped.
class csv_tokenizer {
public:
  /// Quoted cells are unescaped in place, so `text` changes, and must outlive the cells. `path` is for
  /// messages.
  csv_tokenizer(std::string& text, char delimiter, std::string path)
      : text_(text), delimiter_(delimiter), path_(std::move(path)) {}

  /// The cells of the next row; false at the end. A quote that is not closed, or is followed by more text
  /// in its cell, is an error of kind `data`.
  [[nodiscard]] result<bool> next(std::vector<std::string_view>& cells);

  /// The line on which the last row started, from 1.
  [[nodiscard]] std::uint64_t line() const { return row_line_; }

  /// Whether blank lines lay before the last row. Of a file with one column each may be a missing value.
  [[nodiscard]] bool passed_blank() const { return passed_blank_; }

private:
  /// Reads one cell and the delimiter or line end behind it; `ended` tells which.
  [[nodiscard]] result<std::string_view> cell(bool& ended);
  [[nodiscard]] result<std::string_view> quoted_cell();
  void finish_line();
  [[nodiscard]] error problem(std::uint64_t line, std::string_view text) const;

  std::string& text_;
  char delimiter_;
  std::string path_;
  std::size_t at_ = 0;
  std::uint64_t line_ = 1;
  std::uint64_t row_line_ = 0;
  bool passed_blank_ = false;
};

/// A cell as comma-separated files write it: quoted where its text would not read back as it is.
[[nodiscard]] std::string csv_cell(std::string_view text);

} // namespace triage
