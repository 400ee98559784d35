#pragma once

#include <string>
#include <utility>
#include <variant>

namespace triage {

/// What went wrong, as far as a caller may want to react differently. Each kind has one exit code.
enum class error_kind {
  configuration, ///< usage or run description: exit code 2
  data,          ///< a data set or model file that cannot be used: exit code 3
  io,            ///< the file system refused: exit code 1
  run,           ///< training failed: exit code 1
  retry,         ///< may succeed later without a change: exit code 75
};

int exit_code(error_kind kind);

/// An error is a value: a kind, and a sentence that says what happened, where, and what to do about it.
struct error {
  error_kind kind = error_kind::run;
  std::string message;
};

[[nodiscard]] error configuration_error(std::string message);
[[nodiscard]] error data_error(std::string message);
[[nodiscard]] error io_error(std::string message);
[[nodiscard]] error run_error(std::string message);

/// Puts `context` and ": " before the message.
[[nodiscard]] error with_context(error e, const std::string& context);

/// Either a value or an error. Reading the wrong side throws std::bad_variant_access (a programming error).
template <class T>
class [[nodiscard]] result {
public:
  result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  result(triage::error e) : state_(std::in_place_index<1>, std::move(e)) {}

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() { return std::get<0>(state_); }
  const T& value() const { return std::get<0>(state_); }
  T take() { return std::move(std::get<0>(state_)); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  [[nodiscard]] const triage::error& error() const { return std::get<1>(state_); }

private:
  std::variant<T, triage::error> state_;
};

template <>
class [[nodiscard]] result<void> {
public:
  result() = default;
  result(triage::error e) : failed_(true), error_(std::move(e)) {}

  [[nodiscard]] bool ok() const { return !failed_; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const triage::error& error() const { return error_; }

private:
  bool failed_ = false;
  triage::error error_;
};

} // namespace triage
