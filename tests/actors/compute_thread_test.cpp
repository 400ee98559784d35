#include "actors/compute_thread.hpp"

#include <doctest/doctest.h>
#include <stdexcept>

using namespace triage;

TEST_CASE("guarded handler: what it throws becomes a sentence, what it takes stays what it was") {
  std::string told;
  int seen = 0;
  const auto trouble = [&](const std::string& problem) { told = problem; };
  const auto handler = guarded_handler(trouble, [&](const int& a, std::string& b) {
    seen = a;
    b += "!";
    if (a > 1)
      throw std::runtime_error("too many");
  });
  std::string text = "so";
  handler(1, text);
  CHECK(seen == 1);
  CHECK(text == "so!");
  CHECK(told.empty());
  handler(2, text);
  CHECK(told == "too many");
  CHECK(text == "so!!");
  const auto hungry = guarded_handler(trouble, [] { throw std::bad_alloc(); });
  hungry();
  CHECK(told.starts_with("out of memory"));
}
