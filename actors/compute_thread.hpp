#pragma once

#include <exception>
#include <new>
#include <string>
#include <utility>

namespace triage {

/// Runs `work` and turns whatever it throws into a sentence; empty when it returned. No exception may leave a
/// message handler: CAF would end the actor without telling anybody why.
template <class Work>
[[nodiscard]] std::string guarded(Work&& work) {
  try {
    std::forward<Work>(work)();
    return {};
  } catch (const std::bad_alloc&) {
    return "out of memory; a smaller batch_size, fewer workers or a smaller model needs less";
  } catch (const std::exception& e) {
    return e.what()[0] == '\0' ? "unknown exception" : e.what();
  } catch (...) {
    return "unknown exception";
  }
}

namespace detail {
template <class Trouble, class Handler, class... Args>
auto guarded_as(Trouble trouble, Handler handler, void (Handler::*)(Args...) const) {
  return [trouble = std::move(trouble), handler = std::move(handler)](Args... args) {
    if (const auto problem = guarded([&] { handler(std::forward<Args>(args)...); }); !problem.empty())
      trouble(problem);
  };
}
} // namespace detail

/// `handler`, a message handler without an answer, such that what it throws goes to `trouble` as a sentence.
template <class Trouble, class Handler>
[[nodiscard]] auto guarded_handler(Trouble trouble, Handler handler) {
  return detail::guarded_as(std::move(trouble), std::move(handler), &Handler::operator());
}

/// Lets the calling thread give way to others that want the core: estimators must not slow workers down.
void lower_thread_priority();

} // namespace triage
