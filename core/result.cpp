#include "core/result.hpp"

namespace triage {

int exit_code(error_kind kind) {
  switch (kind) {
  case error_kind::configuration:
    return 2;
  case error_kind::data:
    return 3;
  case error_kind::retry:
    return 75;
  case error_kind::io:
  case error_kind::run:
    return 1;
  }
  return 1;
}

error configuration_error(std::string message) {
  return {error_kind::configuration, std::move(message)};
}
error data_error(std::string message) {
  return {error_kind::data, std::move(message)};
}
error io_error(std::string message) {
  return {error_kind::io, std::move(message)};
}
error run_error(std::string message) {
  return {error_kind::run, std::move(message)};
}

error with_context(error e, const std::string& context) {
  e.message = context + ": " + e.message;
  return e;
}

} // namespace triage
