#include "core/excerpt.hpp"

#include <doctest/doctest.h>

using namespace triage;

TEST_CASE("excerpts are short, printable and valid UTF-8") {
  CHECK(excerpt("plain text") == "plain text");
  CHECK(excerpt("Größe €") == "Größe €");
  CHECK(excerpt("a\nb\x7f") == "a\\x0ab\\x7f");
  CHECK(excerpt("\x1b[31m") == "\\x1b[31m");
  CHECK(excerpt("\xff\xc3(") == "\\xff\\xc3(");
  CHECK(excerpt("\xc2\x9b") == "\\xc2\\x9b"); // a control character in two bytes
  CHECK(excerpt("\xe2\x82") == "\\xe2\\x82");
  CHECK(excerpt("abcdef", 3) == "abc…");
  CHECK(excerpt("aéé", 4) == "aé…"); // never half a character
  CHECK(excerpt("") == "");
  CHECK(quoted_excerpt("x") == "\"x\"");
  CHECK(excerpt(std::string(100000, 'x')).size() < 100);
}
